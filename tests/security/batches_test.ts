// Many calls of one caller: a batch, or requests side by side. Each takes places like any other call, and leaves others theirs.
import { assert, assertEquals } from "@std/assert";
import { post, toolCall } from "../support/mcp_post.ts";
import { atRest, metric } from "../support/metric.ts";
import { SlowUpstream } from "../support/slow_upstream.ts";
import { Sluice } from "../support/sluice.ts";
import { counterLaunch, processesWith } from "../support/stdio_upstream.ts";
import { waitFor } from "../support/wait_for.ts";

const user = (sluice: Sluice, username: string) => sluice.token({ username, admin: false });

const batchOf = (length: number) => Array.from({ length }, (_, n) => toolCall("up-slow", {}, n));

Deno.test("Each message of a batch takes a place, in the worker and for its caller; the others wait for theirs", async () => {
  await using upstream = SlowUpstream.start({ delayMs: Infinity });
  await using sluice = await Sluice.start({ env: { WORKERS: "1", MAX_CALLS_PER_CALLER: "10" } });
  await sluice.registerUpstream("up", upstream.url);
  const [ann, eve] = [await user(sluice, "ann"), await user(sluice, "eve")];
  const rpc = (body: unknown, token: string) => post(sluice, body, { token, path: "/rpc" });
  const batch = rpc(batchOf(100), eve);
  await waitFor(() => upstream.calls >= 10, { what: "the first messages" });
  assertEquals(await metric(sluice, "sluice_requests_in_flight "), 10);
  const { status, body } = await rpc(toolCall("up-slow"), eve);
  assertEquals([status, body.error.data.code], [429, "TOO_MANY_CALLS_OF_CALLER"]);
  assertEquals([(await rpc({ jsonrpc: "2.0", id: 1, method: "ping" }, ann)).status, upstream.calls], [
    200,
    10,
  ]);
  upstream.release();
  const answers: { id: number; result: unknown }[] = (await batch).body;
  assertEquals(answers.map(({ id }) => id), batchOf(100).map(({ id }) => id));
  assert(answers.every(({ result }) => result !== undefined));
  await atRest(sluice);
});

Deno.test("A batch in a session takes places as well", async () => {
  await using upstream = SlowUpstream.start({ delayMs: Infinity });
  await using sluice = await Sluice.start({ env: { WORKERS: "2", MAX_CALLS_PER_CALLER: "10" } });
  await sluice.registerUpstream("up", upstream.url);
  const eve = await user(sluice, "eve");
  const params = { protocolVersion: "2025-03-26", capabilities: {}, clientInfo: { name: "e", version: "1" } };
  const opened = await post(sluice, { jsonrpc: "2.0", id: 0, method: "initialize", params }, { token: eve });
  const headers = { "mcp-session-id": opened.sessionId! };
  const batch = post(sluice, batchOf(50), { token: eve, headers });
  await waitFor(() => upstream.calls >= 9, { what: "the first messages" });
  // The worker that owns the session may be another than the one that took the request, which has a place of its own there.
  const taken = await metric(sluice, "sluice_requests_in_flight ");
  assert(taken >= 10 && taken <= 11, `${taken} places`);
  assert(upstream.calls <= 11, `${upstream.calls} calls`);
  upstream.release();
  assertEquals((await batch).body.length, 50);
  await atRest(sluice);
});

Deno.test("A batch of slow calls leaves another caller connections to the same upstream", async () => {
  await using upstream = SlowUpstream.start({ delayMs: Infinity });
  await using sluice = await Sluice.start({ env: { WORKERS: "1" } });
  await sluice.registerUpstream("up", upstream.url);
  const [ann, eve] = [await user(sluice, "ann"), await user(sluice, "eve")];
  const batch = post(sluice, batchOf(100), { token: eve, path: "/rpc" });
  // Three quarters of HTTP_CLIENT_MAX_CONNECTIONS.
  await waitFor(() => upstream.calls === 75, { what: "the batch's connections" });
  const anns = post(sluice, toolCall("up-slow"), { token: ann, path: "/rpc" });
  await waitFor(() => upstream.calls === 76, { what: "another caller's call" });
  upstream.release();
  assertEquals((await anns).body.result.content[0].text, "done");
  assertEquals((await batch).body.length, 100);
});

Deno.test("A batch of calls to a process has one process, and leaves another caller one", async () => {
  const mark = crypto.randomUUID();
  const env = { WORKERS: "1", STDIO_ENABLED: "true", STDIO_MAX_PROCESSES_PER_UPSTREAM: "4" };
  await using sluice = await Sluice.start({ env });
  const { status } = await sluice.api("POST", "/gateways", {
    name: "count",
    transport: "STDIO",
    ...counterLaunch(mark, "slow"),
  });
  assertEquals(status, 200);
  const [ann, eve] = [await user(sluice, "ann"), await user(sluice, "eve")];
  const increment = (id: number) => toolCall("count-increment", {}, id);
  await waitFor(() => processesWith(mark).length === 0, { what: "the end of the discovery's process" });
  const batch = post(sluice, Array.from({ length: 20 }, (_, n) => increment(n)), {
    token: eve,
    path: "/rpc",
  });
  await waitFor(() => processesWith(mark).length === 1, { what: "the batch's process" });
  const anns = await post(sluice, increment(0), { token: ann, path: "/rpc" });
  assertEquals(anns.body.result?.content[0].text, "1", JSON.stringify(anns.body.error));
  const answers: { result: { content: { text: string }[] } }[] = (await batch).body;
  const counts = answers.map(({ result }) => Number(result.content[0].text)).sort((a, b) => a - b);
  assertEquals(counts, Array.from({ length: 20 }, (_, n) => n + 1));
  assertEquals(processesWith(mark).length, 2);
});
