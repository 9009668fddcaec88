// The demo upstream's HTTP: MCP's streamable HTTP without sessions, every answer one JSON body.

import { answerRpc, DEMO_REVISIONS, type RpcAnswer, rpcError } from "./demo_rpc.ts";
import { DemoTools } from "./demo_tools.ts";

/** A running demo server. */
export interface DemoServer {
  /** Address of its MCP endpoint, with the port that it got. */
  readonly url: string;
  /** Stops listening, ends delayed calls, and resolves when all is closed. */
  close(): Promise<void>;
}

/** Where the MCP endpoint is. */
export const DEMO_PATH = "/mcp";

const MAX_BODY_BYTES = 4 * 1024 * 1024;
const MAX_BATCH = 100;
const JSON_HEADERS = { "content-type": "application/json" };
const LOOPBACK_ORIGIN = /^https?:\/\/(localhost|127\.0\.0\.1|\[::1\])(:\d+)?$/;

/**
 * Starts the demo server. `port` 0 takes a free one.
 * @throws {Deno.errors.AddrInUse} and what else listening can throw
 */
export function startDemoServer({ hostname, port }: { hostname: string; port: number }): DemoServer {
  const tools = new DemoTools();
  const closing = new AbortController();
  const server = Deno.serve({
    hostname,
    port,
    onListen: () => {},
    onError: (error) => {
      console.error(error);
      return answer(500, rpcError(null, -32603, "Internal error"));
    },
  }, (request) => serve(request, tools, closing.signal));
  const host = server.addr.hostname.includes(":") ? `[${server.addr.hostname}]` : server.addr.hostname;
  return {
    url: `http://${host}:${server.addr.port}${DEMO_PATH}`,
    close: async () => {
      closing.abort(new Error("the server is stopping"));
      await server.shutdown();
    },
  };
}

async function serve(request: Request, tools: DemoTools, closing: AbortSignal): Promise<Response> {
  const refusal = refuse(request);
  if (refusal) return refusal;
  const body = await readBody(request);
  if (body === undefined) {
    return answer(413, rpcError(null, -32600, `The body is larger than ${MAX_BODY_BYTES} bytes`));
  }
  let message: unknown;
  try {
    message = JSON.parse(body);
  } catch {
    return answer(400, rpcError(null, -32700, "Parse error"));
  }
  const signal = () => AbortSignal.any([request.signal, closing]);
  try {
    if (Array.isArray(message)) return await answerBatch(message, request, tools, signal);
    const reply = await answerRpc(message, tools, signal);
    if (reply === undefined) return new Response(null, { status: 202 });
    return answer(reply.error?.code === -32600 ? 400 : 200, reply);
  } catch (error) {
    if (closing.aborted) return answer(503, rpcError(null, -32603, "The server is stopping"));
    // Nobody is left to read it.
    if (request.signal.aborted) return new Response(null, { status: 499 });
    throw error;
  }
}

// Only revision 2025-03-26 has batches, which is also the one meant where no revision is named.
async function answerBatch(
  batch: readonly unknown[],
  request: Request,
  tools: DemoTools,
  signal: () => AbortSignal,
): Promise<Response> {
  const revision = request.headers.get("mcp-protocol-version") ?? "2025-03-26";
  if (revision !== "2025-03-26" || batch.length === 0 || batch.length > MAX_BATCH) {
    return answer(400, rpcError(null, -32600, "Invalid request"));
  }
  const replies = await Promise.all(batch.map((message) => answerRpc(message, tools, signal)));
  const due = replies.filter((reply) => reply !== undefined);
  return due.length === 0 ? new Response(null, { status: 202 }) : answer(200, due);
}

function refuse(request: Request): Response | undefined {
  const pathStart = request.url.indexOf("/", "https://".length);
  const path = request.url.slice(pathStart).split("?", 1)[0];
  if (path !== DEMO_PATH) {
    return new Response(`Not found; the MCP endpoint is ${DEMO_PATH}\n`, { status: 404 });
  }
  if (request.method !== "POST") {
    return new Response("Method not allowed; use POST\n", { status: 405, headers: { allow: "POST" } });
  }
  const { headers } = request;
  // A web page elsewhere must not reach a server on this machine through its visitor's browser.
  const origin = headers.get("origin");
  if (origin !== null && !LOOPBACK_ORIGIN.test(origin)) {
    return answer(403, rpcError(null, -32600, "Origin is not allowed"));
  }
  if (!headers.get("content-type")?.startsWith("application/json")) {
    return answer(415, rpcError(null, -32600, "Content-Type must be application/json"));
  }
  const revision = headers.get("mcp-protocol-version");
  if (revision !== null && !DEMO_REVISIONS.includes(revision)) {
    return answer(
      400,
      rpcError(null, -32600, `Unsupported protocol version (supported: ${DEMO_REVISIONS.join(", ")})`),
    );
  }
  return undefined;
}

/** The body's text; undefined where it is too large. */
async function readBody(request: Request): Promise<string | undefined> {
  const declared = request.headers.get("content-length");
  if (declared !== null) return Number(declared) > MAX_BODY_BYTES ? undefined : await request.text();
  let text = "";
  let bytes = 0;
  const decoder = new TextDecoder();
  for await (const chunk of request.body ?? []) {
    bytes += chunk.length;
    if (bytes > MAX_BODY_BYTES) return undefined;
    text += decoder.decode(chunk, { stream: true });
  }
  return text + decoder.decode();
}

function answer(status: number, body: RpcAnswer | readonly RpcAnswer[]): Response {
  return new Response(JSON.stringify(body), { status, headers: JSON_HEADERS });
}
