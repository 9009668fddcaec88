// Downstream sessions where requests come in anywhere: any worker, of any replica, answers for any session, and each keeps to itself.
import { assert, assertEquals } from "@std/assert";
import { CounterUpstream } from "../support/counter_upstream.ts";
import { gatewayTest } from "../support/gateway_tests.ts";
import { inSession, openSession, post, toolCall } from "../support/mcp_post.ts";
import { assertWithin } from "../support/pace.ts";
import { Sluice } from "../support/sluice.ts";
import { waitFor } from "../support/wait_for.ts";

gatewayTest("200 sessions: every follow-up is answered whichever worker takes it", async (start) => {
  await using upstream = CounterUpstream.start();
  await using sluice = await start();
  await sluice.registerUpstream("counter", upstream.url);
  const token = await sluice.token();
  const ids: string[] = [];
  for (let i = 0; i < 200; i += 20) {
    ids.push(...await Promise.all(Array.from({ length: 20 }, () => openSession(sluice, { token: token }))));
  }
  assertEquals(new Set(ids).size, 200);
  for (let i = 0; i < 200; i += 20) {
    const group = ids.slice(i, i + 20);
    for (const expected of ["1", "2", "3"]) {
      const answers = await Promise.all(
        group.map((id) =>
          post(sluice, toolCall("counter-increment"), { token: token, headers: inSession(id) })
        ),
      );
      // Each session has its own counter at the upstream: nobody sees another's.
      for (const { status, body } of answers) {
        assertEquals([status, body.result?.content?.[0]?.text], [200, expected], JSON.stringify(body));
      }
    }
  }
  assertEquals(upstream.liveSessions, 200);

  const ended = await Promise.all(ids.map((id) =>
    fetch(`${sluice.url}/mcp`, {
      method: "DELETE",
      headers: { authorization: `Bearer ${token}`, "mcp-session-id": id },
    }).then(async (response) => (await response.body?.cancel(), response.status))
  ));
  assertEquals(new Set(ended), new Set([204]));
  await waitFor(() => upstream.liveSessions === 0, { what: "every upstream session to be ended" });
  const after = await post(sluice, toolCall("counter-get"), { token: token, headers: inSession(ids[0]!) });
  assertEquals(after.status, 404);
});

gatewayTest("A session id works for its owner at its address only, a forged one is 404", async (start) => {
  await using sluice = await start();
  const [mine, other] = [
    await sluice.token(),
    await sluice.token({ username: "bob@example.com", admin: false }),
  ];
  await sluice.api("POST", "/servers", { server: { id: "one", name: "One" } });
  const id = await openSession(sluice, { token: mine });
  const ping = { jsonrpc: "2.0", id: 1, method: "ping" };
  assertEquals((await post(sluice, ping, { token: mine, headers: inSession(id) })).status, 200);
  assertEquals((await post(sluice, ping, { token: other, headers: inSession(id) })).status, 404);
  assertEquals(
    (await post(sluice, ping, { token: mine, headers: inSession(id), path: "/servers/one/mcp" })).status,
    404,
  );
  const forged = (id[0] === "a" ? "b" : "a") + id.slice(1);
  assertEquals((await post(sluice, ping, { token: mine, headers: inSession(forged) })).status, 404);
  assertEquals(
    (await post(sluice, ping, {
      token: mine,
      headers: { ...inSession(id), "mcp-protocol-version": "1999-01-01" },
    })).status,
    400,
  );
});

gatewayTest("An upstream that forgot its session gets a new one in the client's old one", async (start) => {
  await using upstream = CounterUpstream.start();
  await using sluice = await start();
  await sluice.registerUpstream("counter", upstream.url);
  const token = await sluice.token();
  const id = await openSession(sluice, { token: token });
  for (const expected of ["1", "2"]) {
    const { body } = await post(sluice, toolCall("counter-increment"), {
      token: token,
      headers: inSession(id),
    });
    assertEquals(body.result.content[0].text, expected);
  }
  await upstream.expireSessions();
  const { status, body } = await post(sluice, toolCall("counter-increment"), {
    token: token,
    headers: inSession(id),
  });
  assertEquals([status, body.result.content[0].text], [200, "1"]);
});

gatewayTest("A call without a session leaves no session behind at a stateful upstream", async (start) => {
  await using upstream = CounterUpstream.start();
  await using sluice = await start();
  await sluice.registerUpstream("counter", upstream.url);
  for (let i = 0; i < 5; i++) {
    const { body } = await sluice.rpc("counter-increment");
    assertEquals(body.result.content[0].text, "1");
  }
  await waitFor(() => upstream.liveSessions === 0, { what: "every upstream session to be ended" });
});

gatewayTest("notifications/cancelled ends the call it names, and no other (timed)", async (start) => {
  await using upstream = CounterUpstream.start();
  await using sluice = await start();
  await sluice.registerUpstream("counter", upstream.url);
  const token = await sluice.token();
  const id = await openSession(sluice, { token: token });
  await post(sluice, toolCall("counter-get"), { token: token, headers: inSession(id) });
  const started = upstream.seen.calls;
  const long = post(sluice, toolCall("counter-hold", { ms: 20_000 }, "long"), {
    token: token,
    headers: inSession(id),
  });
  const short = post(sluice, toolCall("counter-hold", { ms: 700 }, "short"), {
    token: token,
    headers: inSession(id),
  });
  await waitFor(() => upstream.seen.calls >= started + 2, { what: "both calls to reach the upstream" });
  const before = performance.now();
  const params = { requestId: "long", reason: "enough" };
  const cancel = { jsonrpc: "2.0", method: "notifications/cancelled", params };
  assertEquals((await post(sluice, cancel, { token: token, headers: inSession(id) })).status, 202);
  assertEquals(await long, { status: 200, sessionId: null, body: null });
  await assertWithin(performance.now() - before, 5_000, "The cancellation");
  assertEquals((await short).body.id, "short");
  assert((await short).body.result !== undefined);
});

gatewayTest("A GET stream on any worker hears of list changes, and ends with its session", async (start) => {
  await using upstream = CounterUpstream.start();
  await using sluice = await start();
  const token = await sluice.token();
  const id = await openSession(sluice, { token: token });
  const headers = { authorization: `Bearer ${token}`, accept: "text/event-stream", "mcp-session-id": id };
  const streams = await Promise.all(
    Array.from(
      { length: 4 },
      () => fetch(`${sluice.url}/mcp`, { headers: { ...headers, connection: "close" } }),
    ),
  );
  assertEquals(streams.map(({ status }) => status), [200, 200, 200, 200]);
  let heard = "";
  const reading = streams.map(async ({ body }) => {
    for await (const text of body!.pipeThrough(new TextDecoderStream())) heard += text;
  });
  await sluice.registerUpstream("counter", upstream.url);
  const changes = () => heard.match(/notifications\/tools\/list_changed/g)?.length;
  await waitFor(() => changes(), { what: "the change to be told" });
  const ended = await fetch(`${sluice.url}/mcp`, { method: "DELETE", headers });
  await ended.body?.cancel();
  await Promise.all(reading);
  // One message goes out on exactly one stream.
  assertEquals(changes(), 1);
});

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
