// One connection to Redis by npm:ioredis, made anew whenever it is lost, that nobody ever waits for.
import { Redis } from "ioredis";
import { backoffMs } from "../base/backoff.ts";
import { type Clock, sleep, systemClock } from "../base/clock.ts";
import { reasonOf, SluiceError } from "../base/errors.ts";
import { redisLocation, type RedisTarget } from "./redis_url.ts";

export interface RedisSettings {
  readonly target: RedisTarget;
  /** PEM text: whom to trust in place of the system's authorities (REDIS_SSL_CA_CERTS); null: those. */
  readonly caCertificates: string | null;
  /** How long connecting may take, TLS included, ms (REDIS_SOCKET_CONNECT_TIMEOUT). */
  readonly connectTimeoutMs: number;
  /** How long a command may take, ms (REDIS_SOCKET_TIMEOUT). */
  readonly timeoutMs: number;
  /** A connection that was idle for so long is tested, ms; 0: never (REDIS_HEALTH_CHECK_INTERVAL). */
  readonly healthCheckIntervalMs: number;
}

export interface RedisConnectionOptions extends RedisSettings {
  /** What CLIENT LIST calls it. */
  readonly name: string;
  /** Done with each new connection before it is used, within `timeoutMs`. */
  readonly prepare?: (redis: Redis) => Promise<unknown>;
  readonly onUp?: () => void;
  /** Told once for each time that Redis goes away; `reason` is in words, without a secret. */
  readonly onDown?: (reason: string) => void;
  readonly clock?: Clock;
}

/** The wait between two tries to connect: short, so that all is well again within a second of Redis' return. */
const RETRY = { baseMs: 100, maxMs: 1_000 };

/**
 * The connection is its own circuit breaker. closed: it works, and all commands go over it, pipelined. open: a command
 * that had no answer in time, or the server, has ended it; every command fails at once. half_open: a new connection is
 * made and asked a PING in the background; its answer closes the circuit. So of the commands that meet a dead Redis
 * those wait that are under way when it dies, and none longer than `timeoutMs`.
 */
export class RedisConnection {
  readonly location: string;
  /** Resolves when the first try to connect is over, well or not. */
  readonly tried: Promise<void>;
  readonly #options: RedisConnectionOptions;
  readonly #clock: Clock;
  readonly #closing = new AbortController();
  readonly #done: Promise<void>;
  /** null: there is none that can be used. */
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
   * @throws {SluiceError} CACHE_UNAVAILABLE at once where there is no connection, else after `timeoutMs` at the latest;
   * also for what the server refuses
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

  /** A connection that has answered a PING. @throws why there is none */
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
      // One socket in its life: what is lost is made anew here, where it is known whether anybody may wait.
      retryStrategy: () => null,
      enableOfflineQueue: false,
      // PING tells the same, also to users who may not ask for INFO.
      enableReadyCheck: false,
      disableClientInfo: true,
    });
    let failure: string | null = null;
    redis.on("error", (error) => failure ??= reasonOf(error));
    const ended = new Promise<void>((resolve) =>
      redis.once("end", () => {
        if (this.#redis === redis) {
          this.#fault = failure ?? "the server closed the connection";
          // Before anybody else can try to use it.
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
      // A database that it may not select ioredis tells of, and goes on in number 0.
      if (failure !== null) throw new Error(failure);
      await prepare?.(redis);
      return { redis, ended };
    } catch (error) {
      destroy(redis);
      // What ioredis throws here says only that the connection is closed; the event before said why.
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
      // Not for an address: RFC 6066 has names only.
      ...(/^[\d.]+$|:/.test(host) ? {} : { servername: host }),
    };
  }

  /** Tests it when it has been idle for the interval. */
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

  /** What has no answer in time ends the connection, and with it everything else that waits on it. */
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

  /** The cause is words only: ioredis' errors carry the arguments of their command. */
  #unavailable(reason: string): SluiceError {
    return new SluiceError("CACHE_UNAVAILABLE", {}, { cause: `Redis at ${this.location}: ${reason}` });
  }
}

/** It was made a replica: after a failover its address may lead to another server, and this one refuses all that is written. */
export function isReadOnly(error: unknown): boolean {
  return reasonOf(error).startsWith("READONLY ");
}

/** At once: a server that stands still would never take part in a polite end. */
function destroy(redis: Redis): void {
  // Absent until the first attempt to connect.
  const stream = redis.stream as typeof redis.stream | undefined;
  if (stream?.destroyed) return;
  redis.disconnect();
  stream?.destroy();
}
