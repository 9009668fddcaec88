// A channel over a WebSocket: one JSON text per text frame, subprotocol "mcp". No transport of the spec, but of several bridges.
import { lookup } from "node:dns";
import { isIP } from "node:net";
// @ts-types="npm:@types/ws@8.18.2"
import WebSocket from "ws";
import { isError, reasonOf, SluiceError } from "../../base/errors.ts";
import type { ExchangeOptions, HeaderList } from "../connection.ts";
import type { Channel, OpenChannel, Receiver } from "../duplex/channel.ts";

export interface WebSocketTarget {
  readonly upstream: string;
  /** ws: or wss: */
  readonly url: URL;
  readonly headers: HeaderList;
  readonly caCertificate?: string;
}

interface WebSocketOptions {
  readonly maxResponseBytes: number;
  readonly connectTimeoutMs: number;
  /** May we connect to this address of this host? @throws {SluiceError} EGRESS_DENIED */
  readonly checkAddress: (host: string, ip: string) => void;
}

/** More than this that the other side has not taken, bytes: it does not read at all. */
const MAX_UNSENT_BYTES = 16 * 1024 * 1024;

const NO_SUBPROTOCOL = "Server sent no subprotocol";

/** The other side's part of the closing handshake may take so long. */
const CLOSE_MS = 2_000;

export function openWebSocketChannel(target: WebSocketTarget, options: WebSocketOptions): OpenChannel {
  return async (passed, receiver, exchange) => {
    const open = async (protocols: readonly string[]) => {
      const socket = connect(target, { protocols, passed }, options);
      await opened(socket, target.upstream, exchange);
      return new WebSocketChannel(socket, target.upstream, receiver);
    };
    // A server that knows no subprotocols chooses none, which the library holds against it.
    return await open(["mcp"]).catch((error) => {
      if (isError(error, "UPSTREAM_CONNECT_FAILED") && error.params.reason === NO_SUBPROTOCOL) {
        return open([]);
      }
      throw error;
    });
  };
}

function connect(
  { upstream, url, headers, caCertificate }: WebSocketTarget,
  { protocols, passed }: { readonly protocols: readonly string[]; readonly passed: HeaderList },
  { maxResponseBytes, connectTimeoutMs, checkAddress }: WebSocketOptions,
): WebSocket {
  // A literal address is not looked up.
  const host = url.hostname.replace(/^\[(.*)\]$/, "$1");
  if (isIP(host) !== 0) checkAddress(host, host);
  try {
    return new WebSocket(url, [...protocols], {
      headers: Object.fromEntries([...headers, ...passed]),
      handshakeTimeout: connectTimeoutMs,
      maxPayload: maxResponseBytes,
      perMessageDeflate: false,
      ca: caCertificate,
      // The address that is really connected to is checked, not one that the name had before.
      lookup: (name, lookupOptions, done) =>
        lookup(name, lookupOptions, (error, found, family) => {
          if (error !== null) return done(error, found, family);
          try {
            for (const ip of Array.isArray(found) ? found.map(({ address }) => address) : [found]) {
              checkAddress(name, String(ip));
            }
          } catch (denied) {
            return done(denied as Error, found, family);
          }
          done(null, found, family);
        }),
    });
  } catch (cause) {
    throw new SluiceError("UPSTREAM_CONNECT_FAILED", { upstream, reason: reasonOf(cause) }, { cause });
  }
}

/** Resolves when the handshake is done. @throws {SluiceError} UPSTREAM_*, EGRESS_DENIED; the signal's reason */
function opened(socket: WebSocket, upstream: string, { deadline, signal }: ExchangeOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    const { ms: timeoutMs, setting } = deadline;
    const fail = (error: unknown) => {
      done();
      socket.terminate();
      reject(error);
    };
    const cancel = () => fail(signal!.reason);
    const expire = () =>
      fail(new SluiceError("UPSTREAM_TIMEOUT", { upstream, phase: "open a WebSocket", timeoutMs, setting }));
    const timer = setTimeout(expire, Math.max(0, deadline.at - Date.now()));
    const done = () => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", cancel);
    };
    // Also takes what comes after the failure, which would otherwise be thrown at nobody.
    socket.on("error", (error) => fail(connectError(upstream, error)));
    socket.once("unexpected-response", (_request, { statusCode: status = 0 }) =>
      fail(
        status === 401 || status === 403
          ? new SluiceError("UPSTREAM_AUTH_FAILED", { upstream, status })
          : new SluiceError("UPSTREAM_HTTP_ERROR", { upstream, status, reason: "it opens no WebSocket" }),
      ));
    socket.once("open", () => {
      done();
      resolve();
    });
    signal?.addEventListener("abort", cancel, { once: true });
    if (signal?.aborted) cancel();
  });
}

/** Node's codes where TLS came to an opinion: of the certificate, or of what is no TLS. */
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
      // Beyond maxPayload; the socket is closed for it.
      if (error.code === "WS_ERR_UNSUPPORTED_MESSAGE_LENGTH") receiver.lost();
    });
    socket.on("close", (code) => receiver.ended(`it has closed the WebSocket (${code})`));
  }

  send(text: string): Promise<void> {
    if (this.#socket.bufferedAmount + text.length > MAX_UNSENT_BYTES) {
      this.#receiver.ended("it does not read what it is sent");
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
