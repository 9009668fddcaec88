// The socket under a PostgreSQL connection: TCP, and the question whether the server takes TLS.
import { connect as connectTcp, type Socket } from "node:net";
import { type Clock, systemClock } from "../base/clock.ts";
import { reasonOf, SluiceError } from "../base/errors.ts";
import { unavailable } from "./postgres_errors.ts";
import { locationOf, type PostgresTarget } from "./postgres_url.ts";

/** PEM texts, and whether the server's certificate is checked; what `tls.connect` takes. */
export interface TlsOptions {
  readonly rejectUnauthorized: boolean;
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
}

export interface SocketOptions {
  readonly target: PostgresTarget;
  readonly tls: TlsOptions;
  readonly connectTimeoutMs: number;
  readonly clock?: Clock;
}

export interface OpenSocket {
  readonly socket: Socket;
  /** Start TLS on it? */
  readonly useTls: boolean;
}

/** SSLRequest: its length and the number that stands for it, https://www.postgresql.org/docs/current/protocol-message-formats.html */
const SSL_REQUEST = new Uint8Array([0, 0, 0, 8, 4, 210, 22, 47]);
const YES = 83; // "S"

/** @throws {SluiceError} STORE_CANNOT_OPEN when a file cannot be read */
export async function readTlsOptions({ tls, tlsFiles }: PostgresTarget): Promise<TlsOptions> {
  const options: Record<string, string> = {};
  for (const [name, path] of Object.entries(tlsFiles)) {
    if (path === null) continue;
    try {
      options[name] = await Deno.readTextFile(path);
    } catch (error) {
      throw new SluiceError("STORE_CANNOT_OPEN", { path, reason: reasonOf(error) }, { cause: error });
    }
  }
  return { ...options, rejectUnauthorized: tls === "verify-full" };
}

/** Connects, and asks for TLS where the URL wants or prefers it. @throws {SluiceError} STORE_UNAVAILABLE */
export async function openSocket(options: SocketOptions): Promise<OpenSocket> {
  const { target: { host, port, tls }, connectTimeoutMs, clock = systemClock } = options;
  const socket = connectTcp({ host, port });
  const timer = clock.setTimeout(
    () => socket.destroy(new Error(`no connection within ${connectTimeoutMs} ms (DB_CONNECT_TIMEOUT)`)),
    connectTimeoutMs,
  );
  try {
    await once(socket, "connect");
    socket.setNoDelay(true);
    // npm:postgres takes the name to check the certificate against from here.
    Object.assign(socket, { host });
    return { socket, useTls: tls !== "disable" && await takesTls(socket, options) };
  } catch (error) {
    socket.destroy();
    throw error instanceof SluiceError
      ? error
      : unavailable(locationOf(options.target), reasonOf(error), error);
  } finally {
    clock.clearTimeout(timer);
  }
}

async function takesTls(socket: Socket, { target }: SocketOptions): Promise<boolean> {
  socket.write(SSL_REQUEST);
  const [answer] = await once(socket, "data") as [Uint8Array];
  // More than the one byte would be somebody's attempt to slip words in before the encryption.
  if (answer.length === 1 && answer[0] === YES) return true;
  if (target.tls === "prefer" && answer.length === 1) return false;
  throw unavailable(locationOf(target), "the server does not take TLS, which sslmode asks for");
}

/** The next such event of the socket; fails when there is an error first, or an end. */
function once(socket: Socket, event: "connect" | "data"): Promise<unknown[]> {
  return new Promise((resolve, reject) => {
    const settle = (act: () => void) => {
      socket.off(event, onEvent).off("error", onError).off("close", onClose);
      act();
    };
    const onEvent = (...values: unknown[]) => settle(() => resolve(values));
    const onError = (error: unknown) => settle(() => reject(error));
    const onClose = () => settle(() => reject(new Error("the server closed the connection")));
    socket.on(event, onEvent).on("error", onError).on("close", onClose);
  });
}
