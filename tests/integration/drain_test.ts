// Draining an upstream: calls under way end by themselves, new ones are refused on every worker.
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { CounterUpstream } from "../support/counter_upstream.ts";
import { connectV2 } from "../support/mcp_clients.ts";
import { Sluice } from "../support/sluice.ts";
import { waitFor } from "../support/wait_for.ts";

/** A stdio upstream whose tool `slow` answers when its file is there. */
const SLOW_PROGRAM = `
const lines = Deno.stdin.readable.pipeThrough(new TextDecoderStream());
const say = (message) => Deno.stdout.writeSync(new TextEncoder().encode(JSON.stringify(message) + "\\n"));
let rest = "";
for await (const text of lines) {
  const parts = (rest + text).split("\\n");
  rest = parts.pop();
  for (const { id, method, params } of parts.map((line) => JSON.parse(line))) {
    const answer = (result) => say({ jsonrpc: "2.0", id, result });
    if (method === "initialize") {
      answer({ protocolVersion: params.protocolVersion, capabilities: { tools: {} }, serverInfo: { name: "slow", version: "1" } });
    } else if (method === "tools/list") answer({ tools: [{ name: "slow", inputSchema: { type: "object" } }] });
    else if (id !== undefined && method !== "tools/call") {
      say({ jsonrpc: "2.0", id, error: { code: -32601, message: "unknown method" } });
    } else if (method === "tools/call") {
      (async () => {
        while (!(await Deno.stat(Deno.args[0]).catch(() => null))) await new Promise((go) => setTimeout(go, 20));
        answer({ content: [{ type: "text", text: "at last" }] });
      })();
    }
  }
}
`;

Deno.test("A drained upstream takes no new call, finishes those under way, and is off", async () => {
  await using counter = CounterUpstream.start();
  await using sluice = await Sluice.start({ env: { STDIO_ENABLED: "true" } });
  const { id } = await sluice.registerUpstream("counter", counter.url);
  const program = `${sluice.cwd}/slow.js`;
  const done = `${sluice.cwd}/done`;
  await Deno.writeTextFile(program, SLOW_PROGRAM);
  const { body: { id: slowId } } = await sluice.api("POST", "/gateways", {
    name: "slow",
    transport: "STDIO",
    command: Deno.execPath(),
    args: ["run", "-A", program, done],
  });
  const token = await sluice.token();
  await using inSession = await connectV2(`${sluice.url}/mcp`, { token });
  const ms = 60_000;
  const underWay = [
    inSession.callTool("counter-hold", { ms }),
    sluice.rpc("tools/call", { name: "counter-hold", arguments: { ms } }).then(({ body }) => body.result),
  ];
  const slow = inSession.callTool("slow-slow");
  await waitFor(() => counter.seen.calls === 2, { what: "the calls at the upstream" });

  const drained = await sluice.api("POST", `/gateways/${id}/drain`);
  assertEquals([drained.status, drained.body.enabled, drained.body.callsUnderWay], [200, false, 2]);
  assert(drained.body.drainingSince !== null);
  const slowDrained = await waitFor(async () => {
    const { body } = await sluice.api("POST", `/gateways/${slowId}/drain`);
    return body.callsUnderWay === 1 ? body : null;
  }, { what: "the call of the program" });
  assertEquals(slowDrained.processCount >= 1, true);

  // Several connections reach both workers.
  const refused = await Promise.all(
    Array.from({ length: 6 }, () => sluice.rpc("tools/call", { name: "counter-get", arguments: {} })),
  );
  for (const { body } of refused) assertStringIncludes(JSON.stringify(body.error), "counter-get");
  assertEquals((await inSession.listTools()).tools, []);
  counter.release();
  for (const { content } of await Promise.all(underWay)) assertEquals(content, [{ type: "text", text: "0" }]);
  await Deno.writeTextFile(done, "");
  assertEquals((await slow).content, [{ type: "text", text: "at last" }]);
  const ended = await waitFor(async () => {
    const states = await Promise.all(
      [id, slowId].map(async (each) => (await sluice.api("GET", `/gateways/${each}`)).body),
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
  await waitFor(() => counter.seen.calls === 4, { what: "the call at the upstream" });
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
