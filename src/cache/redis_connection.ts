// One connection to Redis, by npm:ioredis. A lost connection is replaced in the background, and no command waits for it.
import { Redis } from "ioredis";
import { backoffMs } from "../base/backoff.ts";
import { type Clock, sleep, systemClock } from "../base/clock.ts";
import { reasonOf, SluiceError } from "../base/errors.ts";
import { redisLocation, type RedisTarget } from "./redis_url.ts";

export interface RedisSettings {
  readonly target: RedisTarget;
  /** PEM text of the trusted authorities (REDIS_SSL_CA_CERTS); null for the system's authorities. */
  readonly caCertificates: string | null;
  /** Time for connecting, including TLS, ms (REDIS_SOCKET_CONNECT_TIMEOUT). */
  readonly connectTimeoutMs: number;
  /** Time that a command may take, ms (REDIS_SOCKET_TIMEOUT). */
  readonly timeoutMs: number;
  /** Idle time after which the connection is tested, ms; 0 means never (REDIS_HEALTH_CHECK_INTERVAL). */
  readonly healthCheckIntervalMs: number;
}

export interface RedisConnectionOptions extends RedisSettings {
  /** The connection's name in CLIENT LIST. */
  readonly name: string;
  /** Prepares each new connection before use, within `timeoutMs`. */
  readonly prepare?: (redis: Redis) => Promise<unknown>;
  readonly onUp?: () => void;
  /** Called each time that Redis becomes unavailable. `reason` is text without secrets. */
  readonly onDown?: (reason: string) => void;
  readonly clock?: Clock;
}

/** The wait between two attempts to connect. It is short, so that the gateway recovers within a second of Redis. */
const RETRY = { baseMs: 100, maxMs: 1_000 };

/**
 * The connection is its own circuit breaker. closed: the connection works, and all commands are pipelined over it. open: the
 * connection was lost, or a command timed out; every command fails immediately. half_open: a new connection sends a PING in the
 * background, and the answer closes the circuit. When Redis dies, only running commands wait, and at most `timeoutMs`.
 */
export class RedisConnection {
  readonly location: string;
  /** Resolves after the first attempt to connect, whether or not it succeeded. */
  readonly tried: Promise<void>;
  readonly #options: RedisConnectionOptions;
  readonly #clock: Clock;
  readonly #closing = new AbortController();
  readonly #done: Promise<void>;
  /** null while no connection is usable. */
  #redis: Redis | null = null;
  #fault = "no connection yet";
  #isDown = false;
  #lastUsedAt = 0;
  #onTried: () => void = () => {};

  constructor(options: RedisConnectionOptions) {
    this.location = redisLocation(options.target);
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.tried = new Promise((resolve) => this.#onTried = resolve);
    this.#done = this.#keep();
  }

  get isUp(): boolean {
    return this.#redis !== null;
  }

  /**
   * Runs one or several commands.
   * @throws {SluiceError} CACHE_UNAVAILABLE: immediately without a connection, otherwise within `timeoutMs`; also if the server
   * refuses a command
   */
  async run<T>(commands: (redis: Redis) => Promise<T>): Promise<T> {
    const redis = this.#redis;
    if (redis === null) throw this.#unavailable(this.#fault);
    this.#lastUsedAt = this.#clock.now();
    try {
      return await this.#inTime(redis, commands(redis));
    } catch (error) {
      if (isReadOnly(error)) this.#end(redis, reasonOf(error));
      throw this.#unavailable(this.#redis === redis ? reasonOf(error) : this.#fault);
    }
  }

  async close(): Promise<void> {
    this.#closing.abort();
    if (this.#redis !== null) this.#end(this.#redis, "it is closed");
    await this.#done;
  }

  async #keep(): Promise<void> {
    const isClosed = () => this.#closing.signal.aborted;
    for (let attempt = 0; !isClosed(); attempt++) {
      try {
        const { redis, ended } = await this.#open();
        attempt = 0;
        this.#redis = redis;
        this.#isDown = false;
        this.#options.onUp?.();
        this.#onTried();
        const health = this.#watch(redis);
        await ended;
        this.#clock.clearTimeout(health.timer);
      } catch (error) {
        this.#fault = reasonOf(error);
      }
      this.#redis = null;
      this.#onTried();
      if (isClosed()) return;
      if (!this.#isDown) this.#options.onDown?.(this.#fault);
      this.#isDown = true;
      await sleep(this.#clock, backoffMs(attempt, RETRY), this.#closing.signal).catch(() => {});
    }
  }

  /** Opens a connection and waits for a PING. @throws the reason of a failure */
  async #open(): Promise<{ redis: Redis; ended: Promise<void> }> {
    const { target, connectTimeoutMs, timeoutMs, name, prepare } = this.#options;
    const redis = new Redis({
      host: target.host,
      port: target.port,
      ...(target.tls ? { tls: this.#tls() } : {}),
      ...(target.username === null ? {} : { username: target.username }),
      ...(target.password === null ? {} : { password: target.password }),
      db: target.database,
      connectionName: name,
      connectTimeout: connectTimeoutMs,
      lazyConnect: true,
      // ioredis must not reconnect: this class does, because it knows which commands may wait.
      retryStrategy: () => null,
      enableOfflineQueue: false,
      // The ready check sends INFO, which a user may lack the right for. PING serves the same purpose.
      enableReadyCheck: false,
      disableClientInfo: true,
    });
    let failure: string | null = null;
    redis.on("error", (error) => failure ??= reasonOf(error));
    const ended = new Promise<void>((resolve) =>
      redis.once("end", () => {
        if (this.#redis === redis) {
          this.#fault = failure ?? "the server closed the connection";
          // Set before another command can use the connection.
          this.#redis = null;
        }
        resolve();
      })
    );
    const onClose = () => destroy(redis);
    this.#closing.signal.addEventListener("abort", onClose);
    const late = this.#clock.setTimeout(() => {
      failure ??= `no connection within ${connectTimeoutMs + timeoutMs} ms ` +
        "(REDIS_SOCKET_CONNECT_TIMEOUT and REDIS_SOCKET_TIMEOUT)";
      destroy(redis);
    }, connectTimeoutMs + timeoutMs);
    try {
      await redis.connect();
      await redis.ping();
      // If SELECT fails, ioredis emits an error and continues with database 0.
      if (failure !== null) throw new Error(failure);
      await prepare?.(redis);
      return { redis, ended };
    } catch (error) {
      destroy(redis);
      // The error of ioredis only tells that the connection is closed. The event before told the reason.
      throw new Error(failure ?? reasonOf(error));
    } finally {
      this.#clock.clearTimeout(late);
      this.#closing.signal.removeEventListener("abort", onClose);
    }
  }

  #tls() {
    const { target: { host }, caCertificates } = this.#options;
    return {
      ...(caCertificates === null ? {} : { ca: caCertificates }),
      // RFC 6066 allows names only, not addresses.
      ...(/^[\d.]+$|:/.test(host) ? {} : { servername: host }),
    };
  }

  /** Tests the connection after the idle time. */
  #watch(redis: Redis): { timer: number } {
    const { healthCheckIntervalMs } = this.#options;
    const health = { timer: 0 };
    if (healthCheckIntervalMs === 0) return health;
    const look = () => {
      const idleMs = this.#clock.now() - this.#lastUsedAt;
      if (idleMs >= healthCheckIntervalMs) void this.#inTime(redis, redis.ping()).catch(() => {});
      schedule();
    };
    const schedule = () => health.timer = this.#clock.setTimeout(look, healthCheckIntervalMs);
    schedule();
    return health;
  }

  /** A command that times out ends the connection, and with it all other running commands. */
  async #inTime<T>(redis: Redis, answer: Promise<T>): Promise<T> {
    const { timeoutMs } = this.#options;
    const timer = this.#clock.setTimeout(
      () => this.#end(redis, `no answer within ${timeoutMs} ms (REDIS_SOCKET_TIMEOUT)`),
      timeoutMs,
    );
    try {
      return await answer;
    } finally {
      this.#clock.clearTimeout(timer);
    }
  }

  #end(redis: Redis, reason: string): void {
    if (this.#redis === redis) {
      this.#redis = null;
      this.#fault = reason;
    }
    destroy(redis);
  }

  /** The cause is text: errors of ioredis contain the arguments of the command. */
  #unavailable(reason: string): SluiceError {
    return new SluiceError("CACHE_UNAVAILABLE", {}, { cause: `Redis at ${this.location}: ${reason}` });
  }
}

/** READONLY means that the server has become a replica, which refuses writes. After a failover its name may lead to the primary. */
export function isReadOnly(error: unknown): boolean {
  return reasonOf(error).startsWith("READONLY ");
}

/** Destroys the socket: a server that hangs would never answer QUIT. */
function destroy(redis: Redis): void {
  // ioredis has no stream before the first attempt to connect.
  const stream = redis.stream as typeof redis.stream | undefined;
  if (stream?.destroyed) return;
  redis.disconnect();
  stream?.destroy();
}
