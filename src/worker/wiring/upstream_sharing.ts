// Makes the session pool with its circuit breakers, and the hash that tells callers apart.
import { hkdfSync } from "node:crypto";
import type { Clock } from "../../base/clock.ts";
import type { Config } from "../../config/schema.ts";
import type { Log } from "../../telemetry/log.ts";
import type { Metrics } from "../../telemetry/metrics.ts";
import type { GatewaySecrets } from "../../auth/keys/gateway_secrets.ts";
import { CircuitBreakers } from "../../upstream/resilience/circuit_breaker.ts";
import type { HealthMethod } from "../../upstream/pool/idle_check.ts";
import { SessionPool } from "../../upstream/pool/session_pool.ts";
import { IdentityHasher } from "../../upstream/pool/session_key.ts";
import type { UpstreamChannel } from "../../upstream/session/upstream_channel.ts";
import { isBreakerFailure } from "../../upstream/resilience/failures.ts";

export function createSessionPool(
  config: Config,
  { clock, log, metrics, nameOf }: {
    readonly clock: Clock;
    readonly log: Log;
    readonly metrics: Metrics;
    /** @returns undefined: the upstream is gone */
    readonly nameOf: (upstreamId: string) => string | undefined;
  },
): { readonly pool: SessionPool<UpstreamChannel>; readonly breakers: CircuitBreakers } {
  const limits = {
    maxPerKey: config.mcpSessionPoolMaxPerKey,
    ttlMs: config.mcpSessionPoolTtlMs,
    healthCheckIntervalMs: config.mcpSessionPoolHealthCheckIntervalMs,
    ...healthCheckOf(config),
    acquireTimeoutMs: config.mcpSessionPoolAcquireTimeoutMs,
    createTimeoutMs: config.mcpSessionPoolCreateTimeoutMs,
    idleEvictionMs: config.mcpSessionPoolIdleEvictionMs,
    circuitBreakerThreshold: config.mcpSessionPoolCircuitBreakerThreshold,
    circuitBreakerResetMs: config.mcpSessionPoolCircuitBreakerResetMs,
    maxTotalKeys: config.mcpSessionPoolMaxTotalKeys,
    maxTotalSessions: config.mcpSessionPoolMaxTotalSessions,
  };
  const breakers = new CircuitBreakers(
    () => ({ threshold: limits.circuitBreakerThreshold, resetMs: limits.circuitBreakerResetMs }),
    clock,
    {
      onTurn: ({ upstreamIds, isOpen, failures }) => {
        for (const upstream of [...upstreamIds].map(nameOf).filter((name) => name !== undefined)) {
          if (!isOpen) log.info("circuit breaker of upstream has closed", { upstream });
          else log.warning("circuit breaker of upstream has opened", { upstream, failures });
        }
      },
    },
  );
  const wait = metrics.summary("sluice_pool_wait_seconds")();
  const pool = new SessionPool<UpstreamChannel>({
    ...limits,
    clock,
    breakers,
    onWaited: (ms) => wait.observe(ms / 1_000, performance.now()),
    isBreakerFailure,
    unrefTimer: Deno.unrefTimer,
  });
  return { pool, breakers };
}

/** An explicit health call comes before the other methods, and brings its own timeout. */
function healthCheckOf(
  config: Config,
): { readonly healthCheckMethods: readonly HealthMethod[]; readonly healthCheckTimeoutMs: number } {
  const methods = config.mcpSessionPoolHealthCheckMethods;
  return config.mcpSessionPoolExplicitHealthRpc
    ? { healthCheckMethods: ["list_tools", ...methods], healthCheckTimeoutMs: config.healthCheckTimeoutMs }
    : { healthCheckMethods: methods, healthCheckTimeoutMs: config.mcpSessionPoolHealthCheckTimeoutMs };
}

/** All workers use one key, so that their metrics can be merged. */
export function identityHasher(config: Config, { authEncryptionSecret }: GatewaySecrets): IdentityHasher {
  return new IdentityHasher({
    key: new Uint8Array(hkdfSync("sha256", authEncryptionSecret, "sluice", "caller identity", 32)),
    identityHeaders: config.mcpSessionPoolIdentityHeaders,
    loginCookie: null,
  });
}
