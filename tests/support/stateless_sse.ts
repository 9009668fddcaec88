// A server of 2026-07-28 alone on the HTTP+SSE transport of 2024-11-05: requests by POST, all else on one event stream.
import type { Transport } from "@modelcontextprotocol/server";
import { serveChannel } from "../conformance/upstream/channel_server.ts";
import { stateCodec } from "../conformance/upstream/server.ts";
import { SharedState } from "../conformance/upstream/shared_state.ts";

/** Listens on a free port of 127.0.0.1. */
export function serveStatelessSse() {
  const state = new SharedState();
  const codec = stateCodec();
  return serveSse((transport) => serveChannel({ revisions: "stateless", state, codec, transport }));
}

/** @param serve serves one client */
export function serveSse(serve: (transport: Transport) => void) {
  const streams = new Map<string, Transport>();

  const open = (): Response => {
    const id = crypto.randomUUID();
    const { readable, writable } = new TransformStream<string, string>();
    const writer = writable.getWriter();
    // A client that has gone wants no more.
    const say = (event: string, data: string) =>
      writer.write(`event: ${event}\ndata: ${data}\n\n`).catch(() => {});
    const transport: Transport = {
      start: () => Promise.resolve(),
      send: (message) => say("message", JSON.stringify(message)),
      close: () => writer.close().catch(() => {}),
    };
    streams.set(id, transport);
    writer.closed.catch(() => {}).then(() => {
      streams.delete(id);
      transport.onclose?.();
    });
    void say("endpoint", `/message?stream=${id}`);
    serve(transport);
    return new Response(readable.pipeThrough(new TextEncoderStream()), {
      headers: { "content-type": "text/event-stream" },
    });
  };

  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, async (request) => {
    if (request.method === "GET") return open();
    const transport = streams.get(new URL(request.url).searchParams.get("stream") ?? "");
    if (transport === undefined) return new Response(null, { status: 404 });
    transport.onmessage?.(await request.json());
    return new Response(null, { status: 202 });
  });
  return {
    url: `http://127.0.0.1:${server.addr.port}/sse`,
    [Symbol.asyncDispose]: async () => {
      await Promise.all([...streams.values()].map((transport) => transport.close()));
      await server.shutdown();
    },
  };
}
