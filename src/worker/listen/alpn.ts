// Serves one HTTP version over TLS. Deno.serve always offers both by ALPN and takes no listener of one's own; Deno's internals do.
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

/** What Deno.serve itself calls with its listener: the same in 2.7 and 2.9, promised by neither. */
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

/** @throws {SluiceError} CANNOT_LISTEN where this Deno has no way to do it */
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
