// What the application of a worker answers when the supervisor, or another worker through it, asks.
import { announceListChanges } from "../../downstream/client/list_changes.ts";
import type { DownstreamSessions } from "../../downstream/session/downstream_sessions.ts";
import type { Metrics } from "../../telemetry/metrics.ts";
import type { Gateway } from "./gateway.ts";
import type { Answers, AppQuestion, SessionHandover } from "../protocol/messages.ts";
import type { RateLimits } from "../../http/shared_rate_limits.ts";
import type { Cluster } from "../../cluster/cluster.ts";
import type { LeaderJobs } from "../../cluster/leader_jobs.ts";
import type { Succession } from "../handover/succession.ts";

export interface AnswersDeps {
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
}

export async function answerQuestion(
  question: AppQuestion,
  deps: AnswersDeps,
): Promise<Answers[AppQuestion["type"]]> {
  const { worker, gateway, metrics, sessions, cluster, leaderJobs, succession, rateLimits } = deps;
  const { catalog, store: { registry }, upstreams, pool, duplex } = gateway;
  switch (question.type) {
    case "read_catalog":
      return await catalog.refresh(question.version);
    case "announce":
      announceListChanges(sessions, catalog.now, catalog.now, [question.change]);
      gateway.tellClients(question.change);
      return null;
    case "client_said":
      return sessions.hear(question.session, question.text, upstreams);
    case "catalog_version":
      return await registry.readCatalogVersion().catch(() => null);
    case "replica_record":
      return cluster?.recordOf(question.replica) ?? null;
    case "report":
      return { worker, metrics: metrics.snapshot(), pool: pool.snapshot() };
    case "rate_counts":
      return rateLimits?.ownOf(question.names) ?? null;
    case "hand_over":
      succession.handOver();
      void leaderJobs?.resign();
      return await releaseAll(deps);
    case "take_over":
      try {
        adoptAll(deps, question.sessions);
      } finally {
        succession.takeOver();
      }
      return null;
    case "end_channels":
      await duplex.drainOpen();
      return null;
    case "drain_pool":
      return pool.drain(({ upstreamId }) =>
        question.upstreamId === null || upstreamId === question.upstreamId
      );
  }
}

function releaseAll(
  { sessions, gateway: { upstreams } }: AnswersDeps,
): Promise<SessionHandover[]> {
  return Promise.all(
    sessions.release().map(async (session) => {
      // First: what was still being opened belongs to the state.
      const transfers = await upstreams.transfer(session.bound);
      const { id, name, owner, state } = session;
      return { session: { id, name, owner, state }, upstreams: transfers };
    }),
  );
}

function adoptAll(
  { sessions, gateway: { upstreams } }: AnswersDeps,
  handovers: readonly SessionHandover[],
): void {
  for (const { session, upstreams: transfers } of handovers) {
    upstreams.adopt(sessions.adopt(session).bound, transfers);
  }
}
