// Room `websocket`: a channel over a WebSocket, with one JSON text per text frame and subprotocol "mcp". The specification
// has no such transport, but several bridges do. `Transports` opens it.
// @ts-types="npm:@types/ws@8.18.2"
import WebSocket from "ws";
import type { CancelSignal } from "../../base/cancellation.ts";
import { isError, reasonOf, SluiceError } from "../../base/errors.ts";
import { SocketStream } from "../dial/socket.ts";
import type { ConnectSocket } from "../http_client/http_client.ts";
import { inTime } from "../resilience/deadline.ts";
import { mergeHeaders } from "../transport/merge_headers.ts";
import type { HeaderList } from "../transport/transport.ts";
import type { Channel, OpenChannel, Receiver } from "../duplex/duplex_channel.ts";

export interface WebSocketTarget {
  readonly upstream: string;
  /** Scheme ws: or wss:. */
  readonly url: URL;
  readonly headers: HeaderList;
  readonly caCertificate?: string;
}

interface WebSocketOptions {
  /** Headers of the handshake, unless the target or a caller brings its own. */
  readonly agentHeaders: HeaderList;
  readonly maxResponseBytes: number;
  readonly connect: ConnectSocket;
}

/** Limit of unsent bytes. An upstream with more does not read at all. */
const MAX_UNSENT_BYTES = 16 * 1024 * 1024;

const NO_SUBPROTOCOL = "Server sent no subprotocol";

/** Time limit for the other side's closing handshake. */
const CLOSE_MS = 2_000;

export function openWebSocketChannel(target: WebSocketTarget, options: WebSocketOptions): OpenChannel {
  return async (passed, receiver, { deadline, signal }) => {
    const { upstream } = target;
    const open = async (giveUp: CancelSignal, protocols: readonly string[]) => {
      const socket = await connect(target, options, { protocols, passed, signal: giveUp });
      await opened(socket, upstream, giveUp);
      return new WebSocketChannel(socket, upstream, receiver);
    };
    return await inTime(deadline, { upstream, phase: "open a WebSocket", signal }, async (giveUp) => {
      try {
        return await open(giveUp, ["mcp"]);
      } catch (error) {
        // A server without subprotocols chooses none, which the library treats as an error. The connection is retried
        // without one.
        if (!isError(error, "UPSTREAM_CONNECT_FAILED") || error.params.reason !== NO_SUBPROTOCOL) throw error;
        return await open(giveUp, []);
      }
    });
  };
}

async function connect(
  { upstream, url, headers, caCertificate }: WebSocketTarget,
  { maxResponseBytes, connect, agentHeaders }: WebSocketOptions,
  { protocols, passed, signal }: {
    readonly protocols: readonly string[];
    readonly passed: HeaderList;
    readonly signal: CancelSignal;
  },
): Promise<WebSocket> {
  const socket = new SocketStream(await connect(url, { upstream, signal, caCertificate }));
  try {
    // The socket has TLS already if the URL wants it.
    return new WebSocket(url.href.replace(/^wss:/, "ws:"), [...protocols], {
      headers: Object.fromEntries([...mergeHeaders(agentHeaders, headers, passed), ["host", url.host]]),
      createConnection: () => socket,
      maxPayload: maxResponseBytes,
      perMessageDeflate: false,
    });
  } catch (cause) {
    socket.destroy();
    throw new SluiceError("UPSTREAM_CONNECT_FAILED", { upstream, reason: reasonOf(cause) }, { cause });
  }
}

/** Resolves after the handshake. @throws {SluiceError} UPSTREAM_*; the signal's reason */
function opened(socket: WebSocket, upstream: string, signal: CancelSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const fail = (error: unknown) => {
      socket.terminate();
      reject(error);
    };
    // The listener also takes later errors, which would otherwise be uncaught.
    socket.on("error", (cause) => {
      fail(new SluiceError("UPSTREAM_CONNECT_FAILED", { upstream, reason: reasonOf(cause) }, { cause }));
    });
    socket.once("unexpected-response", (_request, { statusCode: status = 0 }) =>
      fail(
        status === 401 || status === 403
          ? new SluiceError("UPSTREAM_AUTH_FAILED", { upstream, status })
          : new SluiceError("UPSTREAM_HTTP_ERROR", { upstream, status, reason: "no WebSocket handshake" }),
      ));
    socket.once("open", resolve);
    signal.addEventListener("abort", () => fail(signal.reason), { once: true });
    if (signal.aborted) fail(signal.reason);
  });
}

class WebSocketChannel implements Channel {
  readonly #socket: WebSocket;
  readonly #upstream: string;
  readonly #receiver: Receiver;

  constructor(socket: WebSocket, upstream: string, receiver: Receiver) {
    this.#socket = socket;
    this.#upstream = upstream;
    this.#receiver = receiver;
    socket.on("message", (data) => receiver.receive(String(data)));
    socket.on("error", (error: Error & { code?: string }) => {
      // The message exceeded maxPayload; the library closes the socket.
      if (error.code === "WS_ERR_UNSUPPORTED_MESSAGE_LENGTH") receiver.lost();
    });
    socket.on("close", (code) => receiver.ended(`the upstream closed the WebSocket (${code})`));
  }

  send(text: string): Promise<void> {
    if (this.#socket.bufferedAmount + text.length > MAX_UNSENT_BYTES) {
      this.#receiver.ended("the upstream does not read its messages");
      return Promise.reject(this.#closed(0));
    }
    return new Promise((resolve, reject) => {
      this.#socket.send(text, (error) => error == null ? resolve() : reject(this.#closed(0, error)));
    });
  }

  async close(): Promise<void> {
    if (this.#socket.readyState === WebSocket.CLOSED) return;
    const closed = new Promise<void>((resolve) => this.#socket.once("close", () => resolve()));
    this.#socket.close(1000);
    const timer = setTimeout(() => this.#socket.terminate(), CLOSE_MS);
    await closed;
    clearTimeout(timer);
  }

  #closed(sent: 0 | 1, cause?: unknown): SluiceError {
    return new SluiceError("UPSTREAM_CLOSED", { upstream: this.#upstream, sent }, { cause });
  }
}
