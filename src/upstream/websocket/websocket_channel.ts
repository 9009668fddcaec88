// Room `websocket`: a channel over a WebSocket, with one JSON text per text frame and subprotocol "mcp". The specification
// has no such transport, but several bridges do. `Transports` opens it.
// @ts-types="npm:@types/ws@8.18.2"
import WebSocket from "ws";
import type { IncomingMessage } from "node:http";
import type { CancelSignal } from "../../base/cancellation.ts";
import { isError, reasonOf, SluiceError } from "../../base/errors.ts";
import { SocketStream } from "../dial/socket.ts";
import { failedAnswer, type FailedRequest, FAILURE_TEXT_BYTES } from "../http_client/failed_answer.ts";
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
      const headers = mergeHeaders(target.headers, passed);
      await opened(socket, { upstream, url: target.url, headers }, giveUp);
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
function opened(socket: WebSocket, asked: FailedRequest, signal: CancelSignal): Promise<void> {
  const { upstream } = asked;
  return new Promise((resolve, reject) => {
    const fail = (error: unknown) => {
      socket.terminate();
      reject(error);
    };
    // The listener also takes later errors, which would otherwise be uncaught.
    socket.on("error", (cause) => {
      fail(new SluiceError("UPSTREAM_CONNECT_FAILED", { upstream, reason: reasonOf(cause) }, { cause }));
    });
    socket.once(
      "unexpected-response",
      (_request, answer) => void firstText(answer).then((text) => fail(noHandshake(answer, text, asked))),
    );
    socket.once("open", resolve);
    signal.addEventListener("abort", () => fail(signal.reason), { once: true });
    if (signal.aborted) fail(signal.reason);
  });
}

/** The beginning of an answer's body. Never throws. */
async function firstText(answer: IncomingMessage): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  try {
    for await (const piece of answer) {
      text += decoder.decode(piece, { stream: true });
      if (text.length >= FAILURE_TEXT_BYTES) break;
    }
  } catch {
    // The beginning is enough.
  }
  return text;
}

/** The error for an answer in place of the handshake. */
function noHandshake(
  { statusCode: status = 0, headers }: IncomingMessage,
  text: string,
  asked: FailedRequest,
): SluiceError {
  const header = (name: string) => headers[name]?.toString() ?? null;
  const failure = failedAnswer({ status, header }, text, asked);
  if (failure.code === "UPSTREAM_AUTH_FAILED") return failure;
  const params = { upstream: asked.upstream, status, reason: "no WebSocket handshake" };
  return new SluiceError("UPSTREAM_HTTP_ERROR", params, { cause: failure.cause });
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
