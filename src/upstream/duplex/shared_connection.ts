// The connection to an upstream of 2026-07-28: for each tenant a process, or a socket per set of passed headers. Such a server
// may keep state in its process, although its revision has no sessions. A line is opened on demand, and greeted before the first
// call.
import { BoundedMap } from "../../base/bounded_map.ts";
import type { Caller } from "../../base/sharing/caller.ts";
import { Cancellation, unlessAborted } from "../../base/cancellation.ts";
import type { Clock } from "../../base/clock.ts";
import { isError, SluiceError } from "../../base/errors.ts";
import { requestText } from "../../mcp/json_rpc.ts";
import type {
  ExchangeOptions,
  Following,
  Greeting,
  HeaderList,
  Reply,
  RequestOptions,
  UpstreamConnection,
} from "../transport/transport.ts";
import { Deadline, inTime, type TimeLimit } from "../resilience/deadline.ts";
import { ungreeted } from "../resilience/failures.ts";
import type { DuplexConnection } from "./duplex_connection.ts";

export interface SharedOptions {
  /** The upstream's name in errors. */
  readonly upstream: string;
  readonly greeting: Greeting;
  readonly clock: Clock;
  /** Time limit for opening and greeting. */
  readonly openLimit: TimeLimit;
  /** The lines are processes. Other lines keep the headers that they were opened with. */
  readonly isLocal: boolean;
  /** The upstream was changed or deleted. Remaining calls still open lines, which close after them. */
  readonly isRetired: () => boolean;
  /** @throws {SluiceError} UPSTREAM_*; the signal's reason */
  readonly connect: (passed: HeaderList, exchange: ExchangeOptions) => Promise<DuplexConnection>;
}

/** The connection of a tenant, over sockets also of one set of passed headers. */
interface Line {
  readonly tenant: string;
  readonly opening: Promise<DuplexConnection>;
  readonly stop: Cancellation;
  opened: DuplexConnection | undefined;
}

/** Limit of lines; bounds processes, sockets and memory. The least recently used line is retired. */
const MAX_LINES = 256;

const NONE: HeaderList = Object.freeze([]);

export class SharedConnection implements UpstreamConnection {
  readonly sessionId = null;
  readonly isStateful = false;
  readonly #options: SharedOptions;
  /** Keyed by tenant and passed headers. */
  readonly #lines = new BoundedMap<string, Line>({
    maxEntries: MAX_LINES,
    ageFrom: "get",
    isDispensable: ({ opened }) => opened?.closed === true,
    onEvict: ({ opening }) => void opening.then((connection) => connection.retire(), () => {}),
  });
  #isRetired = false;
  #isClosed = false;

  constructor(options: SharedOptions) {
    this.#options = options;
  }

  get isLocal(): boolean {
    return this.#options.isLocal;
  }

  /** False after a line has ended, because the next call opens another. */
  get closed(): boolean {
    return this.#isClosed;
  }

  established(): void {}

  async request(id: number, body: string, options: RequestOptions): Promise<Reply> {
    const line = this.#line(options);
    const connection = line.opened ?? await this.#wait(line.opening, options);
    try {
      return await connection.request(id, body, options);
    } catch (error) {
      // The server behind the event stream has lost the session, so the message had no effect.
      if (isError(error, "UPSTREAM_SESSION_EXPIRED")) throw this.#gone(error);
      throw error;
    }
  }

  /** @throws {SluiceError} UPSTREAM_* */
  async notify(body: string, options: ExchangeOptions): Promise<void> {
    const line = this.#line(options);
    await (line.opened ?? await this.#wait(line.opening, options)).notify(body, options);
  }

  /** Messages outside calls are subscribed to by a request. */
  listen(): void {}

  release(tenant: string): void {
    for (const [key, line] of [...this.#lines]) {
      if (line.tenant !== tenant) continue;
      this.#lines.delete(key);
      void this.#end(line);
    }
  }

  /** Remaining calls still open lines, which close after them. */
  retire(): void {
    this.#isRetired = true;
    const lines = [...this.#lines.values()];
    this.#lines.clear();
    for (const { opening } of lines) opening.then((connection) => connection.retire(), () => {});
  }

  /** Closes all lines, including those that are being opened. */
  async close(): Promise<void> {
    this.#isClosed = true;
    const lines = [...this.#lines.values()];
    this.#lines.clear();
    await Promise.all(lines.map((line) => this.#end(line)));
  }

  async #end({ stop, opening }: Line): Promise<void> {
    stop.cancel(this.#gone());
    await opening.then((connection) => connection.close(), () => {});
  }

  #line({ passed = NONE, tenant = "", caller }: ExchangeOptions): Line {
    if (this.#isClosed) throw this.#gone();
    const key = this.#options.isLocal || passed.length === 0 ? tenant : tenant + JSON.stringify(passed);
    const known = this.#lines.get(key);
    if (known !== undefined && known.opened?.closed !== true) return known;
    const stop = new Cancellation();
    const line: Line = { tenant, opening: this.#open(passed, caller, stop), stop, opened: undefined };
    this.#lines.set(key, line);
    line.opening.then((connection) => line.opened = connection, () => {
      if (this.#lines.get(key) === line) this.#lines.delete(key);
    });
    return line;
  }

  /** A call that is given up does not stop the opening, because other calls may wait for it. */
  async #open(
    passed: HeaderList,
    caller: Caller | undefined,
    stop: Cancellation,
  ): Promise<DuplexConnection> {
    const { clock, connect, greeting, isLocal, openLimit } = this.#options;
    const deadline = new Deadline(openLimit.ms, openLimit.setting, clock.now());
    const connection = await connect(passed, { deadline, signal: stop, caller });
    try {
      const greets = requestText(GREETING_ID, greeting.method, greeting.params);
      const { value } = await connection.request(GREETING_ID, greets, { deadline, signal: stop });
      greeting.accept(value);
      connection.established();
      if (this.#isRetired || this.#options.isRetired()) connection.retire();
      if (isLocal) this.#follow(connection, greeting.follow(value));
      return connection;
    } catch (error) {
      // The process must end before the next one starts, which may speak another revision.
      await connection.close();
      throw stop.aborted ? error : ungreeted(error);
    }
  }

  /** Subscribes to list changes of this process. The replica's list watch uses a process of its own, which does not see them. */
  #follow(connection: DuplexConnection, following: Following | null): void {
    if (following === null) return;
    const { method, params, onMessage } = following;
    const deadline = new Deadline(0, "none");
    const options = { deadline, isLongLived: true, isIncidental: true, onMessage };
    // A process that refuses does not report changes.
    connection.request(FOLLOW_ID, requestText(FOLLOW_ID, method, params), options).catch(() => {});
  }

  /** Waits within the call's deadline. */
  async #wait(
    opening: Promise<DuplexConnection>,
    { deadline, signal, isLongLived = false }: RequestOptions,
  ): Promise<DuplexConnection> {
    if (isLongLived) return await unlessAborted(opening, signal);
    const { upstream, clock } = this.#options;
    const work = { upstream, phase: "open a connection", signal, clock };
    return await inTime(deadline, work, (giveUp) => unlessAborted(opening, giveUp));
  }

  #gone(cause?: unknown): SluiceError {
    return new SluiceError("UPSTREAM_CLOSED", { upstream: this.#options.upstream, sent: 0 }, { cause });
  }
}

/** Session requests are numbered from 1. Some servers read ids as 32-bit numbers. */
const GREETING_ID = 0;
const FOLLOW_ID = 2 ** 31 - 1;
