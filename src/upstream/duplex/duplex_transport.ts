// Room `duplex`: connections over ordered channels, used by stdio, SSE and WebSocket upstreams. Those rooms provide an
// `OpenChannel`.
// This file is the transport. Each session has a channel of its own; calls without a session share channels. No connection
// can leave its worker.
import type { Clock } from "../../base/clock.ts";
import { SluiceError } from "../../base/errors.ts";
import { STATELESS_REVISION } from "../../mcp/revisions.ts";
import type {
  ConnectOptions,
  Greeting,
  HeaderList,
  OnMessage,
  TransportKind,
  UpstreamConnection,
  UpstreamTransport,
} from "../transport/transport.ts";
import type { OpenChannel } from "./duplex_channel.ts";
import { DuplexConnection } from "./duplex_connection.ts";
import type { Dialect } from "./dialect.ts";
import { SessionDialect } from "./session_dialect.ts";
import { StatelessDialect } from "./stateless_dialect.ts";
import type { IdleLimits } from "./idle_watch.ts";
import type { TimeLimit } from "../resilience/deadline.ts";
import { SharedConnection } from "./shared_connection.ts";

export interface DuplexTransportOptions extends IdleLimits {
  readonly kind: TransportKind;
  readonly upstream: string;
  readonly address: string;
  readonly maxResponseBytes: number;
  /** Idle time after which a shared channel is closed, ms; Infinity: never. */
  readonly sharedIdleMs: number;
  /** Time limit for opening a channel without a session. */
  readonly openLimit: TimeLimit;
  readonly clock: Clock;
  readonly open: OpenChannel;
  readonly onStray: (what: string) => void;
  /** See `UpstreamTransport.tolerated`. */
  readonly tolerated?: (what: string) => void;
  /** All open connections of the worker, over any transport. The worker closes them when it ends. */
  readonly connections: Set<DuplexConnection>;
}

export class DuplexTransport implements UpstreamTransport {
  readonly kind: TransportKind;
  readonly upstream: string;
  readonly address: string;
  readonly tolerated: ((what: string) => void) | undefined;
  readonly #options: DuplexTransportOptions;
  /** Sessions. Their openers retire them. */
  readonly #sessions = new Set<DuplexConnection>();
  /** Connections of calls without a session. */
  readonly #lines = new Set<DuplexConnection>();
  #isRetired = false;
  #isClosed = false;

  constructor(options: DuplexTransportOptions) {
    this.#options = options;
    this.kind = options.kind;
    this.upstream = options.upstream;
    this.address = options.address;
    this.tolerated = options.tolerated;
  }

  connect(passed: HeaderList, onMessage: OnMessage, exchange: ConnectOptions): Promise<DuplexConnection> {
    const { isShared = false } = exchange;
    const dialect = new SessionDialect(onMessage, isShared);
    return this.#connect(this.#sessions, passed, dialect, exchange, this.#options.idleMs);
  }

  /** Returns null, because a channel belongs to this process. */
  resume(): null {
    return null;
  }

  /** Returns null for revisions with sessions, because there each channel is a session. */
  stateless(protocolVersion: string, greeting?: Greeting): UpstreamConnection | null {
    if (protocolVersion !== STATELESS_REVISION || greeting === undefined) return null;
    const { kind, upstream, clock, openLimit, sharedIdleMs } = this.#options;
    return new SharedConnection({
      upstream,
      greeting,
      clock,
      openLimit,
      isLocal: kind === "stdio",
      isRetired: () => this.#isRetired,
      connect: (passed, exchange) => {
        const dialect = new StatelessDialect(upstream, greeting, clock);
        return this.#connect(this.#lines, passed, dialect, exchange, sharedIdleMs);
      },
    });
  }

  retire(): void {
    this.#isRetired = true;
    for (const line of [...this.#lines]) line.retire();
  }

  /** The upstream was disabled or deleted: open connections close, and no more are opened. */
  close(): void {
    this.#isClosed = true;
    for (const connection of [...this.#sessions, ...this.#lines]) void connection.close();
  }

  async #connect(
    group: Set<DuplexConnection>,
    passed: HeaderList,
    dialect: Dialect,
    exchange: ConnectOptions,
    idleMs: number,
  ): Promise<DuplexConnection> {
    const { open, connections, upstream } = this.#options;
    if (this.#isClosed) throw new SluiceError("UPSTREAM_CLOSED", { upstream, sent: 0 });
    const onEnded = () => {
      connections.delete(connection);
      group.delete(connection);
    };
    const connection = new DuplexConnection({ ...this.#options, idleMs, dialect, onEnded });
    connections.add(connection);
    group.add(connection);
    try {
      connection.attach(await open(passed, connection, exchange));
    } catch (error) {
      void connection.close();
      throw error;
    }
    return connection;
  }
}
