// A WebSocket server whose behaviour a test chooses.
import { answerTo } from "./duplex_peer.ts";

interface WebSocketPeerOptions {
  /** The subprotocol that it chooses; undefined: none. */
  readonly protocol?: string;
  /** Deals with a message itself: true. Else it is answered as by a well-behaved server. */
  readonly onMessage?: (socket: WebSocket, text: string) => boolean;
  /** The answer in place of a WebSocket. */
  readonly refuse?: () => Response | Promise<Response>;
  readonly tls?: { readonly cert: string; readonly key: string };
}

/** Listens on a free port of 127.0.0.1. */
export function serveWebSocket(
  { protocol, onMessage = () => false, refuse, tls }: WebSocketPeerOptions = {},
) {
  const seen: Headers[] = [];
  const state = { open: 0 };
  const server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen() {}, ...(tls ?? {}) } as Deno.ServeTcpOptions,
    (request) => {
      seen.push(new Headers(request.headers));
      if (refuse !== undefined) return refuse();
      const { socket, response } = Deno.upgradeWebSocket(request, { protocol, idleTimeout: 0 });
      socket.onopen = () => void state.open++;
      socket.onclose = () => void state.open--;
      socket.onmessage = ({ data }) => {
        if (onMessage(socket, data)) return;
        const answer = answerTo(data);
        if (answer !== undefined) socket.send(answer);
      };
      return response;
    },
  );
  const url = new URL(`${tls === undefined ? "ws" : "wss"}://127.0.0.1:${server.addr.port}/mcp`);
  return { url, seen, state, [Symbol.asyncDispose]: () => server.shutdown() };
}
