// Room `websocket`: a channel over a WebSocket, with one JSON text per text frame and subprotocol "mcp". The specification
// has no such transport, but several bridges do. `Transports` opens it.
import { isIP } from "node:net";
// @ts-types="npm:@types/ws@8.18.2"
import WebSocket from "ws";
import type { CancelSignal } from "../../base/cancellation.ts";
import { resolveHost } from "../../base/egress_guard.ts";
import { isError, reasonOf, SluiceError } from "../../base/errors.ts";
import { inTime } from "../resilience/deadline.ts";
import type { ExchangeOptions, HeaderList } from "../transport/transport.ts";
import type { Channel, OpenChannel, Receiver } from "../duplex/duplex_channel.ts";

export interface WebSocketTarget {
  readonly upstream: string;
  /** Scheme ws: or wss:. */
  readonly url: URL;
  readonly headers: HeaderList;
  readonly caCertificate?: string;
}

interface WebSocketOptions {
  readonly maxResponseBytes: number;
  readonly connectTimeoutMs: number;
  /** Checks whether this address of this host is allowed. @throws {SluiceError} EGRESS_DENIED */
  readonly checkAddress: (host: string, ip: string) => void;
}

/** Limit of unsent bytes. An upstream with more does not read at all. */
const MAX_UNSENT_BYTES = 16 * 1024 * 1024;

const NO_SUBPROTOCOL = "Server sent no subprotocol";

/** Time limit for the other side's closing handshake. */
const CLOSE_MS = 2_000;

export function openWebSocketChannel(target: WebSocketTarget, options: WebSocketOptions): OpenChannel {
  return async (passed, receiver, exchange) => {
    const { upstream } = target;
    let failure: unknown = new SluiceError("UPSTREAM_CONNECT_FAILED", {
      upstream,
      reason: "the host has no address",
    });
    for (const ip of await addressesOf(target)) {
      options.checkAddress(target.url.hostname, ip);
      for (const protocols of [["mcp"], []]) {
        try {
          const socket = connect(target, { ip, protocols, passed }, options);
          await opened(socket, upstream, exchange);
          return new WebSocketChannel(socket, upstream, receiver);
        } catch (error) {
          if (!isError(error, "UPSTREAM_CONNECT_FAILED")) throw error;
          failure = error;
          // A server without subprotocols chooses none, which the library treats as an error. The connection is retried
          // without one.
          if (error.params.reason !== NO_SUBPROTOCOL) break;
        }
      }
    }
    throw failure;
  };
}

/** Resolves the host once. The connection goes to a checked address, even if the name resolves differently later. */
async function addressesOf({ upstream, url }: WebSocketTarget): Promise<readonly string[]> {
  const host = url.hostname.replace(/^\[(.*)\]$/, "$1");
  if (isIP(host) !== 0) return [host];
  return await resolveHost(host).catch((cause) => {
    const reason = `the name "${host}" cannot be resolved`;
    throw new SluiceError("UPSTREAM_CONNECT_FAILED", { upstream, reason }, { cause });
  });
}

function connect(
  { upstream, url, headers, caCertificate }: WebSocketTarget,
  { ip, protocols, passed }: {
    readonly ip: string;
    readonly protocols: readonly string[];
    readonly passed: HeaderList;
  },
  { maxResponseBytes, connectTimeoutMs }: WebSocketOptions,
): WebSocket {
  const address = new URL(url);
  address.hostname = isIP(ip) === 6 ? `[${ip}]` : ip;
  // The name for the certificate check. The library passes it to node:tls, but its types lack it.
  const certifiedName = address.hostname === url.hostname ? {} : { servername: url.hostname };
  try {
    return new WebSocket(address, [...protocols], {
      headers: Object.fromEntries([...headers, ...passed, ["host", url.host]]),
      ...certifiedName,
      handshakeTimeout: connectTimeoutMs,
      maxPayload: maxResponseBytes,
      perMessageDeflate: false,
      ca: caCertificate,
    });
  } catch (cause) {
    throw new SluiceError("UPSTREAM_CONNECT_FAILED", { upstream, reason: reasonOf(cause) }, { cause });
  }
}

/** Resolves after the handshake. @throws {SluiceError} UPSTREAM_*, EGRESS_DENIED; the signal's reason */
async function opened(
  socket: WebSocket,
  upstream: string,
  { deadline, signal }: ExchangeOptions,
): Promise<void> {
  const open = (giveUp: CancelSignal) =>
    new Promise<void>((resolve, reject) => {
      const fail = (error: unknown) => {
        socket.terminate();
        reject(error);
      };
      // The listener also takes later errors, which would otherwise be uncaught.
      socket.on("error", (error) => fail(connectError(upstream, error)));
      socket.once("unexpected-response", (_request, { statusCode: status = 0 }) =>
        fail(
          status === 401 || status === 403
            ? new SluiceError("UPSTREAM_AUTH_FAILED", { upstream, status })
            : new SluiceError("UPSTREAM_HTTP_ERROR", { upstream, status, reason: "no WebSocket handshake" }),
        ));
      socket.once("open", resolve);
      giveUp.addEventListener("abort", () => fail(giveUp.reason), { once: true });
      if (giveUp.aborted) fail(giveUp.reason);
    });
  await inTime(deadline, { upstream, phase: "open a WebSocket", signal }, open);
}

/** Node's error codes for TLS faults. */
const TLS_FAULT = /CERT|ISSUER|SSL|TLS/;

function connectError(upstream: string, error: Error & { code?: string }): SluiceError {
  if (error instanceof SluiceError) return error;
  if (TLS_FAULT.test(error.code ?? "")) {
    return new SluiceError("UPSTREAM_TLS_FAILED", { upstream, reason: reasonOf(error) }, { cause: error });
  }
  return new SluiceError("UPSTREAM_CONNECT_FAILED", { upstream, reason: reasonOf(error) }, { cause: error });
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
