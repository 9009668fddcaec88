// Revision 2026-07-28 over WebSocket on two workers, with upstreams of all revisions.
import { assert, assertEquals } from "@std/assert";
import { startConformanceUpstream, startTaskServer } from "../conformance/upstream_process.ts";
import { atRest, metric } from "../support/metric.ts";
import { SessionlessSocket } from "../support/sessionless_socket.ts";
import type { Gateway } from "../support/gateway.ts";
import { gatewayTest } from "../support/gateway_tests.ts";
import { Sluice } from "../support/sluice.ts";
import { SlowUpstream } from "../support/slow_upstream.ts";
import { waitFor } from "../support/wait_for.ts";

const ACCEPT = { action: "accept", content: { username: "ann", email: "ann@example.com" } };
const CAN_ELICIT = { capabilities: { elicitation: {} } };
const TOOLS = { toolsListChanged: true };
const TOOLS_CHANGED = "notifications/tools/list_changed";
const ACKNOWLEDGED = "notifications/subscriptions/acknowledged";

type Asked = { result: { inputRequests: Record<string, unknown>; requestState?: string } };

/** The call that the client comes back with. */
function back(name: string, { result: { inputRequests, requestState } }: Asked) {
  const inputResponses = Object.fromEntries(Object.keys(inputRequests).map((key) => [key, ACCEPT]));
  return {
    name,
    arguments: { message: "Who?" },
    inputResponses,
    ...(requestState === undefined ? {} : { requestState }),
  };
}

async function connectAll(sluice: Gateway, token: string, count: number) {
  const all = await Promise.all(
    Array.from({ length: count }, () => SessionlessSocket.connect(sluice.url, token)),
  );
  return {
    all,
    [Symbol.asyncDispose]: async () =>
      void await Promise.all(all.map((client) => client[Symbol.asyncDispose]())),
  };
}

gatewayTest("A client of 2026-07-28 uses WebSocket, whatever its upstreams speak", async (start, t) => {
  await using older = await startConformanceUpstream("sessions");
  await using stateless = await startConformanceUpstream("stateless");
  await using slow = SlowUpstream.start({ delayMs: Infinity });
  await using sluice = await start({ MCP_REVISIONS: "all" });
  await sluice.registerUpstream("old", older.url);
  await sluice.registerUpstream("new", stateless.url);
  await sluice.registerUpstream("slow", slow.url);
  const token = await sluice.token();

  for (const kind of ["old", "new"]) {
    await t.step(`upstream ${kind}: probe, lists, calls, resources, progress and log messages`, async () => {
      await using client = await SessionlessSocket.connect(sluice.url, token);
      const { result } = await client.ask("server/discover");
      assertEquals(result.supportedVersions, ["2026-07-28"]);
      const wrong = { "io.modelcontextprotocol/protocolVersion": "2099-01-01" };
      const { error } = await client.ask("tools/list", {}, { meta: wrong });
      assertEquals([error.code, error.data.supported], [-32022, ["2026-07-28"]]);
      const listed = await client.ask("tools/list");
      assertEquals([typeof listed.result.ttlMs, listed.result.cacheScope], ["number", "private"]);
      const called = await client.ask("tools/call", { name: `${kind}-test-simple-text` });
      assertEquals(called.result.resultType, "complete");
      const read = await client.ask("resources/read", { uri: "test://static-text" });
      assertEquals(read.result.contents[0].uri, "test://static-text");
      const meta = { progressToken: "p" };
      const reported = await client.ask("tools/call", { name: `${kind}-test-tool-with-progress` }, { meta });
      const methods = () => client.messages.flatMap(({ method }) => method ?? []);
      assertEquals(methods(), Array(3).fill("notifications/progress"));
      assertEquals(client.messages.at(-1), reported);
      assert(client.messages.every(({ params }) => params === undefined || params.progressToken === "p"));
      await client.ask("tools/call", { name: `${kind}-test-tool-with-logging` });
      assertEquals(methods().length, 3, "no log message comes unasked");
      const level = { "io.modelcontextprotocol/logLevel": "info" };
      await client.ask("tools/call", { name: `${kind}-test-tool-with-logging` }, { meta: level });
      assertEquals(methods().slice(3), Array(3).fill("notifications/message"));
    });

    await t.step(
      `upstream ${kind}: a question is an answer, and any connection takes the call up again`,
      async () => {
        // More connections than workers: the call waits in one worker, and is asked for in another.
        await using clients = await connectAll(sluice, token, 6);
        const name = `${kind}-test-elicitation`;
        await Promise.all(clients.all.map(async (client, i) => {
          const asked = await client.ask("tools/call", { name, arguments: { message: "Who?" } }, CAN_ELICIT);
          assertEquals(asked.result.resultType, "input_required");
          for (const { method } of Object.values<{ method: string }>(asked.result.inputRequests)) {
            assertEquals(method, "elicitation/create");
          }
          const other = clients.all[(i + 1) % clients.all.length]!;
          const { result, error } = await other.ask("tools/call", back(name, asked), {
            ...CAN_ELICIT,
            id: `back-${i}`,
          });
          assertEquals(error, undefined, JSON.stringify(error));
          assert(result.content[0].text.includes("ann@example.com"), JSON.stringify(result));
        }));
        const requests = clients.all.flatMap(({ messages }) =>
          messages.filter(({ id, method }) => id && method)
        );
        assertEquals(requests, [], "nobody is sent a request");
      },
    );
  }

  await t.step("a call that streams before it asks waits for its client all the same", async () => {
    await using client = await SessionlessSocket.connect(sluice.url, token);
    const name = "old-test-streaming-elicitation";
    const meta = { progressToken: "s" };
    const args = { name, arguments: { message: "Who?" } };
    const asked = await client.ask("tools/call", args, { ...CAN_ELICIT, meta });
    assertEquals(client.messages.map(({ method }) => method), ["notifications/progress", undefined]);
    const { result, error } = await client.ask("tools/call", back(name, asked), CAN_ELICIT);
    assertEquals(result?.content[0].text, "Asked and answered.", JSON.stringify(error));
  });

  await t.step("a cancelled call is given up upstream, and is not answered", async () => {
    await using client = await SessionlessSocket.connect(sluice.url, token);
    const id = client.request("tools/call", { name: "slow-slow" });
    await waitFor(() => slow.calls === 1, { what: "the call" });
    client.cancel(id);
    await waitFor(() => slow.abandoned === 1, { what: "the upstream to be left" });
    await client.ask("tools/list");
    assertEquals(client.messages.filter((message) => message.id === id), []);
  });

  await t.step("a call that waits for its client is given up when that cancels it", async () => {
    await using client = await SessionlessSocket.connect(sluice.url, token);
    const args = { name: "old-test-elicitation", arguments: { message: "Who?" } };
    const asked = await client.ask("tools/call", args, CAN_ELICIT);
    assertEquals(await metric(sluice, "sluice_pending_calls"), 1);
    client.cancel(asked.id);
    await waitFor(async () => await metric(sluice, "sluice_pending_calls") === 0, {
      what: "no pending call",
    });
    const { error } = await client.ask("tools/call", back(args.name, asked), CAN_ELICIT);
    assertEquals(error.code, -32602);
  });

  await t.step("listeners hear what they have asked for, on every worker, until they cancel", async () => {
    await using clients = await connectAll(sluice, token, 6);
    const [first, ...others] = clients.all;
    for (const client of clients.all) await client.listen(TOOLS, "l");
    const updates = await first!.listen({ resourceSubscriptions: ["test://watched-resource"] });
    await using unasked = await SessionlessSocket.connect(sluice.url, token);
    await unasked.ask("tools/list");
    await using one = SlowUpstream.start({ delayMs: 1 });
    await sluice.registerUpstream("one", one.url);
    for (const client of clients.all) {
      await waitFor(() => client.heard("l").includes(TOOLS_CHANGED), { what: "the news" });
    }
    assertEquals(first!.heard(updates), [ACKNOWLEDGED]);
    first!.cancel("l");
    await first!.ask("tools/list");
    const { length } = first!.messages;
    await using two = SlowUpstream.start({ delayMs: 1 });
    await sluice.registerUpstream("two", two.url);
    for (const client of others) {
      await waitFor(() => client.heard("l").length > 2, { what: "more news" });
    }
    await first!.ask("tools/list");
    assertEquals(first!.messages.length, length + 1);
    assertEquals(unasked.messages.length, 1);
  });

  await t.step("updates of a resource come from all upstreams", async () => {
    await using client = await SessionlessSocket.connect(sluice.url, token);
    const id = await client.listen({ resourceSubscriptions: ["test://watched-resource"] });
    await waitFor(async () => {
      for (const kind of ["old", "new"]) {
        await client.ask("tools/call", { name: `${kind}-test-update-watched-resource` });
      }
      return client.heard(id).includes("notifications/resources/updated");
    }, { what: "an update", everyMs: 200 });
  });

  await t.step("a revoked token ends what it has opened", async () => {
    const doomed = await sluice.token({ claims: { jti: "doomed" } });
    await using client = await SessionlessSocket.connect(sluice.url, doomed);
    await client.listen(TOOLS, "l");
    await sluice.api("DELETE", "/tokens/doomed");
    assertEquals(await client.closed, 1008);
    assertEquals((await client.answerTo("l")).result.resultType, "complete");
  });

  await t.step("nothing is left behind", async () => {
    await atRest(sluice);
    assertEquals(await metric(sluice, "sluice_pending_calls"), 0);
  });
});

Deno.test("A listener does not hold up a shutdown, and hears of its end", async () => {
  await using sluice = await Sluice.start();
  const client = await SessionlessSocket.connect(sluice.url, await sluice.token());
  await client.listen(TOOLS, "l");
  assertEquals(await sluice.stop(), 0);
  assertEquals(await client.closed, 1012);
  const [result, word] = client.messages.slice(-2);
  assertEquals([result.id, result.result.resultType], ["l", "complete"]);
  assertEquals([word.method, word.params.requestId], ["notifications/cancelled", "l"]);
});

gatewayTest("A task is followed over WebSocket, on any connection of its caller", async (start) => {
  await using server = await startTaskServer();
  await using sluice = await start();
  await sluice.registerUpstream("jobs", server.url);
  await using clients = await connectAll(sluice, await sluice.token(), 4);
  await using stranger = await SessionlessSocket.connect(
    sluice.url,
    await sluice.token({ username: "bob@example.com" }),
  );
  const options = { capabilities: { extensions: { "io.modelcontextprotocol/tasks": {} }, elicitation: {} } };
  let turn = 0;
  const ask = (method: string, params: Record<string, unknown>) =>
    clients.all[turn++ % clients.all.length]!.ask(method, params, options);

  const made = await ask("tools/call", { name: "jobs-confirm-delete", arguments: { filename: "x" } });
  assertEquals(made.result.resultType, "task", JSON.stringify(made));
  const { taskId } = made.result;
  const asking = await waitFor(async () => {
    const { result } = await ask("tasks/get", { taskId });
    return result.status === "input_required" && result;
  }, { what: "the task's question" });
  const { error } = await stranger.ask("tasks/get", { taskId }, options);
  assertEquals(error.code, -32602);
  const [key] = Object.keys(asking.inputRequests);
  await ask("tasks/update", {
    taskId,
    inputResponses: { [key!]: { action: "accept", content: { confirm: true } } },
  });
  const done = await waitFor(async () => {
    const { result } = await ask("tasks/get", { taskId });
    return result.status === "completed" && result;
  }, { what: "the task's end" });
  assert(JSON.stringify(done).includes("Deleted x: true"), JSON.stringify(done));
});
