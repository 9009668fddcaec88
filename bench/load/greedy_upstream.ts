// An upstream of greedy.ts: fast, slow, large and asking tools, and resources by a template. Stateless, of 2025-11-25.
//
//   deno run -A bench/load/greedy_upstream.ts PORT DELAY_MS

import { serveOnLoopback } from "../../tests/support/loopback_server.ts";

type Json = Record<string, unknown>;

/** What a call of `slow` takes, ms. */
const SLOW_MS = 2_000;
const LARGE_CHARS = 8 * 1024 * 1024;

const [port, delayMs] = Deno.args.map(Number) as [number, number];
const large = JSON.stringify(text("x".repeat(LARGE_CHARS)));
const names = ["steady", "slow", "large", "ask", "tell"];

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

serveOnLoopback(async (request) => {
  if (request.method !== "POST") return new Response(null, { status: 405 });
  const { id, method, params } = await request.json();
  if (id === undefined) return new Response(null, { status: 202 });
  const results: Record<string, Json> = {
    initialize: {
      protocolVersion: "2025-11-25",
      capabilities: { tools: {}, logging: {}, resources: { subscribe: true } },
      serverInfo: { name: "greedy", version: "1" },
    },
    "tools/list": { tools: names.map((name) => ({ name, inputSchema: { type: "object" } })) },
    "resources/list": { resources: [] },
    "resources/templates/list": { resourceTemplates: [{ uriTemplate: "note:///{id}", name: "note" }] },
  };
  const answer = (result: Json) => Response.json({ jsonrpc: "2.0", id, result });
  if (method !== "tools/call") return answer(results[method] ?? {});
  switch (params.name) {
    case "slow":
      await pause(SLOW_MS);
      return answer(text("done"));
    case "large":
      return new Response(`{"jsonrpc":"2.0","id":${JSON.stringify(id)},"result":${large}}`, {
        headers: { "content-type": "application/json" },
      });
    case "ask":
      return events([{
        jsonrpc: "2.0",
        id: "question",
        method: "elicitation/create",
        params: { message: "?", requestedSchema: { type: "object", properties: {} } },
      }], request.signal);
    case "tell": {
      const note = { level: "info", data: "x".repeat(100_000) };
      return events([
        { jsonrpc: "2.0", method: "notifications/message", params: note },
        { jsonrpc: "2.0", id, result: text("told") },
      ]);
    }
    default:
      await pause(delayMs);
      return answer(text("steady"));
  }
}, port);

function text(content: string): Json {
  return { content: [{ type: "text", text: content }] };
}

/** @param stays the stream stays open until this is aborted */
function events(messages: readonly Json[], stays?: AbortSignal): Response {
  const body = new ReadableStream<string>({
    start: (controller) => {
      for (const message of messages) controller.enqueue(`data: ${JSON.stringify(message)}\n\n`);
      if (stays === undefined) controller.close();
      else stays.addEventListener("abort", () => controller.error(stays.reason), { once: true });
    },
  });
  return new Response(body.pipeThrough(new TextEncoderStream()), {
    headers: { "content-type": "text/event-stream" },
  });
}
