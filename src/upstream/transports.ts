// Creates the transport of each registered upstream, and holds the options that all transports need.
import { BoundedMap } from "../base/bounded_map.ts";
import type { Clock } from "../base/clock.ts";
import type { Log } from "../telemetry/log.ts";
import type { GatewayRow } from "../store/registry/rows.ts";
import type { Authorization } from "./authorization/upstream_logins.ts";
import type { HeaderList, TransportKind, UpstreamTransport } from "./transport/transport.ts";
import type { OpenChannel } from "./duplex/duplex_channel.ts";
import type { DuplexConnection } from "./duplex/duplex_connection.ts";
import { DuplexTransport, type DuplexTransportOptions } from "./duplex/duplex_transport.ts";
import type { ConnectSocket, HttpClient } from "./http_client/http_client.ts";
import { Addresses } from "./http_client/redirects.ts";
import { HttpTransport } from "./streamable_http/http_transport.ts";
import { openSseChannel } from "./sse/sse_channel.ts";
import { readLaunch } from "./stdio/launch.ts";
import type { StdioProcesses } from "./stdio/processes.ts";
import type { Handshakes } from "./websocket/websocket_channel.ts";

/** The address of an upstream and its fixed headers. Contains credentials: must not be logged. */
export interface TransportTarget {
  readonly transport: GatewayRow["transport"];
  /** The upstream's name in errors and logs. */
  readonly upstream: string;
  readonly url: URL;
  readonly headers: HeaderList;
  readonly caCertificate?: string;
  /** The login of an upstream that wants OAuth, over HTTP. */
  readonly authorization?: Authorization;
  /** For WEBSOCKET, if the credentials refer to secrets. */
  readonly handshakes?: Handshakes;
  /** Environment variables of the process, for STDIO. */
  readonly env?: Readonly<Record<string, string>>;
  /** See `StdioUpstream`. */
  readonly readEnv?: () => Promise<Readonly<Record<string, string>>>;
  /** The operator's own file names the command (MCP_CONFIG). */
  readonly isOwn?: boolean;
}

export interface TransportsOptions {
  readonly client: HttpClient;
  /** Headers of every request over HTTP, unless the upstream's credentials or the caller bring their own. */
  readonly agentHeaders: HeaderList;
  readonly processes: StdioProcesses;
  readonly maxResponseBytes: number;
  /** STDIO_IDLE_TIMEOUT; Infinity: never. */
  readonly stdioIdleMs: number;
  /** Idle time after which a shared event stream or WebSocket is closed; MCP_SESSION_POOL_IDLE_EVICTION. */
  readonly sharedIdleMs: number;
  /** Time limit for opening a connection without a session: MCP_SESSION_POOL_CREATE_TIMEOUT, for a process STDIO_START_TIMEOUT. */
  readonly openTimeoutMs: number;
  readonly stdioStartTimeoutMs: number;
  /** For WebSockets. */
  readonly connect: ConnectSocket;
  readonly clock: Clock;
  readonly log: Log;
  readonly countStray: (transport: string) => void;
}

/** Silence between calls after which the other side of a stream is pinged. */
const PING_AFTER_MS = 30_000;

export class Transports {
  readonly #options: TransportsOptions;
  readonly #connections = new Set<DuplexConnection>();
  readonly #addresses = new Addresses();
  /** The latest tolerated fault of each upstream. */
  readonly #toldOf = new BoundedMap<string, string>({ maxEntries: 1_000 });

  constructor(options: TransportsOptions) {
    this.#options = options;
  }

  /** The number of open connections other than streamable HTTP. */
  get connectionCount(): number {
    return this.#connections.size;
  }

  make(target: TransportTarget): UpstreamTransport {
    const {
      client,
      agentHeaders,
      processes,
      maxResponseBytes,
      sharedIdleMs,
      stdioIdleMs,
      openTimeoutMs,
      stdioStartTimeoutMs,
    } = this.#options;
    const openLimit = { ms: openTimeoutMs, setting: "MCP_SESSION_POOL_CREATE_TIMEOUT" };
    const { upstream, url, authorization } = target;
    const ownClient = authorization?.over(client) ?? client;
    switch (target.transport) {
      case "STREAMABLEHTTP":
        return new HttpTransport({
          client: ownClient,
          target,
          maxResponseBytes,
          agentHeaders,
          address: this.#addresses.of(url),
          onStray: this.#strayOf("streamable-http", upstream),
          tolerated: (what) => this.#tolerated(upstream, what),
        });
      case "SSE":
        return this.#duplex("sse", target, url.href, {
          open: openSseChannel(target, {
            ...this.#options,
            client: ownClient,
            address: this.#addresses.of(url),
          }),
          openLimit,
          idleMs: Infinity,
          sharedIdleMs,
          pingAfterMs: PING_AFTER_MS,
        });
      case "WEBSOCKET":
        return this.#duplex("websocket", target, url.href, {
          open: webSocketOpener(target, this.#options),
          openLimit,
          idleMs: Infinity,
          sharedIdleMs,
          pingAfterMs: PING_AFTER_MS,
        });
      case "STDIO": {
        const { env = {}, readEnv, isOwn = false } = target;
        const open = processes.opener({ name: upstream, launch: readLaunch(url), env, readEnv, isOwn });
        // The address includes the name, because two registrations of one command may differ in their variables and fail
        // separately.
        const address = `${url.href}#${encodeURIComponent(upstream)}`;
        return this.#duplex("stdio", target, address, {
          open,
          openLimit: { ms: stdioStartTimeoutMs, setting: "STDIO_START_TIMEOUT" },
          idleMs: stdioIdleMs,
          sharedIdleMs: stdioIdleMs,
          pingAfterMs: Infinity,
        });
      }
    }
  }

  /** Closes all connections and processes of this worker. Resolves when no process is left. */
  async close(): Promise<void> {
    await Promise.all([...this.#connections].map((connection) => connection.close()));
    await this.#options.processes.idle();
  }

  #duplex(
    kind: DuplexTransportOptions["kind"],
    { upstream }: TransportTarget,
    address: string,
    rest: Pick<DuplexTransportOptions, "open" | "openLimit" | "idleMs" | "sharedIdleMs" | "pingAfterMs">,
  ): DuplexTransport {
    const { maxResponseBytes, clock } = this.#options;
    return new DuplexTransport({
      ...rest,
      kind,
      upstream,
      address,
      maxResponseBytes,
      clock,
      connections: this.#connections,
      onStray: this.#strayOf(kind, upstream),
      tolerated: (what) => this.#tolerated(upstream, what),
    });
  }

  /** Each session of the upstream has the fault, so it is logged once. */
  #tolerated(upstream: string, what: string): void {
    if (this.#toldOf.get(upstream) === what) return;
    this.#toldOf.set(upstream, what);
    this.#options.log.warning("upstream has a fault that the gateway tolerates", { upstream, what });
  }

  #strayOf(kind: TransportKind, upstream: string): (what: string) => void {
    const { log, countStray } = this.#options;
    return (what) => {
      countStray(kind);
      log.debug("stray message from upstream", { upstream, what });
    };
  }
}

/** The library is loaded on first use, since most workers never need it. */
function webSocketOpener(target: TransportTarget, options: TransportsOptions): OpenChannel {
  return async (...session) => {
    const { openWebSocketChannel } = await import("./websocket/websocket_channel.ts");
    return await openWebSocketChannel(target, options)(...session);
  };
}
