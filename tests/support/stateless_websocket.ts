// A WebSocket server that speaks 2026-07-28 alone, one JSON text per frame: the conformance-complete upstream on each socket.
import type { Transport } from "@modelcontextprotocol/server";
import { serveChannel } from "../conformance/upstream/channel_server.ts";
import { stateCodec } from "../conformance/upstream/server.ts";
import { SharedState } from "../conformance/upstream/shared_state.ts";

/** Listens on a free port of 127.0.0.1. */
export function serveStatelessWebSocket() {
  const state = new SharedState();
  const codec = stateCodec();
  return serveWebSocket((transport) => serveChannel({ revisions: "stateless", state, codec, transport }));
}

/** @param serve serves one client */
export function serveWebSocket(serve: (transport: Transport) => void) {
  /** The header Authorization of each socket that was opened. */
  const opened: (string | null)[] = [];
  const open = new Set<WebSocket>();
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, (request) => {
    opened.push(request.headers.get("authorization"));
    const { socket, response } = Deno.upgradeWebSocket(request, { protocol: "mcp", idleTimeout: 0 });
    socket.onopen = () => {
      open.add(socket);
      serve(transportOver(socket));
    };
    socket.addEventListener("close", () => void open.delete(socket));
    return response;
  });
  return {
    url: `ws://127.0.0.1:${server.addr.port}/mcp`,
    opened,
    /** How many sockets are open. */
    get size(): number {
      return open.size;
    },
    [Symbol.asyncDispose]: async () => {
      for (const socket of open) socket.close();
      await server.shutdown();
    },
  };
}

function transportOver(socket: WebSocket): Transport {
  const transport: Transport = {
    start: () => Promise.resolve(),
    send: (message) => {
      if (socket.readyState === WebSocket.OPEN) socket.send(JSON.stringify(message));
      return Promise.resolve();
    },
    close: () => {
      socket.close();
      return Promise.resolve();
    },
  };
  socket.onmessage = ({ data }) => transport.onmessage?.(JSON.parse(data));
  socket.addEventListener("close", () => transport.onclose?.());
  return transport;
}
