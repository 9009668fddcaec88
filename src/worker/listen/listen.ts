// Room `listen`: the port of a worker: HTTP/1.1 and HTTP/2, with TLS or without. `main.ts` calls `listen`; no other room knows
// connections.
//
// This file opens the listeners, and replaces them when the certificate changes.
import { SluiceError } from "../../base/errors.ts";
import type { Config } from "../../config/schema.ts";
import { restErrorResponse } from "../../http/error_response.ts";
import type { Handle } from "../../http/handler.ts";
import { pathOf } from "../../http/request_path.ts";
import { type ServeHandler, serveOneVersion } from "./alpn.ts";
import { readKeyPair, type TlsConfig } from "./certificate.ts";
import { listenFault } from "./listen_fault.ts";
import { FORWARD_PATH } from "../../cluster/forward_client.ts";
import { RequestsUnderWay } from "./requests_under_way.ts";

export type ListenConfig =
  & Pick<Config, "host" | "port" | "backlog" | "httpVersion" | "ssl">
  & TlsConfig;

export interface ListenHooks {
  /** The response to a fault of the HTTP server itself, e.g. a client that broke off. */
  readonly onError: (error: unknown) => Response;
  /** The worker cannot accept connections, usually for lack of descriptors. Those that are open go on; it listens again soon. */
  readonly onAcceptFailed: (error: unknown) => void;
  readonly onListeningAgain: () => void;
}

/** Time after a failed accept until the worker listens again. Descriptors become free meanwhile. */
const LISTEN_AGAIN_MS = 200;

export interface Listening {
  readonly addr: Deno.NetAddr;
  /** The remote ports of connections whose response is not complete. */
  busyPeerPorts(): number[];
  /** The requests of these clients that are under way. @param peers as peerName() writes them */
  requestsOf(peers: readonly string[]): Request[];
  /**
   * Reads CERT_FILE and KEY_FILE again, and opens a listener with them beside the old one. The old listener accepts connections
   * until closeRetired(), and asks its clients to close theirs. Does nothing without SSL.
   * @throws {SluiceError} CERTIFICATE_UNUSABLE, CANNOT_LISTEN; the old certificate stays in use
   */
  reloadCertificate(): Promise<void>;
  /** Closes the listeners of earlier certificates and their idle connections. Requests under way on others are finished. */
  closeRetired(): void;
  /** From now on every response asks the client to close the connection. */
  retire(): void;
  /** Accepts no more connections and closes idle ones. Resolves when every request has its response. */
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
  let isRetiring = false;
  let isShutDown = false;
  let hasFailed = false;
  const open = async (port: number): Promise<Server> => {
    const server = await openServer({ ...config, port }, handle, underWay, hooks);
    serving.add(server);
    server.failed.then((error) => {
      if (isShutDown || server.retiring && !isRetiring) return;
      hasFailed = true;
      hooks.onAcceptFailed(error);
      void listenAgain();
    });
    return server;
  };
  const listenAgain = async () => {
    while (!isShutDown) {
      await new Promise((resolve) => setTimeout(resolve, LISTEN_AGAIN_MS));
      try {
        current = await open(addr.port);
      } catch {
        // Descriptors are still short.
        continue;
      }
      current.retiring = isRetiring;
      // Too late: nobody else would close it.
      if (isShutDown) void current.shutdown();
      else hooks.onListeningAgain();
      return;
    }
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
      isRetiring = true;
      for (const server of serving) server.retiring = true;
    },
    shutdown: async () => {
      isShutDown = true;
      await Promise.all([...serving].map((server) => server.shutdown()));
      // The connections of a server that has failed go on without it.
      if (hasFailed) await underWay.whenNone();
    },
  };
}

interface Server {
  readonly addr: Deno.NetAddr;
  /** Its responses ask the client to close the connection. */
  retiring: boolean;
  /** Resolves with the reason if the server takes no more connections, though nobody told it. */
  readonly failed: Promise<unknown>;
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
    // A server that has failed has nothing to shut down.
    shutdown: () => stopped ??= opened.server.shutdown().catch(() => {}),
  };
  const opened = startServer();
  const failed = new Promise<unknown>((resolve) => void opened.server.finished.catch(resolve));
  return Object.assign(state, { addr: opened.addr, failed });

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
 * Answers requests of the other version with 505. Deno tells a handler no version. An HTTP/1.1 request has a Host header, an HTTP/2
 * request has `:authority` in its place, so a client that sends both over HTTP/2 counts as HTTP/1.1. Requests of other replicas are
 * exempt: they always use HTTP/1.1.
 */
function onlyVersion(version: "1" | "2", handle: Handle): Handle {
  return (request, info) => {
    const isHttp1 = request.headers.has("host");
    const isServed = isHttp1 === (version === "1");
    if (isServed || isHttp1 && pathOf(request.url) === FORWARD_PATH) return handle(request, info);
    const error = new SluiceError("HTTP_VERSION_REFUSED", { served: version });
    return Promise.resolve(restErrorResponse({ error, correlationId: crypto.randomUUID() }));
  };
}

function closing(response: Response): Response {
  // A WebSocket has left the server.
  if (response.status !== 101) response.headers.set("connection", "close");
  return response;
}
