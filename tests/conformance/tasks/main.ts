// A server of 2026-07-28 with the tasks extension and the tools that the suite's tasks-* scenarios ask for, as a process of
// its own. No SDK has the server's side of the extension, so it answers in plain JSON-RPC.
//
//   deno run -A tests/conformance/tasks/main.ts
//
// It listens on a free port of 127.0.0.1 and prints its URL.
import { TaskStore } from "./task_store.ts";
import { callTool, TOOLS } from "./tools.ts";
import { type Params, type Result, RpcError, TASKS_EXTENSION } from "./wire.ts";

const VERSION = "io.modelcontextprotocol/protocolVersion";
const CAPABILITIES = "io.modelcontextprotocol/clientCapabilities";
const REVISION = "2026-07-28";
/** The params member that Mcp-Name repeats. */
const NAMED_BY: Readonly<Record<string, string>> = {
  "tools/call": "name",
  "tasks/get": "taskId",
  "tasks/update": "taskId",
  "tasks/cancel": "taskId",
};
const EXTENSIONS = { [TASKS_EXTENSION]: {} };

const store = new TaskStore();

function answer(method: string, params: Params): Result | Promise<Result> {
  const declares = Object.hasOwn(params._meta?.[CAPABILITIES]?.extensions ?? {}, TASKS_EXTENSION);
  if (method.startsWith("tasks/") && method in NAMED_BY && !declares) throw missingExtension();
  const cache = { ttlMs: 1_000, cacheScope: "public" };
  switch (method) {
    case "server/discover":
      return {
        supportedVersions: [REVISION],
        capabilities: { tools: {}, extensions: EXTENSIONS },
        ...cache,
      };
    case "tools/list":
      return { tools: TOOLS.map(({ name }) => ({ name, inputSchema: { type: "object" } })), ...cache };
    case "tools/call":
      return callTool(store, params, declares, missingExtension);
    case "tasks/get":
      return store.get(params.taskId);
    case "tasks/update":
      return store.update(params.taskId, params.inputResponses ?? {});
    case "tasks/cancel":
      return store.cancel(params.taskId);
    default:
      throw new RpcError(-32601, `Method not found: ${method}`, undefined, 404);
  }
}

function missingExtension(): RpcError {
  const data = { requiredCapabilities: { extensions: EXTENSIONS } };
  return new RpcError(-32021, "Missing required client capability", data, 400);
}

function checkHeaders(method: string, params: Params, { headers }: Request): void {
  const expected: [string, unknown][] = [["mcp-protocol-version", REVISION], ["mcp-method", method]];
  const named = NAMED_BY[method];
  if (named !== undefined) expected.push(["mcp-name", (params as Record<string, unknown>)[named]]);
  for (const [name, value] of expected) {
    const given = headers.get(name);
    if (given !== value) {
      throw new RpcError(-32020, `The header ${name} is ${given}, not ${value}`, undefined, 400);
    }
  }
}

async function serve(request: Request): Promise<Response> {
  if (request.method !== "POST") return new Response(null, { status: 405 });
  const { id, method, params = {} } = await request.json();
  if (id === undefined) return new Response(null, { status: 202 });
  try {
    if (params._meta?.[VERSION] !== REVISION) {
      throw new RpcError(-32022, "Unsupported protocol version", { supported: [REVISION] }, 400);
    }
    checkHeaders(method, params, request);
    const result = { resultType: "complete", ...await answer(method, params) };
    return Response.json({ jsonrpc: "2.0", id, result });
  } catch (error) {
    if (!(error instanceof RpcError)) throw error;
    const { code, message, data, status } = error;
    return Response.json({ jsonrpc: "2.0", id, error: { code, message, data } }, { status });
  }
}

Deno.serve({
  hostname: "127.0.0.1",
  port: 0,
  onListen: ({ port }) => console.log(`http://127.0.0.1:${port}/mcp`),
}, serve);
