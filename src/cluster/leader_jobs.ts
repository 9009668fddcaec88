// The jobs that one worker does for the whole cluster while it holds the lease: health checks of upstreams, automatic refreshes,
// listening for changes of their lists, and the sweep of shared records.
import type { Clock } from "../base/clock.ts";
import { AutoRefresh } from "../catalog/auto_refresh.ts";
import { PendingRegistrations } from "../catalog/pending_registrations.ts";
import type { CatalogSync } from "../catalog/catalog_sync.ts";
import type { Config } from "../config/schema.ts";
import type { Leases } from "../store/leases.ts";
import type { Registry } from "../store/registry/registry.ts";
import type { GatewayRow } from "../store/registry/rows.ts";
import type { Log } from "../telemetry/log.ts";
import type { Metrics } from "../telemetry/metrics.ts";
import { HealthChecks } from "../upstream/health/health_checks.ts";
import { ListWatch } from "../upstream/notifications/list_watch.ts";
import { probeUpstream } from "../upstream/health/probe.ts";
import type { Transports, TransportTarget } from "../upstream/transports.ts";
import type { Upstream } from "../upstream/upstream.ts";
import { Leadership } from "./leadership.ts";

export interface LeaderJobsDeps {
  readonly config: Config;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly leases: Leases;
  readonly registry: Registry;
  /** Sweeps the records that all replicas share. Never rejects. */
  readonly sweep: () => Promise<unknown>;
  /** Revokes tokens that the gateway has forgotten. Never rejects. */
  readonly revokeTokens: () => Promise<unknown>;
  /** How many logins of people at upstreams are in each state. */
  readonly countLogins: () => Promise<ReadonlyMap<string, number>>;
  /** Exports the audit trail until the signal is aborted. */
  readonly exportAudit: (signal: AbortSignal) => void;
  /** The way of the health checks to an upstream. */
  readonly outbound: {
    readonly transports: Pick<Transports, "make">;
    /** The name by which upstreams know the gateway. */
    readonly clientInfo: { readonly name: string; readonly version: string };
    /** @throws {SluiceError} SECRET_UNREADABLE */
    readonly targetOf: (row: GatewayRow, use: { readonly isOwn: boolean }) => Promise<TransportTarget>;
  };
  readonly sync: CatalogSync;
  readonly catalogChanged: () => Promise<void>;
  /** The upstreams that can be used now. */
  readonly upstreams: () => readonly Upstream[];
  /** Takes the gateway's id and the notification's method. */
  readonly onListChanged: (gatewayId: string, method: string) => void;
}

export interface LeaderJobs {
  /** Applies for the lease, until `resign()`. */
  start(): void;
  /** Leaves the lease to another worker. Resolves when the sessions that listened to upstreams are closed. */
  resign(): Promise<void>;
  /**
   * The leader listens to the upstreams that can be used now, tries those that are new, and revokes tokens that ended with their user or
   * upstream.
   */
  registryChanged(): void;
}

const SWEEP_INTERVAL_MS = 30_000;

export function createLeaderJobs(deps: LeaderJobsDeps): LeaderJobs {
  const { config, clock, log, metrics, leases, sweep } = deps;
  const checks = healthChecks(deps);
  const refreshes = autoRefresh(deps);
  const registrations = pendingRegistrations(deps);
  let isLeader = false;
  let lists: ListWatch | null = null;
  let closing = Promise.resolve();
  metrics.gauge("sluice_leader", () => +isLeader);
  let logins: ReadonlyMap<string, number> = new Map();
  metrics.gaugeBy("sluice_upstream_login_states", () => isLeader ? logins : new Map());
  const countLogins = () =>
    deps.countLogins().then(
      (counted) => logins = counted,
      (error) => log.error("logins not counted", { error }),
    );
  const leadership = new Leadership({
    leases,
    clock,
    log,
    holder: `${Deno.hostname()}/${Deno.pid}/${crypto.randomUUID()}`,
    ttlMs: config.leaderLeaseTtlMs,
    lead: (signal) => {
      isLeader = true;
      void checks.run(signal);
      void registrations.run(signal);
      deps.exportAudit(signal);
      if (refreshes !== null) void refreshes.run(signal);
      const watch = lists = new ListWatch({ onListChanged: deps.onListChanged });
      watch.update(deps.upstreams());
      void countLogins();
      const sweeps = setInterval(() => {
        void sweep();
        void deps.revokeTokens();
        void countLogins();
      }, SWEEP_INTERVAL_MS);
      signal.addEventListener("abort", () => {
        isLeader = false;
        lists = null;
        closing = watch.close();
        clearInterval(sweeps);
      });
    },
  });
  return {
    start: () => leadership.start(),
    resign: async () => {
      await leadership.resign();
      await closing;
    },
    registryChanged: () => {
      lists?.update(deps.upstreams());
      registrations.lookNow();
      if (isLeader) void deps.revokeTokens();
    },
  };
}

function healthChecks(
  { config, clock, log, metrics, registry, outbound, sync, catalogChanged }: LeaderJobsDeps,
): HealthChecks {
  return new HealthChecks({
    clock,
    log,
    intervalMs: config.healthCheckIntervalMs,
    timeoutMs: config.gatewayHealthCheckTimeoutMs,
    unhealthyThreshold: config.unhealthyThreshold,
    maxAtOnce: config.maxConcurrentHealthChecks,
    // A stdio upstream has no process between its sessions, so there is nothing to check. One that was never listed is tried by its
    // registration.
    gateways: async () =>
      (await registry.gateways.list()).filter(({ transport, registration }) =>
        transport !== "STDIO" && registration === null
      ),
    probe: async (row, signal) => {
      const transport = outbound.transports.make(await outbound.targetOf(row, { isOwn: true }));
      const { clientInfo } = outbound;
      await probeUpstream(transport, row, { clientInfo, timeoutMs: config.healthCheckTimeoutMs, signal });
    },
    save: (row, health) => registry.saveHealth(row, health),
    onTurn: ({ id }, turn) => {
      catalogChanged().catch((error) => log.error("catalog not read again", { error }));
      // The upstream may offer something else after an outage. A failed refresh is logged.
      if (turn === "back") sync.refresh(id).catch(() => {});
    },
    count: metrics.counter("sluice_upstream_checks_total"),
  });
}

/** Null: the settings want none. */
function autoRefresh({ config, clock, log, registry, sync }: LeaderJobsDeps): AutoRefresh | null {
  const { autoRefreshServers, gatewayAutoRefreshIntervalMs, silentUpstreamRefreshIntervalMs } = config;
  if (!autoRefreshServers && silentUpstreamRefreshIntervalMs === 0) return null;
  return new AutoRefresh({
    clock,
    log,
    intervalMs: autoRefreshServers ? gatewayAutoRefreshIntervalMs : Infinity,
    silentIntervalMs: silentUpstreamRefreshIntervalMs || Infinity,
    gateways: () => registry.gateways.list(),
    refresh: (gatewayId) => sync.refresh(gatewayId),
  });
}

function pendingRegistrations(
  { config, clock, log, metrics, registry, sync }: LeaderJobsDeps,
): PendingRegistrations {
  return new PendingRegistrations({
    clock,
    log,
    maxTries: config.registrationMaxTries,
    gateways: () => registry.gateways.list(),
    list: (gatewayId) => sync.refresh(gatewayId),
    save: (row, registration) => registry.saveHealth(row, { registration }),
    count: metrics.counter("sluice_registrations_total"),
  });
}
