// Downstream sessions on the two workers of one process.
import { assertEquals } from "@std/assert";
import { CounterUpstream } from "../support/counter_upstream.ts";
import { inSession, openSession, post, toolCall } from "../support/mcp_post.ts";
import { sessionScenarios } from "../support/session_scenarios.ts";
import { Sluice } from "../support/sluice.ts";

sessionScenarios("one process", () => Sluice.start());

Deno.test("A session outlives a restart of the gateway", async () => {
  await using upstream = CounterUpstream.start();
  const cwd = await Deno.makeTempDir({ prefix: "sluice_restart_" });
  const env = { JWT_SECRET_KEY: crypto.randomUUID().repeat(2) };
  let id: string;
  {
    await using first = await Sluice.start({ cwd, env });
    await first.registerUpstream("counter", upstream.url);
    id = await openSession(first, { token: await first.token() });
    const counted = await post(first, toolCall("counter-increment"), {
      token: await first.token(),
      headers: inSession(id),
    });
    assertEquals(counted.body.result.content[0].text, "1");
    assertEquals(await first.stop(), 0);
  }
  {
    await using second = await Sluice.start({ cwd, env });
    const counted = await post(second, toolCall("counter-increment"), {
      token: await second.token(),
      headers: inSession(id),
    });
    // The upstream's session ended with the first process; the client's did not.
    assertEquals([counted.status, counted.body.result.content[0].text], [200, "1"]);
  }
  await Deno.remove(cwd, { recursive: true });
});
