import { assertEquals } from "@std/assert";
import { catalogRows, gatewayRow, toolRow } from "../../tests/support/catalog_rows.ts";
import { FakeUpstream, type Received } from "../../tests/support/fake_upstream.ts";
import { mcpServer, messagesOf, notification, request } from "../../tests/support/mcp_server.ts";
import type { GatewayRow } from "../store/registry/rows.ts";
import { settle } from "../../tests/support/fakes.ts";

const RELATED = "io.modelcontextprotocol/related-task";
const TASKS = { capabilities: { tasks: { requests: { tools: { call: {} } } } } };
const rowsOf = (given: Partial<GatewayRow>) =>
  catalogRows({
    gateways: [gatewayRow("a", given), gatewayRow("b", given)],
    tools: [toolRow("a", "work"), toolRow("b", "work")],
  });

/** During a call of a tool it puts these questions to the client, one after the other, and answers with the answers. */
function asking(questions: readonly unknown[]): FakeUpstream {
  let answered: (message: unknown) => void = () => {};
  async function* ask({ id }: Received) {
    const answers: unknown[] = [];
    for (const [i, question] of questions.entries()) {
      const answer = new Promise((resolve) => answered = resolve);
      yield `data: ${JSON.stringify({ jsonrpc: "2.0", id: `q${i}`, ...Object(question) })}\n\n`;
      answers.push(await answer);
    }
    yield `data: ${JSON.stringify({ jsonrpc: "2.0", id, result: { answers } })}\n\n`;
  }
  return new FakeUpstream((received) => {
    if (received.method === "response") {
      const { result, error } = JSON.parse(received.http.body!);
      answered(result ?? error.code);
      return { status: 202 };
    }
    if (received.method !== "tools/call") return undefined;
    return { headers: { "content-type": "text/event-stream" }, body: ask(received) };
  });
}

Deno.test("a task that the client runs for one upstream is no other's, in questions and in notifications", async () => {
  const about = { method: "tasks/get", params: { taskId: "c1" } };
  const a = asking([{ method: "sampling/createMessage", params: { task: {} } }, about]);
  const b = asking([about]);
  // Upstreams that run no tasks themselves.
  const { post } = await mcpServer(rowsOf({}), { a, b });
  const capabilities = { sampling: {}, tasks: { requests: { sampling: { createMessage: {} } } } };
  const opened = await post(
    request(0, "initialize", { protocolVersion: "2025-11-25", capabilities }),
  );
  const sessionId = opened.headers["mcp-session-id"]!;
  const task = { taskId: "c1", status: "working" };
  const asked: string[] = [];
  /** Calls a tool as a client that runs one task. @returns what the upstream was answered */
  const call = async (name: string) => {
    const { body } = await post(request(name, "tools/call", { name }), { sessionId });
    // No event is divided: each was sent in one piece. Without an event stream there is the answer alone.
    for await (const text of new Response(body).body!.pipeThrough(new TextDecoderStream())) {
      for (const [data] of text.matchAll(/\{.*/g)) {
        const { id, method, result } = JSON.parse(data);
        if (method === undefined) return result.answers;
        asked.push(method);
        const answer = method === "sampling/createMessage" ? { task } : task;
        await post({ jsonrpc: "2.0", id, result: answer }, { sessionId });
      }
    }
  };
  assertEquals(await call("a-work"), [{ task }, task]);
  assertEquals(await call("b-work"), [-32602]);
  assertEquals(asked, ["sampling/createMessage", "tasks/get"]);

  await post(notification("notifications/tasks/status", task), { sessionId });
  await post(notification("notifications/tasks/status", { taskId: "c2" }), { sessionId });
  await post(notification("notifications/roots/list_changed"), { sessionId });
  await settle();
  const heard = ({ received }: FakeUpstream) =>
    received.map(({ method }) => method).filter((method) => /tasks|roots/.test(method));
  assertEquals(heard(a), ["notifications/tasks/status", "notifications/roots/list_changed"]);
  assertEquals(heard(b), ["notifications/roots/list_changed"]);
});

Deno.test("a task's question on the stream of another call names the task as the client knows it", async () => {
  const a = new FakeUpstream(({ method, id, params }) => {
    if (method !== "tools/call") return undefined;
    const { task } = params as { task?: unknown };
    const progress = notification("notifications/progress", { _meta: { [RELATED]: { taskId: "t1" } } });
    const result = task === undefined ? { content: [] } : { task: { taskId: "t1", status: "working" } };
    const body = [progress, { jsonrpc: "2.0", id, result }]
      .map((message) => `data: ${JSON.stringify(message)}\n\n`).join("");
    return { headers: { "content-type": "text/event-stream" }, body };
  });
  const { post, initialize } = await mcpServer(rowsOf(TASKS), { a });
  for (const sessionId of [await initialize(), null]) {
    const call = (params: object) =>
      post(request(1, "tools/call", { name: "a-work", ...params }), { sessionId }).then(messagesOf);
    const [progress, { result }] = await call({ task: {} });
    assertEquals(progress.params._meta[RELATED].taskId, result.task.taskId);
    const [other] = await call({});
    assertEquals(other.params._meta[RELATED].taskId, result.task.taskId);
    assertEquals(result.task.taskId === "t1", false);
  }
});
