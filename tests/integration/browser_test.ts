// A web page in Chromium that uses the gateway with the official client.
import { assert, assertEquals } from "@std/assert";
import { PageServer } from "../support/browser.ts";
import { CounterUpstream } from "../support/counter_upstream.ts";
import { canLeaveOut } from "../support/programs.ts";
import { Sluice } from "../support/sluice.ts";

Deno.test({
  name: "A page of an allowed origin uses the gateway with the official client, and another page cannot",
  ignore: canLeaveOut("chromium"),
  fn: async () => {
    await using page = await PageServer.start();
    await using counter = CounterUpstream.start();
    await using sluice = await Sluice.start({ env: { ALLOWED_ORIGINS: `http://app.test:${page.port}` } });
    await sluice.registerUpstream("counter", counter.url);
    const options = { gateway: sluice.url, token: await sluice.token() };

    const allowed = await page.open({ ...options, host: "app.test" });
    const { tools, ...calls } = allowed.client;
    assert(tools.includes("counter-increment"), `${tools}`);
    assertEquals(calls, { counted: ["1", "2"], hasSession: true, faults: [] });
    assertEquals(allowed.refusal, {
      status: 401,
      challenge: 'Bearer realm="sluice", error="invalid_token", error_description="the token cannot be read"',
      hasCorrelationId: true,
    });
    assertEquals(allowed.webSocket, { protocol: "mcp", answer: { jsonrpc: "2.0", id: 1, result: {} } });

    const denied = await page.open({ ...options, host: "evil.test" });
    assert(/Failed to fetch/.test(denied.client), `${denied.client}`);
    assertEquals([denied.refusal, denied.webSocket], ["TypeError: Failed to fetch", "failed"]);
  },
});
