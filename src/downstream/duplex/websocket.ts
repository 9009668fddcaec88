// MCP over a WebSocket: /ws and /servers/{id}/ws. Each text frame holds one JSON-RPC message. A session ends with its WebSocket.
import { Buffer } from "node:buffer";
import type { ClientMemory, Holding } from "../../base/sharing/client_memory.ts";
import { SluiceError } from "../../base/errors.ts";
import type { Catalog } from "../../catalog/snapshot/catalog.ts";
import type { Endpoint, Exchange } from "../../http/handler.ts";
import type { CloseReason, DuplexChannel, Sender } from "./client_channel.ts";
import type { DuplexSessions } from "./duplex_sessions.ts";
import { countUnread, MAX_UNREAD_BYTES } from "../exchange/bounded_body.ts";
import { scopeFor, serverAt } from "../exchange/visible_scope.ts";

export interface WebSocketDeps {
  readonly sessions: DuplexSessions;
  readonly memory: ClientMemory;
  readonly catalog: () => Catalog;
  readonly maxMessageBytes: number;
  /** A client that is silent for this time is pinged, and disconnected if it stays silent for as long again. */
  readonly pingIntervalMs: number;
}

/** The subprotocol that MCP clients ask for. */
const SUBPROTOCOL = "mcp";

const SUBPROTOCOLS = "sec-websocket-protocol";

/**
 * A further subprotocol that carries the token. Browsers cannot send an Authorization header with a WebSocket, and a URL would be
 * logged. The gateway never selects this one, so that no response repeats the token.
 */
const BEARER_PREFIX = "bearer.";

/** Time for a client to read its last messages and the close frame, ms. */
const CLOSE_TIMEOUT_MS = 1_000;

/** RFC 6455, section 7.4.1. */
const CLOSE = {
  unsupportedData: 1003,
  policyViolation: 1008,
  messageTooBig: 1009,
  serviceRestart: 1012,
} as const;

const CLOSE_FRAMES: Readonly<Record<CloseReason, readonly [code: number, reason: string]>> = {
  restart: [CLOSE.serviceRestart, "the gateway restarts; connect again"],
  expired: [
    CLOSE.policyViolation,
    "the token has expired or was revoked, or the rights of its user have changed",
  ],
  gone: [CLOSE.policyViolation, "the server is not available any more"],
};

export class WebSocketEndpoint implements Endpoint {
  readonly name = "ws";
  readonly speaks = "json-rpc";
  readonly streamsOnGet = true;
  readonly #deps: WebSocketDeps;
  /** Client ports of open WebSockets. Over HTTP/1.1 each is one connection. */
  readonly #peerPorts = new Set<number>();

  constructor(deps: WebSocketDeps) {
    this.#deps = deps;
  }

  /** Client ports of connections that became WebSockets. Their silence is not idleness. */
  peerPorts(): number[] {
    return [...this.#peerPorts];
  }

  authorizationIn(headers: Headers): string | null {
    const bearer = subprotocolsIn(headers).find((name) => name.startsWith(BEARER_PREFIX));
    return bearer === undefined ? null : `Bearer ${bearer.slice(BEARER_PREFIX.length)}`;
  }

  async serve(exchange: Exchange): Promise<Response> {
    const { request, path, principal, caller, note, info } = exchange;
    const { sessions, catalog, memory, maxMessageBytes } = this.#deps;
    if (request.method !== "GET") {
      throw new SluiceError("METHOD_NOT_ALLOWED", { method: request.method, allowed: "GET" });
    }
    sessions.requireOpen();
    const serverId = serverAt(path, "ws");
    scopeFor(catalog(), principal, serverId);
    // Copied: the request is over once the connection is a WebSocket.
    const received = new Headers(request.headers);
    received.delete(SUBPROTOCOLS);
    const sender: Sender = { principal, caller, isUncounted: true, received };
    const { port } = info.remoteAddr;
    const { socket, response } = this.#upgrade(request);
    this.#peerPorts.add(port);

    const closed = Promise.withResolvers<void>();
    let closeTimer: ReturnType<typeof setTimeout> | undefined;
    const unread = memory.hold(principal);
    const channel = channelOf(socket, unread, {
      onCutOff: () => void session.end(),
      // A client that does not answer the close frame is not waited for.
      onClosing: () => closeTimer = setTimeout(() => void session.end(), CLOSE_TIMEOUT_MS),
    });
    const address = { principal, serverId, path, endpoint: this.name, client: note?.client };
    const session = sessions.open(address, channel);
    socket.onmessage = ({ data }) => {
      // Frames after a fault are ignored.
      if (socket.readyState !== WebSocket.OPEN) return;
      if (typeof data !== "string") socket.close(CLOSE.unsupportedData, "messages are text");
      else if (isLongerThan(data, maxMessageBytes)) {
        socket.close(CLOSE.messageTooBig, `a message has at most ${maxMessageBytes} bytes (MAX_BODY_BYTES)`);
      } else session.receive(data, sender);
    };
    socket.onclose = () => {
      clearTimeout(closeTimer);
      this.#peerPorts.delete(port);
      unread.close();
      void session.end();
      closed.resolve();
    };
    exchange.isStream = true;
    exchange.connectionEnd = closed.promise;
    return response;
  }

  /** @throws {SluiceError} UPGRADE_REQUIRED for a request that is no WebSocket handshake over HTTP/1.1 */
  #upgrade(request: Request): Deno.WebSocketUpgrade {
    const { headers } = request;
    if (headers.get("sec-websocket-version") !== "13") throw new SluiceError("UPGRADE_REQUIRED");
    try {
      return Deno.upgradeWebSocket(request, {
        protocol: subprotocolsIn(headers).includes(SUBPROTOCOL) ? SUBPROTOCOL : undefined,
        // Deno pings after half of this time.
        idleTimeout: Math.ceil(2 * this.#deps.pingIntervalMs / 1000),
      });
    } catch (cause) {
      throw new SluiceError("UPGRADE_REQUIRED", {}, { cause });
    }
  }
}

function subprotocolsIn(headers: Headers): string[] {
  return headers.get(SUBPROTOCOLS)?.split(",").map((name) => name.trim()) ?? [];
}

interface ChannelEvents {
  /** The client does not read, so not even a close frame would reach it. */
  readonly onCutOff: () => void;
  readonly onClosing: () => void;
}

/** The part of a WebSocket that a channel uses. */
type ChannelSocket = Pick<WebSocket, "readyState" | "bufferedAmount" | "send" | "close" | "addEventListener">;

/** Exported for tests. */
export function channelOf(
  socket: ChannelSocket,
  unread: Holding,
  { onCutOff, onClosing }: ChannelEvents,
): DuplexChannel {
  const close = (code: number, reason: string) => {
    if (socket.readyState === WebSocket.OPEN) socket.close(code, reason);
    else if (socket.readyState === WebSocket.CONNECTING) {
      // The answer to the handshake is on its way.
      socket.addEventListener("open", () => socket.close(code, reason), { once: true });
    }
  };
  return {
    send: (text) => {
      if (socket.readyState !== WebSocket.OPEN) return;
      const { bufferedAmount } = socket;
      const isTooMuch = bufferedAmount > 0 && bufferedAmount + text.length > MAX_UNREAD_BYTES;
      if (isTooMuch || !countUnread(unread, bufferedAmount + text.length)) {
        close(CLOSE.policyViolation, "the client does not read");
        return onCutOff();
      }
      socket.send(text);
    },
    close: (why) => {
      if (socket.readyState === WebSocket.OPEN || socket.readyState === WebSocket.CONNECTING) onClosing();
      close(...CLOSE_FRAMES[why]);
    },
  };
}

/** Is the text longer than so many bytes? Counts bytes only if the number of characters does not decide it. */
function isLongerThan(text: string, bytes: number): boolean {
  return text.length > bytes || (text.length * 3 > bytes && Buffer.byteLength(text) > bytes);
}
