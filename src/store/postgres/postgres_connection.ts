// One connection to PostgreSQL by npm:postgres: opened once, never re-opened behind our back, never waited for without end.
import type { Socket } from "node:net";
import postgres from "postgres";
import { type Clock, systemClock } from "../../base/clock.ts";
import { reasonOf } from "../../base/errors.ts";
import { isServerError, translatePostgresError, unavailable } from "./postgres_errors.ts";
import { openSocket, type TlsOptions, watchSocket } from "./postgres_socket.ts";
import { locationOf, type PostgresTarget } from "./postgres_url.ts";
import type { SqlValue } from "../sql/sql.ts";

export interface ConnectOptions {
  readonly target: PostgresTarget;
  readonly tls: TlsOptions;
  /** How long connecting may take, and then logging in, ms; also the longest that a ping waits. */
  readonly connectTimeoutMs: number;
  /** How long a statement may take, ms. */
  readonly statementTimeoutMs: number;
  readonly clock?: Clock;
}

export interface Result {
  /** Of the last statement where there were several. */
  readonly rows: readonly Record<string, unknown>[];
  /** How many rows it touched. */
  readonly count: number;
  /** The server's word for what it did, e.g. "COMMIT". */
  readonly command: string;
  /** The process that took our login, as it said. */
  readonly loginPid: number;
}

const CLOSE_WITHIN_SECONDS = 1;
const KEEP_ALIVE_SECONDS = 30;
/** Inside a transaction the server ends a slow statement itself; ours comes later, for a server that is not there. */
const GRACE_MS = 1000;
/** What SQLite gives as a number comes as one here too: bigint (20) and numeric (1700), which counts and sums are. */
const NUMBERS = { to: 20, from: [20, 1700], parse: Number, serialize: String };

/**
 * Takes one statement at a time. It has one socket in its life: npm:postgres would open another one for the next
 * statement, which in the middle of a transaction would run outside of it.
 */
export class PostgresConnection {
  readonly location: string;
  readonly #client: postgres.Sql;
  readonly #socket: Socket;
  readonly #options: ConnectOptions;
  readonly #clock: Clock;
  #isPooled = false;
  /** Why it can no longer be used; null: it can. */
  #lost: string | null = null;
  /** Fails the statement under way. */
  #abort: ((error: unknown) => void) | null = null;
  #onLost: (() => void) | null = null;

  private constructor(socket: Socket, options: ConnectOptions) {
    this.location = locationOf(options.target);
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#socket = socket;
    watchSocket(socket, options.target.tls, (reason) => this.destroy(reason));
    this.#client = createClient(socket, options, () => this.destroy("the server closed the connection"));
  }

  /** Connects; the first statement logs in. For what is no database, as PgBouncer's console. */
  static async dial(options: ConnectOptions): Promise<PostgresConnection> {
    return new PostgresConnection(await openSocket(options), options);
  }

  /** Connects and logs in. @throws {SluiceError} STORE_UNAVAILABLE */
  static async open(options: ConnectOptions): Promise<PostgresConnection> {
    const connection = await PostgresConnection.dial(options);
    try {
      const { rows, loginPid } = await connection.execute(
        "SELECT pg_backend_pid() AS pid",
        [],
        options.connectTimeoutMs,
      );
      connection.#isPooled = rows[0].pid !== loginPid;
      return connection;
    } catch (error) {
      connection.destroy(reasonOf(error));
      throw error;
    }
  }

  /** Is there a pooler before the database? Then another process answers than the one that took the login. */
  get isPooled(): boolean {
    return this.#isPooled;
  }

  get isUsable(): boolean {
    return this.#lost === null;
  }

  /** Is told when it can no longer be used, unless that was by `close()`. */
  set onLost(listener: () => void) {
    this.#onLost = listener;
  }

  /**
   * Runs one statement; without values there may be several, separated by semicolons.
   * @throws {SluiceError} STORE_UNAVAILABLE; ConstraintError; the driver's own for a mistake in the statement
   */
  execute(
    text: string,
    values: readonly SqlValue[] = [],
    timeoutMs = this.#options.statementTimeoutMs + GRACE_MS,
  ): Promise<Result> {
    if (this.#lost !== null) return Promise.reject(unavailable(this.location, this.#lost));
    if (this.#abort !== null) return Promise.reject(new Error("a connection takes one statement at a time"));
    return new Promise<Result>((resolve, reject) => {
      const timer = this.#clock.setTimeout(() => this.destroy(`no answer within ${timeoutMs} ms`), timeoutMs);
      const settle = (act: () => void) => {
        this.#clock.clearTimeout(timer);
        this.#abort = null;
        act();
      };
      this.#abort = (error) => settle(() => reject(error));
      this.#client.unsafe(text, [...values], { prepare: false }).then(
        (result) => {
          if (this.#lost === null) settle(() => resolve(toResult(result)));
        },
        (error) => {
          if (this.#lost !== null) return;
          settle(() => reject(translatePostgresError(error, this.location)));
          if (!isServerError(error)) this.destroy(reasonOf(error));
        },
      );
    });
  }

  /** Does it still answer? One that does not is of no use from then on. */
  async ping(): Promise<boolean> {
    try {
      await this.execute("SELECT 1", [], this.#options.connectTimeoutMs);
      return true;
    } catch (error) {
      this.destroy(reasonOf(error));
      return false;
    }
  }

  /** Breaks it off; a statement under way fails with STORE_UNAVAILABLE, whether or not it was done. */
  destroy(reason: string): void {
    if (this.#lost !== null) return;
    this.#lost = reason;
    this.#socket.destroy();
    this.#abort?.(unavailable(this.location, reason));
    this.#onLost?.();
  }

  /** Says goodbye to the server. */
  async close(): Promise<void> {
    if (this.#lost === null) {
      this.#lost = "the connection was closed";
      await this.#client.end({ timeout: CLOSE_WITHIN_SECONDS }).catch(() => {});
    }
    this.#socket.destroy();
  }
}

/** A client of npm:postgres for this one socket: its own pool, timers and reconnecting are off. */
function createClient(
  socket: Socket,
  { target, tls }: ConnectOptions,
  onclose: () => void,
): postgres.Sql {
  let isTaken = false;
  // `socket` and `no_subscribe` are options too, which its types leave out.
  const options: postgres.Options<{ bigint: postgres.PostgresType<number> }> & Record<string, unknown> = {
    host: target.host,
    port: target.port,
    user: target.user,
    // As a function: an empty text would be looked up in the environment.
    password: () => target.password,
    database: target.database,
    ssl: target.tls === "disable" ? false : target.tls === "prefer" ? "prefer" : tls,
    max: 1,
    // A named statement would belong to a session, which a transaction pooler does not keep.
    prepare: false,
    fetch_types: false,
    idle_timeout: 0,
    max_lifetime: 0,
    connect_timeout: 0,
    keep_alive: KEEP_ALIVE_SECONDS,
    connection: { application_name: target.applicationName },
    types: { bigint: NUMBERS },
    no_subscribe: true,
    onnotice: () => {},
    onclose,
    socket: () => {
      if (isTaken) throw new Error("the connection was lost");
      isTaken = true;
      return socket;
    },
  };
  return postgres(options) as unknown as postgres.Sql;
}

function toResult(given: postgres.RowList<postgres.Row[]>): Result {
  // Several statements give a plain list of results.
  const result = "command" in given ? given : (given as unknown as typeof given[]).at(-1)!;
  const { pid } = result.state as { pid: number };
  return { rows: Array.from(result), count: result.count ?? 0, command: result.command, loginPid: pid };
}
