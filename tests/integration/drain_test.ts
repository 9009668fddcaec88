// Draining an upstream: calls under way end by themselves, new ones are refused on every worker.
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { CounterUpstream } from "../support/counter_upstream.ts";
import { GATED_NAMES, GatedUpstreams } from "../support/gated_upstreams.ts";
import { connectV2 } from "../support/mcp_clients.ts";
import { Sluice } from "../support/sluice.ts";
import { waitFor } from "../support/wait_for.ts";

Deno.test("A drained upstream takes no new call, finishes those under way, and is off", async () => {
  await using counter = CounterUpstream.start();
  await using gated = await GatedUpstreams.start();
  await using sluice = await Sluice.start({ env: { STDIO_ENABLED: "true" } });
  const { id } = await sluice.registerUpstream("counter", counter.url);
  const { body: { id: processId } } = await sluice.api("POST", "/gateways", gated.registration("process"));
  const token = await sluice.token();
  await using inSession = await connectV2(`${sluice.url}/mcp`, { token });
  const ms = 60_000;
  const underWay = [
    inSession.callTool("counter-hold", { ms }),
    sluice.rpc("tools/call", { name: "counter-hold", arguments: { ms } }).then(({ body }) => body.result),
  ];
  gated.close("call");
  const atProcess = inSession.callTool("process-work");
  await waitFor(async () => counter.holding === 2 && await gated.count("process", "tools/call") === 1, {
    what: "the calls at the upstreams",
  });

  const drained = await sluice.api("POST", `/gateways/${id}/drain`);
  assertEquals([drained.status, drained.body.enabled, drained.body.callsUnderWay], [200, false, 2]);
  assert(drained.body.drainingSince !== null);
  const { body: process } = await sluice.api("POST", `/gateways/${processId}/drain`);
  assertEquals([process.callsUnderWay, process.processCount >= 1], [1, true]);

  // Several connections reach both workers.
  const refused = await Promise.all(
    Array.from({ length: 6 }, () => sluice.rpc("tools/call", { name: "counter-get", arguments: {} })),
  );
  for (const { body } of refused) assertStringIncludes(JSON.stringify(body.error), "counter-get");
  assertEquals((await inSession.listTools()).tools, []);
  counter.release();
  for (const { content } of await Promise.all(underWay)) assertEquals(content, [{ type: "text", text: "0" }]);
  gated.open("call");
  assertEquals((await atProcess).content, [{ type: "text", text: "done" }]);
  const ended = await waitFor(async () => {
    const states = await Promise.all(
      [id, processId].map(async (each) => (await sluice.api("GET", `/gateways/${each}`)).body),
    );
    return states.every(({ callsUnderWay, processCount }) => callsUnderWay === 0 && !processCount)
      ? states
      : null;
  }, { what: "the end of the calls and of the processes" });
  assertEquals(ended.map(({ enabled }) => enabled), [false, false]);
  await waitFor(() => counter.liveSessions === 0, { what: "the end of the upstream's sessions" });

  const { body: on } = await sluice.api("POST", `/gateways/${id}/state?activate=true`);
  assertEquals([on.gateway.enabled, on.gateway.draining_since, on.gateway.calls_under_way], [
    true,
    null,
    null,
  ]);
  assertEquals((await inSession.callTool("counter-get")).content, [{ type: "text", text: "0" }]);

  // Switching off cuts off what is being drained.
  const cut = sluice.rpc("tools/call", { name: "counter-hold", arguments: { ms: 60_000 } });
  await waitFor(() => counter.holding === 1, { what: "the call at the upstream" });
  assertEquals((await sluice.api("POST", `/gateways/${id}/drain`)).body.callsUnderWay, 1);
  await sluice.api("POST", `/gateways/${id}/state?activate=false`);
  assertStringIncludes(JSON.stringify((await cut).body.error), "it is switched off");
  const { body: history } = await sluice.api("GET", `/gateways/${id}/history`);
  assertEquals(history.map(({ kind }: { kind: string }) => kind), [
    "off",
    "draining",
    "on",
    "draining",
    "listed",
  ]);
  assertEquals(
    (await sluice.api("GET", `/gateways/${id}/history`, undefined, await sluice.token({ admin: false })))
      .status,
    403,
  );
});

Deno.test("Calls whose upstream session is being opened when the upstream is drained finish, over every transport", async () => {
  await using gated = await GatedUpstreams.start();
  // A health check would open sessions too.
  await using sluice = await Sluice.start({ env: { STDIO_ENABLED: "true", HEALTH_CHECK_INTERVAL: "3600" } });
  const ids = new Map<string, string>();
  for (const name of GATED_NAMES) {
    const { status, body } = await sluice.api("POST", "/gateways", gated.registration(name));
    assertEquals(status, 200, JSON.stringify(body));
    ids.set(name, body.id);
  }
  await waitFor(() => gated.live === 0, { what: "the end of the sessions that have registered them" });
  const handshakes = async (name: (typeof GATED_NAMES)[number]) => await gated.count(name, "initialize");
  const before = new Map(
    await Promise.all(GATED_NAMES.map(async (name) => [name, await handshakes(name)] as const)),
  );
  await using inSession = await connectV2(`${sluice.url}/mcp`, { token: await sluice.token() });

  gated.close("initialize");
  gated.close("call");
  const calls = GATED_NAMES.flatMap((name) => [
    inSession.callTool(`${name}-work`).then(({ content }) => content, String),
    sluice.rpc("tools/call", { name: `${name}-work`, arguments: {} })
      .then(({ body }) => body.result?.content ?? body),
  ]);
  for (const name of GATED_NAMES) {
    // Where no session is kept, the calls themselves arrive.
    const arrived = name === "plain"
      ? () => gated.count(name, "tools/call")
      : async () => await handshakes(name) - before.get(name)!;
    await waitFor(async () => await arrived() === 2, { what: `both calls at ${name}` });
  }
  for (const [name, id] of ids) {
    const { body } = await sluice.api("POST", `/gateways/${id}/drain`);
    assertEquals([body.enabled, body.callsUnderWay], [false, 2], name);
  }
  assertEquals((await inSession.listTools()).tools, []);

  gated.open("initialize");
  for (const name of GATED_NAMES) {
    await waitFor(async () => await gated.count(name, "tools/call") === 2, { what: `both calls at ${name}` });
  }
  gated.open("call");
  const done = [{ type: "text", text: "done" }];
  assertEquals(await Promise.all(calls), calls.map(() => done));
  await waitFor(() => gated.live === 0, { what: "the end of all sessions, connections and processes" });
  for (const id of ids.values()) {
    await waitFor(async () => (await sluice.api("GET", `/gateways/${id}`)).body.callsUnderWay === 0, {
      what: "no call under way",
    });
  }
});
