// The socket of a PostgreSQL connection, and its TLS options.
import { connect as connectTcp, type Socket } from "node:net";
import { type Clock, systemClock } from "../../base/clock.ts";
import { reasonOf, SluiceError } from "../../base/errors.ts";
import { readFault } from "../../base/file_error.ts";
import { NO_TLS, unavailable } from "./postgres_errors.ts";
import { locationOf, type PostgresTarget, type TlsMode } from "./postgres_url.ts";

/** Options of `tls.connect`: PEM texts, and whether the server's certificate is verified. */
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

/** The server's answer to a TLS request, if it does not support TLS. */
const NO = 78; // "N"

/** @throws {SluiceError} STORE_CANNOT_OPEN if a file cannot be read */
export async function readTlsOptions(target: PostgresTarget): Promise<TlsOptions> {
  const { tls, tlsFiles } = target;
  const options: Record<string, string> = {};
  for (const [name, path] of Object.entries(tlsFiles)) {
    if (path === null) continue;
    try {
      options[name] = await Deno.readTextFile(path);
    } catch (error) {
      const reason = `ssl${name === "ca" ? "rootcert" : name} ${path} cannot be read: ${readFault(error)}`;
      throw new SluiceError("STORE_CANNOT_OPEN", { path: locationOf(target), reason }, { cause: error });
    }
  }
  return { ...options, rejectUnauthorized: tls === "verify-full" };
}

/** Connects. npm:postgres then starts TLS on the socket. @throws {SluiceError} STORE_UNAVAILABLE */
export async function openSocket(options: SocketOptions): Promise<Socket> {
  const { target: { host, port }, connectTimeoutMs, clock = systemClock } = options;
  const socket = connectTcp({ host, port });
  const timer = clock.setTimeout(
    () => socket.destroy(new Error(`no connection within ${connectTimeoutMs} ms (DB_CONNECT_TIMEOUT)`)),
    connectTimeoutMs,
  );
  try {
    await connected(socket);
    socket.setNoDelay(true);
    // npm:postgres verifies the certificate against this name.
    Object.assign(socket, { host });
    return socket;
  } catch (error) {
    socket.destroy();
    throw unavailable(locationOf(options.target), reasonOf(error), error);
  } finally {
    clock.clearTimeout(timer);
  }
}

/**
 * Calls `onFailed` with the reason when the socket fails. The listeners are added again after npm:postgres starts TLS, which
 * removes them: an error without a listener would end the worker.
 */
export function watchSocket(socket: Socket, tls: TlsMode, onFailed: (reason: string) => void): void {
  const listen = () =>
    socket
      .on("error", (error) => onFailed(reasonOf(error)))
      .on("close", () => onFailed("the server closed the connection"));
  listen();
  if (tls === "disable") return;
  socket.once("data", (answer: Uint8Array) => {
    // npm:postgres would continue without TLS, and fail with an error that does not tell the cause.
    if (answer[0] === NO && tls !== "prefer") {
      onFailed(NO_TLS);
    } else setTimeout(listen, 0);
  });
}

function connected(socket: Socket): Promise<void> {
  return new Promise((resolve, reject) => {
    const settle = (act: () => void) => {
      socket.off("connect", onConnect).off("error", onError).off("close", onClose);
      act();
    };
    const onConnect = () => settle(resolve);
    const onError = (error: unknown) => settle(() => reject(error));
    const onClose = () => settle(() => reject(new Error("the server closed the connection")));
    socket.on("connect", onConnect).on("error", onError).on("close", onClose);
  });
}
