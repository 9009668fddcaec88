// Calls that wait for their client while their worker is recycled: the client comes to the successor, and reaches them.
import { assertEquals } from "@std/assert";
import { startConformanceUpstream } from "../conformance/upstream_process.ts";
import { SessionlessSocket } from "../support/sessionless_socket.ts";
import { Sluice } from "../support/sluice.ts";
import { waitFor } from "../support/wait_for.ts";

const ACCEPT = { action: "accept", content: { username: "ann", email: "ann@example.com" } };

/** A gateway with the upstream whose tool asks its user. */
async function setUp(revisions: "sessions" | "both") {
  await using stack = new AsyncDisposableStack();
  const upstream = stack.use(await startConformanceUpstream(revisions));
  const cwd = await Deno.makeTempDir({ prefix: "sluice_questions_" });
  stack.defer(() => Deno.remove(cwd, { recursive: true }));
  const sluice = stack.use(
    await Sluice.start({ cwd, env: { WORKERS: "2", LOG_LEVEL: "INFO", MCP_REVISIONS: "all" } }),
  );
  await sluice.registerUpstream("asks", upstream.url);
  const token = await sluice.token();
  const send = (method: string, body: unknown, headers: Record<string, string> = {}) =>
    fetch(`${sluice.url}/mcp`, {
      method,
      headers: {
        authorization: `Bearer ${token}`,
        "content-type": "application/json",
        accept: "application/json, text/event-stream",
        ...headers,
      },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
  const count = (name: string) => sluice.log().filter(({ event }) => event === name).length;
  const recycleAll = async () => {
    await Deno.writeTextFile(`${cwd}/.env`, "TOOL_TIMEOUT=20\n");
    Deno.kill(sluice.pid, "SIGHUP");
    await waitFor(() => count("recycling worker") === 2, { what: "the recycling of both workers to begin" });
  };
  const recycled = () => count("worker recycled");
  const owned = stack.move();
  return { sluice, send, recycleAll, recycled, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

/** Reads an event stream message by message. */
function reader(response: Response) {
  const pieces = response.body!.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  return async () => {
    for (;;) {
      const found = /^data: (\S.*)\n/m.exec(text);
      if (found !== null) {
        text = text.slice(found.index + found[0].length);
        return JSON.parse(found[1]);
      }
      const { done, value } = await pieces.read();
      if (done) return null;
      text += value;
    }
  };
}

Deno.test("A client that polls for a call of before gets the answer from the worker that ends, which waits for it", async () => {
  await using gateway = await setUp("sessions");
  const { send, recycleAll } = gateway;
  const clientInfo = { name: "test", version: "1" };
  const opened = await send("POST", {
    jsonrpc: "2.0",
    id: 0,
    method: "initialize",
    params: { protocolVersion: "2025-11-25", capabilities: {}, clientInfo },
  });
  await opened.body?.cancel();
  const session = { "mcp-session-id": opened.headers.get("mcp-session-id")! };
  const listened = (await send("GET", undefined, session)).body!.getReader();
  const params = { name: "asks-test-reconnection", arguments: {} };
  const call = await send("POST", { jsonrpc: "2.0", id: 1, method: "tools/call", params }, session);
  const text = await call.text();
  const [, lastEventId] = /^id: (.+)$/m.exec(text)!;
  assertEquals([text.includes("retry: "), text.includes("result")], [true, false], text);
  await recycleAll();
  while (!(await listened.read()).done);
  const next = reader(await send("GET", undefined, { ...session, "last-event-id": lastEventId! }));
  assertEquals((await next())?.result?.content[0].type, "text");
});

Deno.test("An answer to a question of before reaches the call that waits in the worker that ends", async () => {
  await using gateway = await setUp("sessions");
  const { send, recycleAll } = gateway;
  const capabilities = { elicitation: {} };
  const clientInfo = { name: "test", version: "1" };
  const opened = await send("POST", {
    jsonrpc: "2.0",
    id: 0,
    method: "initialize",
    params: { protocolVersion: "2025-11-25", capabilities, clientInfo },
  });
  await opened.body?.cancel();
  const session = { "mcp-session-id": opened.headers.get("mcp-session-id")! };
  const listening = await send("GET", undefined, session);
  const name = "asks-test-elicitation";
  const params = { name, arguments: { message: "Who are you?" } };
  const next = reader(await send("POST", { jsonrpc: "2.0", id: 1, method: "tools/call", params }, session));
  const question = await next();
  assertEquals(question.method, "elicitation/create");
  await recycleAll();
  // The session's own stream ends when the session is given away.
  const listened = listening.body!.getReader();
  while (!(await listened.read()).done);
  const answered = await send("POST", { jsonrpc: "2.0", id: question.id, result: ACCEPT }, session);
  assertEquals(answered.status, 202);
  const answer = await next();
  assertEquals(answer.result?.content[0].text.includes("accept"), true, JSON.stringify(answer));
});

Deno.test("A requestState of before leads to the call that is pending in the worker that ends", async () => {
  await using gateway = await setUp("sessions");
  const { send, recycleAll } = gateway;
  const name = "asks-test-elicitation";
  const call = async (more: Record<string, unknown> = {}) => {
    const params = {
      name,
      arguments: { message: "Who are you?" },
      ...more,
      _meta: {
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": { elicitation: {} },
      },
    };
    const headers = {
      "mcp-protocol-version": "2026-07-28",
      "mcp-method": "tools/call",
      "mcp-name": name,
      // Another connection each time: any worker may be asked.
      connection: "close",
    };
    const response = await send("POST", { jsonrpc: "2.0", id: 1, method: "tools/call", params }, headers);
    return await response.json();
  };
  const asked = await Promise.all([1, 2, 3, 4].map(() => call()));
  await recycleAll();
  for (const { result: { resultType, inputRequests, requestState } } of asked) {
    assertEquals(resultType, "input_required");
    const [key] = Object.keys(inputRequests);
    const { result, error } = await call({ requestState, inputResponses: { [key]: ACCEPT } });
    assertEquals([error, result?.resultType], [undefined, "complete"], JSON.stringify(error));
  }
});

Deno.test("On a WebSocket, too: who comes back on a new one finds the call, and who listened is told that it is over", async () => {
  await using gateway = await setUp("sessions");
  const { sluice, recycleAll, recycled } = gateway;
  const token = await sluice.token();
  const connect = () => Promise.all([1, 2, 3, 4].map(() => SessionlessSocket.connect(sluice.url, token)));
  const params = { name: "asks-test-elicitation", arguments: { message: "Who are you?" } };
  const capabilities = { elicitation: {} };
  const former = await connect();
  const asked = await Promise.all(former.map(async (client) => {
    await client.listen({ toolsListChanged: true }, "l");
    return await client.ask("tools/call", params, { capabilities });
  }));
  await recycleAll();
  for (const client of former) {
    assertEquals(await client.closed, 1012);
    assertEquals((await client.answerTo("l")).result.resultType, "complete");
  }
  // A socket that still reaches a worker that is about to drain is closed, too.
  await waitFor(() => recycled() === 2, { what: "both workers to be recycled" });
  const clients = await connect();
  for (const [i, { result: { inputRequests, requestState } }] of asked.entries()) {
    const [key] = Object.keys(inputRequests);
    const back = { ...params, requestState, inputResponses: { [key!]: ACCEPT } };
    const { result, error } = await clients[i]!.ask("tools/call", back, { capabilities });
    assertEquals([error, result?.resultType], [undefined, "complete"], JSON.stringify(error));
  }
  for (const client of clients) await client[Symbol.asyncDispose]();
});
