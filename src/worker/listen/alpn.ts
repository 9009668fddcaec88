// Serves one HTTP version over TLS. Deno.serve always offers both versions by ALPN, and takes no listener. Deno's internals take one.
import { SluiceError } from "../../base/errors.ts";

export type ServeHandler = Deno.ServeHandler<Deno.NetAddr>;

export interface OneVersionOptions {
  readonly hostname: string;
  readonly port: number;
  readonly tcpBacklog: number;
  readonly cert: string;
  readonly key: string;
  readonly version: "1" | "2";
  readonly onError: (error: unknown) => Response;
}

/** The function that Deno.serve calls with its listener. It is the same in Deno 2.7 and 2.9, and not a public API. */
interface DenoInternals {
  serveHttpOnListener?: (
    listener: Deno.TlsListener,
    signal: AbortSignal | undefined,
    handler: ServeHandler,
    onError: (error: unknown) => Response,
    onListen: () => void,
  ) => Deno.HttpServer<Deno.NetAddr>;
}

const ALPN = { "1": ["http/1.1"], "2": ["h2"] } as const;

/** @throws {SluiceError} CANNOT_LISTEN if this version of Deno has no such function */
export function serveOneVersion(
  { hostname, port, tcpBacklog, cert, key, version, onError }: OneVersionOptions,
  handler: ServeHandler,
): { server: Deno.HttpServer<Deno.NetAddr>; addr: Deno.NetAddr } {
  const { internal } = Deno as unknown as { internal: symbol };
  const { serveHttpOnListener } = (Deno as unknown as Record<symbol, DenoInternals | undefined>)[internal] ??
    {};
  if (serveHttpOnListener === undefined) {
    const reason = `Deno ${Deno.version.deno} cannot restrict TLS to one HTTP version; use HTTP_VERSION=auto`;
    throw new SluiceError("CANNOT_LISTEN", { hostname, port, reason });
  }
  const listener = Deno.listenTls({
    hostname,
    port,
    reusePort: true,
    tcpBacklog,
    cert,
    key,
    alpnProtocols: [...ALPN[version]],
  });
  return {
    server: serveHttpOnListener(listener, undefined, handler, onError, () => {}),
    addr: listener.addr as Deno.NetAddr,
  };
}
