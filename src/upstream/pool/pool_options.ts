// What a session pool is told: its limits, which are settings, and what it depends on.
import type { Clock } from "../../base/clock.ts";
import type { CircuitBreakers } from "../resilience/circuit_breaker.ts";
import type { HealthMethod } from "./idle_check.ts";

/** The settings of a pool; they may change while it runs. 0 = unlimited for the totals, which are per worker. */
export interface PoolLimits {
  readonly maxPerKey: number;
  /** Age at which a session is closed; one in use is closed when it comes back. */
  readonly ttlMs: number;
  /** A session idle for so long is validated before it is lent. */
  readonly healthCheckIntervalMs: number;
  readonly healthCheckMethods: readonly HealthMethod[];
  /** For each method. */
  readonly healthCheckTimeoutMs: number;
  /** How long a caller waits for a slot; the preparation of a session in that slot has timeouts of its own. */
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
  /** One for each upstream URL, shared with the sessions that are opened outside the pool. */
  readonly breakers: CircuitBreakers;
  /** Does this failure to open a session speak against the upstream? Not so refused credentials: they are the caller's. */
  readonly isBreakerFailure: (error: unknown) => boolean;
  /** Lets the process end beside the sweep's timer (`Deno.unrefTimer`). */
  readonly unrefTimer?: (id: number) => void;
}
