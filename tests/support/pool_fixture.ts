// For the pool's tests: an upstream that opens sessions as it is told, and a pool before it.
import { FakeClock, settled } from "./fake_clock.ts";
import { SluiceError } from "../../src/base/errors.ts";
import { CircuitBreakers } from "../../src/upstream/resilience/circuit_breaker.ts";
import {
  ANONYMOUS_IDENTITY,
  type Identity,
  type PoolKey,
  poolKey,
} from "../../src/upstream/pool/session_key.ts";
import { SessionPool } from "../../src/upstream/pool/session_pool.ts";
import type { PoolSession } from "../../src/upstream/pool/pool_entry.ts";
import type { HealthMethod, HealthVerdict } from "../../src/upstream/pool/idle_check.ts";
import type { PoolLimits } from "../../src/upstream/pool/pool_options.ts";

/** The guide's defaults. */
export const DEFAULT_LIMITS: PoolLimits = {
  maxPerKey: 10,
  ttlMs: 300_000,
  healthCheckIntervalMs: 60_000,
  healthCheckMethods: ["ping", "skip"],
  healthCheckTimeoutMs: 5_000,
  acquireTimeoutMs: 30_000,
  createTimeoutMs: 30_000,
  idleEvictionMs: 600_000,
  circuitBreakerThreshold: 5,
  circuitBreakerResetMs: 60_000,
  maxTotalKeys: 0,
  maxTotalSessions: 0,
};

export class FakeSession implements PoolSession {
  closed = false;
  /** How often the pool closed it. */
  ended = 0;
  readonly openedFor: PoolKey;
  readonly probes: HealthMethod[] = [];
  answer: (method: HealthMethod) => Promise<HealthVerdict> = () => Promise.resolve("healthy");

  constructor(openedFor: PoolKey) {
    this.openedFor = openedFor;
  }

  close(): Promise<void> {
    this.ended++;
    this.closed = true;
    return Promise.resolve();
  }

  checkHealth(method: HealthMethod): Promise<HealthVerdict> {
    this.probes.push(method);
    return this.answer(method);
  }
}

/** A creation under way, to be ended by the test. */
export interface Opening {
  readonly key: PoolKey;
  readonly signal: AbortSignal;
  readonly succeed: () => FakeSession;
  readonly fail: (error: unknown) => void;
}

/** An upstream that opens each session at once, unless `openMs` or `held` says otherwise. */
export class FakeUpstream {
  /** Every session that it ever opened. */
  readonly sessions: FakeSession[] = [];
  readonly openings: Opening[] = [];
  /** How many creations were begun. */
  begun = 0;
  /** Creations wait in `openings`. */
  held = false;
  openMs = 0;
  error: unknown = undefined;
  readonly #clock: FakeClock;

  constructor(clock: FakeClock) {
    this.#clock = clock;
  }

  /** What a caller of the pool gives it. */
  creator(key: PoolKey): (signal: AbortSignal) => Promise<FakeSession> {
    return (signal) => {
      this.begun++;
      const opened = () => {
        const session = new FakeSession(key);
        this.sessions.push(session);
        return session;
      };
      if (this.held) {
        return new Promise((resolve, reject) => {
          const succeed = () => {
            const session = opened();
            resolve(session);
            return session;
          };
          this.openings.push({ key, signal, succeed, fail: reject });
        });
      }
      if (this.error !== undefined) return Promise.reject(this.error);
      if (this.openMs === 0) return Promise.resolve(opened());
      return new Promise((resolve) => this.#clock.setTimeout(() => resolve(opened()), this.openMs));
    };
  }

  get alive(): number {
    return this.sessions.filter(({ closed }) => !closed).length;
  }
}

/** The upstream cannot be reached: counts for the breaker. */
export function unreachable(): SluiceError {
  return new SluiceError("UPSTREAM_CONNECT_FAILED", { upstream: "u", reason: "connection refused" });
}

/** The upstream refuses this caller: does not count. */
export function refused(): SluiceError {
  return new SluiceError("UPSTREAM_AUTH_FAILED", { upstream: "u", status: 401, hint: "" });
}

export function keyOf(identity: string = ANONYMOUS_IDENTITY, fields: Partial<PoolKey> = {}): PoolKey {
  return poolKey({
    url: "http://u.example/mcp",
    identity: identity as Identity,
    transport: "STREAMABLEHTTP",
    upstreamId: "u1",
    upstream: "u",
    ...fields,
  });
}

export function fixture(limits: Partial<PoolLimits> = {}) {
  const clock = new FakeClock();
  const upstream = new FakeUpstream(clock);
  const all = { ...DEFAULT_LIMITS, ...limits };
  const waits: number[] = [];
  const pool = new SessionPool<FakeSession>({
    ...all,
    clock,
    breakers: new CircuitBreakers(
      () => ({ threshold: all.circuitBreakerThreshold, resetMs: all.circuitBreakerResetMs }),
      clock,
    ),
    isBreakerFailure: (error) => error instanceof SluiceError && error.code !== "UPSTREAM_AUTH_FAILED",
    onWaited: (ms) => waits.push(ms),
  });
  return {
    clock,
    /** How long each call has waited that found no session, in ms. */
    waits,
    upstream,
    pool,
    limits: all,
    lease: (key: PoolKey, signal?: AbortSignal) => pool.lease(key, upstream.creator(key), signal),
    /** Hold a lease for a while, as a tool call does. */
    use: async (key: PoolKey, holdMs: number) => {
      const lease = await pool.lease(key, upstream.creator(key));
      await new Promise<void>((resolve) => clock.setTimeout(resolve, holdMs));
      lease.release();
      return lease;
    },
  };
}

/** What became of a promise up to now. */
export async function outcome<T>(promise: Promise<T>): Promise<T | "pending"> {
  return await Promise.race([promise, settled().then(() => "pending" as const)]);
}

/** The code of the catalogue's error that a promise is rejected with. */
export async function codeOf(promise: Promise<unknown>): Promise<string> {
  try {
    await promise;
  } catch (error) {
    if (error instanceof SluiceError) return error.code;
    throw error;
  }
  return "no error";
}
