// An upstream that has its client do the work: a server of the SDK whose tool samples as a task of the client's (2025-11-25).
// @ts-types="npm:@modelcontextprotocol/sdk@1.32.2/server/mcp"
import { McpServer } from "@modelcontextprotocol/sdk/server/mcp.js";
// @ts-types="npm:@modelcontextprotocol/sdk@1.32.2/server/webStandardStreamableHttp"
import { WebStandardStreamableHTTPServerTransport } from "@modelcontextprotocol/sdk/server/webStandardStreamableHttp.js";
// @ts-types="npm:@modelcontextprotocol/sdk@1.32.2/types"
import {
  CreateMessageResultSchema,
  CreateTaskResultSchema,
  GetTaskResultSchema,
  ListTasksResultSchema,
} from "@modelcontextprotocol/sdk/types.js";
import { z } from "zod";
import { waitFor } from "./wait_for.ts";

type Transport = WebStandardStreamableHTTPServerTransport;

/** Tools: `delegate` has the client sample, and says what came out; `look` says what it hears of a `taskId`, and of all tasks. */
function createServer(): McpServer {
  const server = new McpServer({ name: "delegating", version: "1" });
  server.registerTool("delegate", {}, async ({ sendRequest }) => {
    const messages = [{ role: "user" as const, content: { type: "text" as const, text: "What is it?" } }];
    const params = { messages, maxTokens: 10, task: { ttl: 60_000 } };
    const { task } = await sendRequest({ method: "sampling/createMessage", params }, CreateTaskResultSchema);
    const { taskId } = task;
    const isDone = async () =>
      (await sendRequest({ method: "tasks/get", params: { taskId } }, GetTaskResultSchema)).status ===
        "completed";
    await waitFor(isDone, { what: "the client's task", everyMs: 50 });
    const result = await sendRequest(
      { method: "tasks/result", params: { taskId } },
      CreateMessageResultSchema,
    );
    return said({ taskId, content: result.content });
  });
  server.registerTool(
    "look",
    { inputSchema: { taskId: z.string() } },
    async ({ taskId }, { sendRequest }) => {
      const found = await sendRequest({ method: "tasks/get", params: { taskId } }, GetTaskResultSchema)
        .then(({ status }) => status, ({ code }) => code);
      const { tasks } = await sendRequest({ method: "tasks/list" }, ListTasksResultSchema);
      return said({ found, listed: tasks.map(({ taskId }) => taskId) });
    },
  );
  return server;
}

function said(value: unknown) {
  return { content: [{ type: "text" as const, text: JSON.stringify(value) }] };
}

/** Listens on a free port of 127.0.0.1. */
export function startDelegatingUpstream(): { readonly url: string } & AsyncDisposable {
  const sessions = new Map<string, Transport>();
  const open = async (): Promise<Transport> => {
    const transport: Transport = new WebStandardStreamableHTTPServerTransport({
      sessionIdGenerator: () => crypto.randomUUID(),
      onsessioninitialized: (id) => void sessions.set(id, transport),
    });
    await createServer().connect(transport);
    return transport;
  };
  const http = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, async (request) => {
    const id = request.headers.get("mcp-session-id");
    const transport = id === null ? await open() : sessions.get(id);
    return await transport?.handleRequest(request) ?? new Response("Session not found", { status: 404 });
  });
  return {
    url: `http://127.0.0.1:${http.addr.port}/mcp`,
    [Symbol.asyncDispose]: async () => {
      await Promise.all([...sessions.values()].map((transport) => transport.close()));
      await http.shutdown();
    },
  };
}
