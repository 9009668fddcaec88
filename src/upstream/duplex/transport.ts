// An upstream whose sessions each have a channel of their own, whatever it runs on. Its sessions cannot leave their worker.
import type { Clock } from "../../base/clock.ts";
import type {
  ExchangeOptions,
  HeaderList,
  OnMessage,
  TransportKind,
  UpstreamConnection,
  UpstreamTransport,
} from "../connection.ts";
import type { OpenChannel } from "./channel.ts";
import { DuplexConnection } from "./connection.ts";
import type { QuietLimits } from "./quiet.ts";

export interface DuplexTransportOptions extends QuietLimits {
  readonly kind: TransportKind;
  readonly upstream: string;
  readonly address: string;
  readonly maxResponseBytes: number;
  readonly clock: Clock;
  readonly open: OpenChannel;
  readonly onStray: (what: string) => void;
  /** All connections of the worker that are open, over whatever transport: what its end has to close. */
  readonly connections: Set<DuplexConnection>;
}

export class DuplexTransport implements UpstreamTransport {
  readonly kind: TransportKind;
  readonly upstream: string;
  readonly address: string;
  readonly #options: DuplexTransportOptions;
  readonly #connections = new Set<DuplexConnection>();

  constructor(options: DuplexTransportOptions) {
    this.#options = options;
    this.kind = options.kind;
    this.upstream = options.upstream;
    this.address = options.address;
  }

  async connect(
    passed: HeaderList,
    onMessage: OnMessage,
    exchange: ExchangeOptions,
  ): Promise<UpstreamConnection> {
    const { open, connections } = this.#options;
    const onEnded = () => {
      connections.delete(connection);
      this.#connections.delete(connection);
    };
    const connection = new DuplexConnection({ ...this.#options, onMessage, onEnded });
    connections.add(connection);
    this.#connections.add(connection);
    try {
      connection.attach(await open(passed, connection, exchange));
    } catch (error) {
      void connection.close();
      throw error;
    }
    return connection;
  }

  /** What the session runs on is this process's own. */
  resume(): null {
    return null;
  }

  /** Every connection is somebody's state. */
  stateless(): null {
    return null;
  }

  /** The upstream was changed or deleted: what is open ends as soon as its calls have. */
  retire(): void {
    for (const connection of [...this.#connections]) connection.retire();
  }
}
