// Runs the commands for the application of a worker, which come from the supervisor or through it from another worker.
import type { DownstreamSessions } from "../../downstream/session/downstream_sessions.ts";
import type { Metrics } from "../../telemetry/metrics.ts";
import type { ConfigFileChanges, ConfigFileContent } from "../../admin/imports/config_file_sync.ts";
import type { Gateway } from "./gateway.ts";
import type { AppCommand, CommandResults, SessionHandover } from "../protocol/messages.ts";
import type { RateLimits } from "../../http/shared_rate_limits.ts";
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
      return { worker, metrics: metrics.snapshot(), pool: pool.snapshot() };
    case "rate_counts":
      return rateLimits?.ownOf(command.names) ?? null;
    case "hand_over":
      succession.handOver();
      void leaderJobs?.resign();
      return await releaseAll(deps);
    case "take_over":
      try {
        adoptAll(deps, command.sessions);
      } finally {
        succession.takeOver();
      }
      return null;
    case "apply_config_file":
      return await deps.applyConfigFile(command.content);
    case "end_channels":
      await duplex.drainOpen();
      return null;
    case "drain_pool":
      return pool.drain(({ upstreamId }) => command.upstreamId === null || upstreamId === command.upstreamId);
  }
}

function releaseAll(
  { sessions, gateway: { upstreams } }: CommandDeps,
): Promise<SessionHandover[]> {
  return Promise.all(
    sessions.release().map(async (session) => {
      // Before the state is read: sessions that are still being opened belong to it.
      const transfers = await upstreams.transfer(session.bound);
      const { id, name, owner, principal, state } = session;
      return { session: { id, name, owner, principal, state }, upstreams: transfers };
    }),
  );
}

function adoptAll(
  { sessions, gateway: { upstreams, catalog } }: CommandDeps,
  handovers: readonly SessionHandover[],
): void {
  for (const { session, upstreams: transfers } of handovers) {
    const adopted = sessions.adopt(session);
    upstreams.adopt(adopted.bound, transfers);
    // The catalog may have changed between the two workers.
    adopted.review(catalog.now, upstreams);
  }
}
