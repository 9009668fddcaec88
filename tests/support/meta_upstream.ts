// An upstream over SSE of 2024-11-05, and over stdio as a program. Its tool `meta` answers with the `_meta` of the call, as JSON text.

interface Message {
  readonly id?: number | string;
  readonly method?: string;
  readonly params?: { readonly _meta?: unknown };
}

function answerTo(text: string): string | null {
  const { id, method, params }: Message = JSON.parse(text);
  if (id === undefined) return null;
  const results: Readonly<Record<string, unknown>> = {
    initialize: {
      protocolVersion: "2024-11-05",
      capabilities: { tools: {} },
      serverInfo: { name: "meta", version: "1" },
    },
    "tools/list": { tools: [{ name: "meta", inputSchema: { type: "object" } }] },
    "tools/call": { content: [{ type: "text", text: JSON.stringify(params?._meta ?? null) }] },
  };
  return JSON.stringify({ jsonrpc: "2.0", id, result: results[method ?? ""] ?? {} });
}

export function startMetaUpstream() {
  const streams = new Map<string, (event: string, data: string) => void>();
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, async (request) => {
    if (request.method === "GET") {
      const id = crypto.randomUUID();
      const stream = new ReadableStream<Uint8Array>({
        start: (controller) => {
          const say = (event: string, data: string) =>
            controller.enqueue(new TextEncoder().encode(`event: ${event}\ndata: ${data}\n\n`));
          streams.set(id, say);
          say("endpoint", `/message?id=${id}`);
        },
        cancel: () => void streams.delete(id),
      });
      return new Response(stream, { headers: { "content-type": "text/event-stream" } });
    }
    const answer = answerTo(await request.text());
    if (answer !== null) streams.get(new URL(request.url).searchParams.get("id")!)?.("message", answer);
    return new Response(null, { status: 202 });
  });
  return { url: `http://127.0.0.1:${server.addr.port}/sse`, [Symbol.asyncDispose]: () => server.shutdown() };
}

/** How the program is started. */
export const META_LAUNCH = {
  command: Deno.execPath(),
  args: ["run", "-A", "--quiet", new URL(import.meta.url).pathname],
};

if (import.meta.main) {
  let text = "";
  for await (const piece of Deno.stdin.readable.pipeThrough(new TextDecoderStream())) {
    const lines = (text + piece).split("\n");
    text = lines.pop()!;
    for (const line of lines.filter((line) => line.trim() !== "")) {
      const answer = answerTo(line);
      if (answer !== null) console.log(answer);
    }
  }
}
