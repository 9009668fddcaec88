// The options of a session pool: its limits, which are settings, and its dependencies.
import type { Clock } from "../../base/clock.ts";
import type { CircuitBreakers } from "../resilience/circuit_breaker.ts";
import type { HealthMethod } from "./idle_check.ts";

/** The settings of a pool, which may change while it runs. Totals are per worker; 0 = unlimited. */
export interface PoolLimits {
  readonly maxPerKey: number;
  /** Age at which a session is closed; a leased one is closed when it is returned. */
  readonly ttlMs: number;
  /** Idle time after which a session is validated before it is leased. */
  readonly healthCheckIntervalMs: number;
  readonly healthCheckMethods: readonly HealthMethod[];
  /** For each method. */
  readonly healthCheckTimeoutMs: number;
  /** Longest wait for a slot. The preparation of a session in that slot has its own timeouts. */
  readonly acquireTimeoutMs: number;
  readonly createTimeoutMs: number;
  readonly idleEvictionMs: number;
  readonly circuitBreakerThreshold: number;
  readonly circuitBreakerResetMs: number;
  readonly maxTotalKeys: number;
  readonly maxTotalSessions: number;
}

export interface SessionPoolOptions extends PoolLimits {
  readonly clock: Clock;
  /** One breaker per upstream URL, shared with sessions opened outside the pool. */
  readonly breakers: CircuitBreakers;
  /**
   * Whether a failure to open a session counts against the upstream. Refused credentials do not, since they are the caller's.
   */
  readonly isBreakerFailure: (error: unknown) => boolean;
  /** Told of each call that has waited for a session, when it gets one or gives up. */
  readonly onWaited?: (ms: number) => void;
  /** Lets the process end despite the sweep timer (`Deno.unrefTimer`). */
  readonly unrefTimer?: (id: number) => void;
}
