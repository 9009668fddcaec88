// Listens on the shared port: HTTP/1.1 and HTTP/2, with TLS or without, and takes a new certificate while it serves.
import { SluiceError } from "../../base/errors.ts";
import type { Config } from "../../config/schema.ts";
import { restErrorResponse } from "../../http/error_response.ts";
import type { Handle } from "../../http/handler.ts";
import { type ServeHandler, serveOneVersion } from "./alpn.ts";
import { readKeyPair, type TlsConfig } from "./certificate.ts";
import { listenFault } from "./listen_fault.ts";
import { FORWARD_PATH } from "../../cluster/forward_client.ts";
import { RequestsUnderWay } from "./requests_under_way.ts";

export type ListenConfig =
  & Pick<Config, "host" | "port" | "backlog" | "httpVersion" | "ssl">
  & TlsConfig;

export interface ListenHooks {
  /** A fault of the HTTP server itself, e.g. a client that broke off. */
  readonly onError: (error: unknown) => Response;
}

export interface Listening {
  readonly addr: Deno.NetAddr;
  /** The remote ports of connections that wait for an answer, or for the rest of one. */
  busyPeerPorts(): number[];
  /** What is under way for these clients. @param peers as peerName() names them */
  requestsOf(peers: readonly string[]): Request[];
  /**
   * Reads CERT_FILE and KEY_FILE again, and listens with what they hold, beside the old listener: that takes connections, too,
   * until closeRetired(), and asks its clients to close theirs. Without SSL it does nothing.
   * @throws {SluiceError} CERTIFICATE_UNUSABLE, CANNOT_LISTEN: the old certificate is served on
   */
  reloadCertificate(): Promise<void>;
  /** Closes the listeners of earlier certificates, and their idle connections; requests under way there go on. */
  closeRetired(): void;
  /** From now on every answer asks for its connection to be closed. */
  retire(): void;
  /** Takes no more connections, closes idle ones; resolves when every request has its answer. */
  shutdown(): Promise<void>;
}

/** @throws {SluiceError} CERTIFICATE_UNUSABLE, CANNOT_LISTEN */
export async function listen(
  config: ListenConfig,
  handle: Handle,
  hooks: ListenHooks,
): Promise<Listening> {
  const underWay = new RequestsUnderWay();
  const serving = new Set<Server>();
  const open = async (port: number): Promise<Server> => {
    const server = await openServer({ ...config, port }, handle, underWay, hooks);
    serving.add(server);
    return server;
  };
  let current = await open(config.port);
  const { addr } = current;

  return {
    addr,
    busyPeerPorts: () => underWay.peerPorts(),
    requestsOf: (peers) => underWay.requestsOf(peers),
    reloadCertificate: async () => {
      if (!config.ssl) return;
      const previous = current;
      current = await open(addr.port);
      previous.retiring = true;
    },
    closeRetired: () => {
      for (const server of serving) {
        if (server.retiring) void server.shutdown().finally(() => serving.delete(server));
      }
    },
    retire: () => {
      for (const server of serving) server.retiring = true;
    },
    shutdown: async () => void await Promise.all([...serving].map((server) => server.shutdown())),
  };
}

interface Server {
  readonly addr: Deno.NetAddr;
  /** Its answers ask for the connection to be closed. */
  retiring: boolean;
  shutdown(): Promise<void>;
}

async function openServer(
  config: ListenConfig,
  handle: Handle,
  underWay: RequestsUnderWay,
  { onError }: ListenHooks,
): Promise<Server> {
  const { host: hostname, port, backlog: tcpBacklog, httpVersion } = config;
  const keyPair = config.ssl ? await readKeyPair(config) : null;
  const serve = httpVersion === "auto" ? handle : onlyVersion(httpVersion, handle);
  const handler: ServeHandler = (request, info) => {
    underWay.add(request, info);
    const answer = serve(request, info);
    return state.retiring ? answer.then(closing) : answer;
  };
  let stopped: Promise<void> | null = null;
  const state = {
    retiring: false,
    shutdown: () => stopped ??= opened.server.shutdown(),
  };
  const opened = startServer();
  return Object.assign(state, { addr: opened.addr });

  function startServer(): { server: Deno.HttpServer<Deno.NetAddr>; addr: Deno.NetAddr } {
    try {
      if (keyPair !== null && httpVersion !== "auto") {
        const { cert, key } = keyPair;
        return serveOneVersion(
          { hostname, port, tcpBacklog, cert, key, version: httpVersion, onError },
          handler,
        );
      }
      const options = { hostname, port, reusePort: true, tcpBacklog, onListen: () => {}, onError };
      const server = keyPair === null
        ? Deno.serve(options, handler)
        : Deno.serve({ ...options, cert: keyPair.cert, key: keyPair.key }, handler);
      return { server, addr: server.addr };
    } catch (cause) {
      if (cause instanceof SluiceError) throw cause;
      const reason = listenFault(cause, { hostname, port });
      throw new SluiceError("CANNOT_LISTEN", { hostname, port, reason }, { cause });
    }
  }
}

/**
 * Answers requests of the other version with 505. Deno tells a handler no version, but an HTTP/1.1 request must have a Host
 * header, and one of HTTP/2 has `:authority` in its place: a client that sends both over HTTP/2 passes for HTTP/1. What other
 * replicas hand on comes by HTTP/1.1 whatever clients speak.
 */
function onlyVersion(version: "1" | "2", handle: Handle): Handle {
  return (request, info) => {
    const isHttp1 = request.headers.has("host");
    const isServed = isHttp1 === (version === "1");
    if (isServed || isHttp1 && new URL(request.url).pathname === FORWARD_PATH) return handle(request, info);
    const error = new SluiceError("HTTP_VERSION_REFUSED", { served: version });
    return Promise.resolve(restErrorResponse({ error, correlationId: crypto.randomUUID() }));
  };
}

function closing(response: Response): Response {
  // A WebSocket is no longer the server's to close.
  if (response.status !== 101) response.headers.set("connection", "close");
  return response;
}
