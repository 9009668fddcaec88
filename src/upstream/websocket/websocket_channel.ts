// Room `websocket`: a channel over a WebSocket, with one JSON text per text frame and subprotocol "mcp". The specification
// has no such transport, but several bridges do. `Transports` opens it.
// @ts-types="npm:@types/ws@8.18.2"
import WebSocket, { type RawData } from "ws";
import type { IncomingMessage } from "node:http";
import type { CancelSignal } from "../../base/cancellation.ts";
import { Arrival } from "../../base/arrival.ts";
import { isError, reasonOf, SluiceError } from "../../base/errors.ts";
import type { ConnectionHolder } from "../../base/sharing/caller.ts";
import type { MemoryOwner } from "../../base/sharing/client_memory.ts";
import { LARGE_BYTES, loopTurns } from "../../base/sharing/loop_turns.ts";
import { SocketStream } from "../dial/socket.ts";
import { failedAnswer, type FailedRequest, FAILURE_TEXT_BYTES } from "../http_client/failed_answer.ts";
import type { ConnectSocket } from "../http_client/http_client.ts";
import { inTime } from "../resilience/deadline.ts";
import { mergeHeaders } from "../transport/merge_headers.ts";
import type { HeaderList } from "../transport/transport.ts";
import { withoutSecretsOf } from "../transport/without_secrets.ts";
import { type Channel, type OpenChannel, ownerOf, type Receiver } from "../duplex/duplex_channel.ts";

/** What the request for a WebSocket has of an upstream's registration. */
export interface Handshake {
  /** Scheme ws: or wss:. */
  readonly url: URL;
  readonly headers: HeaderList;
}

/** Handshakes of an upstream whose credentials refer to secrets. */
export interface Handshakes {
  /** @throws {SluiceError} UPSTREAM_LOGIN_FAILED */
  current(): Promise<Handshake>;
  /**
   * After the upstream has refused `used`.
   * @returns null if the secrets are the same
   * @throws {SluiceError} UPSTREAM_LOGIN_FAILED
   */
  afterRefusal(used: Handshake): Promise<Handshake | null>;
}

export interface WebSocketTarget extends Handshake {
  readonly upstream: string;
  readonly caCertificate?: string;
  /** In place of `url` and `headers`, which have references to secrets; undefined: they have none. */
  readonly handshakes?: Handshakes;
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
  return async (passed, receiver, exchange) => {
    const { deadline, signal } = exchange;
    const { upstream, caCertificate, handshakes } = target;
    const open = async (
      { url, headers }: Handshake,
      giveUp: CancelSignal,
      protocols: readonly string[] = ["mcp"],
    ): Promise<Channel> => {
      const { socket, stream } = await connect({ upstream, caCertificate, url, headers }, options, {
        protocols,
        passed,
        signal: giveUp,
        holder: exchange.isShared ? undefined : exchange.caller,
      });
      const asked = { upstream, url, headers: mergeHeaders(headers, passed) };
      try {
        await opened(socket, asked, giveUp);
      } catch (error) {
        // A server without subprotocols chooses none, which the library treats as an error. The connection is retried
        // without one.
        const isUnnamed = isError(error, "UPSTREAM_CONNECT_FAILED") && error.params.reason === NO_SUBPROTOCOL;
        if (!isUnnamed || protocols.length === 0) throw error;
        return await open({ url, headers }, giveUp, []);
      }
      return new WebSocketChannel(socket, { stream, asked, receiver, owner: ownerOf(exchange) });
    };
    return await inTime(deadline, { upstream, phase: "open a WebSocket", signal }, async (giveUp) => {
      if (handshakes === undefined) return await open(target, giveUp);
      const used = await handshakes.current();
      try {
        return await open(used, giveUp);
      } catch (error) {
        const next = isError(error, "UPSTREAM_AUTH_FAILED") ? await handshakes.afterRefusal(used) : null;
        if (next === null) throw error;
        return await open(next, giveUp);
      }
    });
  };
}

async function connect(
  { upstream, url, headers, caCertificate }: WebSocketTarget,
  { maxResponseBytes, connect, agentHeaders }: WebSocketOptions,
  { protocols, passed, signal, holder }: {
    readonly protocols: readonly string[];
    readonly passed: HeaderList;
    readonly signal: CancelSignal;
    readonly holder: ConnectionHolder | undefined;
  },
): Promise<{ readonly socket: WebSocket; readonly stream: SocketStream }> {
  const stream = new SocketStream(await connect(url, { upstream, signal, caCertificate, holder }));
  try {
    // The socket has TLS already if the URL wants it.
    const socket = new WebSocket(url.href.replace(/^wss:/, "ws:"), [...protocols], {
      headers: Object.fromEntries([...mergeHeaders(agentHeaders, headers, passed), ["host", url.host]]),
      createConnection: () => stream,
      maxPayload: maxResponseBytes,
      perMessageDeflate: false,
    });
    return { socket, stream };
  } catch (cause) {
    stream.destroy();
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

interface WebSocketChannelOptions {
  readonly stream: SocketStream;
  readonly asked: FailedRequest;
  readonly receiver: Receiver;
  /** For whom a message counts while it arrives, and whose turn it has to be before a large one is parsed; undefined: nobody. */
  readonly owner: MemoryOwner | undefined;
}

class WebSocketChannel implements Channel {
  readonly #socket: WebSocket;
  readonly #asked: FailedRequest;
  readonly #receiver: Receiver;
  readonly #owner: MemoryOwner | undefined;
  readonly #arrival: Arrival;
  /** Bytes since the last message that was received. The library keeps them, or they wait for their turn. */
  #arrived = 0;
  /** Messages that wait for the turn of the first of them. Meanwhile the socket is not read. */
  readonly #waiting: RawData[] = [];

  constructor(socket: WebSocket, { stream, asked, receiver, owner }: WebSocketChannelOptions) {
    this.#socket = socket;
    this.#asked = asked;
    this.#receiver = receiver;
    this.#owner = owner;
    this.#arrival = new Arrival(owner);
    stream.onBytes = (count) => this.#count(count);
    socket.on("message", (data) => this.#take(data));
    socket.on("error", (error: Error & { code?: string }) => {
      // The message exceeded maxPayload; the library closes the socket.
      if (error.code === "WS_ERR_UNSUPPORTED_MESSAGE_LENGTH") receiver.lost();
    });
    socket.on("close", (code) => {
      // A read may still be under way.
      stream.onBytes = () => {};
      this.#arrival.end();
      receiver.ended(`the upstream closed the WebSocket (${code})`);
    });
  }

  #count(bytes: number): void {
    this.#arrived += bytes;
    try {
      this.#arrival.keeps(this.#arrived);
    } catch (error) {
      this.#receiver.lost(undefined, error as SluiceError);
      this.#socket.terminate();
    }
  }

  #take(data: RawData): void {
    if (this.#waiting.length === 0 && !isLarge(data)) {
      this.#countNoMore();
      return this.#receiver.receive(String(data));
    }
    this.#waiting.push(data);
    if (this.#waiting.length > 1) return;
    this.#socket.pause();
    void this.#receiveInTurns();
  }

  async #receiveInTurns(): Promise<void> {
    for (let data = this.#waiting[0]; data !== undefined; data = this.#waiting[0]) {
      if (isLarge(data)) await loopTurns.next(this.#owner ?? this);
      this.#receiver.receive(String(data));
      this.#waiting.shift();
    }
    this.#countNoMore();
    this.#socket.resume();
  }

  #countNoMore(): void {
    this.#arrived = 0;
    this.#arrival.end();
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

  withoutSecrets(text: string): string {
    return withoutSecretsOf(this.#asked.url, this.#asked.headers, text);
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
    return new SluiceError("UPSTREAM_CLOSED", { upstream: this.#asked.upstream, sent }, { cause });
  }
}

/** The library gives each message as one buffer. */
function isLarge(data: RawData): boolean {
  return (data as Uint8Array).length > LARGE_BYTES;
}
