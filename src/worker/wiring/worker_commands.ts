// Runs the commands for the application of a worker, which come from the supervisor or through it from another worker.
import type { DownstreamSessions } from "../../downstream/session/downstream_sessions.ts";
import type { Metrics } from "../../telemetry/metrics.ts";
import type { ConfigFileChanges, ConfigFileContent } from "../../admin/imports/config_file_sync.ts";
import type { Gateway } from "./gateway.ts";
import type { AppCommand, CommandResults, Handover } from "../protocol/messages.ts";
import type { RateLimits } from "../../http/limits/shared_rate_limits.ts";
import type { Cluster } from "../../cluster/cluster.ts";
import type { LeaderJobs } from "../../cluster/leader_jobs.ts";
import type { Succession } from "../handover/succession.ts";

export interface CommandDeps {
  readonly worker: number;
  readonly gateway: Gateway;
  readonly metrics: Metrics;
  readonly sessions: DownstreamSessions;
  /** null: the process has no other replicas. */
  readonly cluster: Cluster | null;
  readonly succession: Succession;
  /** null: another worker of this process applies for them. */
  readonly leaderJobs: LeaderJobs | null;
  /** null: RATE_LIMITING_ENABLED=false. */
  readonly rateLimits: RateLimits | null;
  readonly applyConfigFile: (content: ConfigFileContent) => Promise<ConfigFileChanges>;
}

export async function runCommand(
  command: AppCommand,
  deps: CommandDeps,
): Promise<CommandResults[AppCommand["type"]]> {
  const { worker, gateway, metrics, sessions, cluster, leaderJobs, succession, rateLimits } = deps;
  const { catalog, store: { registry }, upstreams, pool, duplex } = gateway;
  switch (command.type) {
    case "read_catalog":
      return await catalog.refresh(command.version);
    case "client_said":
      return sessions.hear(command.session, command.text, upstreams);
    case "catalog_version":
      return await registry.readCatalogVersion().catch(() => null);
    case "replica_record":
      return cluster?.recordOf(command.replica) ?? null;
    case "report":
      return { worker, metrics: metrics.gauges(), pool: pool.snapshot() };
    case "upstream_load":
      return { processes: gateway.outbound.processes(), calls: gateway.callsByUpstream() };
    case "rate_counts":
      return rateLimits?.ownOf(command.names) ?? null;
    case "hand_over":
      succession.handOver();
      void leaderJobs?.resign();
      return await releaseAll(deps);
    case "take_over":
      try {
        adoptAll(deps, command.handover);
      } finally {
        succession.takeOver();
      }
      return null;
    case "apply_config_file":
      return await deps.applyConfigFile(command.content);
    case "end_channels":
      await duplex.drainOpen();
      return null;
    case "renew_secrets":
      gateway.outbound.secrets.renew();
      return null;
    case "drain_pool":
      return pool.drain(({ upstreamId }) => command.upstreamId === null || upstreamId === command.upstreamId);
  }
}

async function releaseAll(
  { sessions, gateway: { upstreams, callerSessions } }: CommandDeps,
): Promise<Handover> {
  const released = sessions.release().map(async (session) => {
    // Before the state is read: sessions that are still being opened belong to it.
    const transfers = await upstreams.transfer(session.bound);
    const { id, name, owner, principal, state } = session;
    return { session: { id, name, owner, principal, state }, upstreams: transfers };
  });
  const callers = callerSessions.release().map(async ({ key, bound }) => {
    const transfers = await upstreams.transfer(bound);
    return { key, upstreams: transfers, workerLocal: bound.client.workerLocal.upstreamIds };
  });
  return { sessions: await Promise.all(released), callers: await Promise.all(callers) };
}

function adoptAll(
  { sessions, gateway: { upstreams, callerSessions, catalog } }: CommandDeps,
  handover: Handover,
): void {
  for (const { session, upstreams: transfers } of handover.sessions) {
    const adopted = sessions.adopt(session);
    upstreams.adopt(adopted.bound, transfers);
    // The catalog may have changed between the two workers.
    adopted.review(catalog.now, upstreams);
  }
  for (const { key, upstreams: transfers, workerLocal } of handover.callers) {
    if (transfers.length + workerLocal.length === 0) continue;
    callerSessions.adopt(key, workerLocal, (bound) => upstreams.adopt(bound, transfers));
  }
}
