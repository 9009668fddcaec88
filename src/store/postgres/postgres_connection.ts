// One connection to PostgreSQL, by npm:postgres. It does not reconnect by itself, and every wait for it has a limit.
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
  /** Time for connecting, and again for logging in, ms. It also limits a ping. */
  readonly connectTimeoutMs: number;
  /** Time that a statement may take, ms. */
  readonly statementTimeoutMs: number;
  readonly clock?: Clock;
}

export interface Result {
  /** The rows of the last statement. */
  readonly rows: readonly Record<string, unknown>[];
  /** The number of affected rows. */
  readonly count: number;
  /** The command tag of the server, e.g. "COMMIT". */
  readonly command: string;
  /** The id of the server process that accepted the login. */
  readonly loginPid: number;
}

const CLOSE_WITHIN_SECONDS = 1;
const KEEP_ALIVE_SECONDS = 30;
/** Inside a transaction the server cancels a slow statement. Our own limit is longer, and covers a server that does not answer. */
const GRACE_MS = 1000;
/** PostgreSQL types that are read as numbers, as in SQLite: bigint (20) and numeric (1700), the types of counts and sums. */
const NUMBERS = { to: 20, from: [20, 1700], parse: Number, serialize: String };

/**
 * Runs one statement at a time, over one socket. npm:postgres would open a new socket after a failure, and the next statement of
 * a transaction would then run outside the transaction.
 */
export class PostgresConnection {
  readonly location: string;
  readonly #client: postgres.Sql;
  readonly #socket: Socket;
  readonly #options: ConnectOptions;
  readonly #clock: Clock;
  #isPooled = false;
  /** The reason why the connection is unusable; null while it is usable. */
  #lost: string | null = null;
  /** Makes the running statement fail. */
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

  /** Connects without logging in, which the first statement does. For PgBouncer's console, which is not a database. */
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

  /** Is there a pooler in front of the database? Then the process that answers is not the one that accepted the login. */
  get isPooled(): boolean {
    return this.#isPooled;
  }

  get isUsable(): boolean {
    return this.#lost === null;
  }

  /** Adds a listener that is called when the connection becomes unusable, except by `close()`. */
  set onLost(listener: () => void) {
    this.#onLost = listener;
  }

  /**
   * Runs a statement. A text without values may contain several statements, separated by semicolons.
   * @throws {SluiceError} STORE_UNAVAILABLE; ConstraintError; the driver's error for a mistake in the statement
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

  /** Tests whether the server answers. If it does not, the connection becomes unusable. */
  async ping(): Promise<boolean> {
    try {
      await this.execute("SELECT 1", [], this.#options.connectTimeoutMs);
      return true;
    } catch (error) {
      this.destroy(reasonOf(error));
      return false;
    }
  }

  /** Destroys the socket. A running statement fails with STORE_UNAVAILABLE, whether or not the server has run it. */
  destroy(reason: string): void {
    if (this.#lost !== null) return;
    this.#lost = reason;
    this.#socket.destroy();
    this.#abort?.(unavailable(this.location, reason));
    this.#onLost?.();
  }

  /** Closes the connection. */
  async close(): Promise<void> {
    if (this.#lost === null) {
      this.#lost = "the connection was closed";
      await this.#client.end({ timeout: CLOSE_WITHIN_SECONDS }).catch(() => {});
    }
    this.#socket.destroy();
  }
}

/** A client of npm:postgres for this socket. The client's pool, timers and reconnection are disabled. */
function createClient(
  socket: Socket,
  { target, tls }: ConnectOptions,
  onclose: () => void,
): postgres.Sql {
  let isTaken = false;
  // The types of npm:postgres lack the options `socket` and `no_subscribe`.
  const options: postgres.Options<{ bigint: postgres.PostgresType<number> }> & Record<string, unknown> = {
    host: target.host,
    port: target.port,
    user: target.user,
    // A function, because npm:postgres replaces an empty text by an environment variable.
    password: () => target.password,
    database: target.database,
    ssl: target.tls === "disable" ? false : target.tls === "prefer" ? "prefer" : tls,
    max: 1,
    // A named statement belongs to a session, and a transaction pooler does not keep sessions.
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
  // Several statements have a list of results.
  const result = "command" in given ? given : (given as unknown as typeof given[]).at(-1)!;
  const { pid } = result.state as { pid: number };
  return { rows: Array.from(result), count: result.count ?? 0, command: result.command, loginPid: pid };
}
