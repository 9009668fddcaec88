// What happens to a cluster under load when a part of it dies or stands still.
import type { Cluster } from "./cluster.ts";
import { type ClusterLoadResult, startClusterLoad } from "./cluster_load.ts";
import { waitFor } from "./wait_for.ts";

export interface Fault {
  readonly name: string;
  readonly begin: (cluster: Cluster) => Promise<void> | void;
  readonly end: (cluster: Cluster) => Promise<void> | void;
  /** The others heal while it lasts: nothing has to come back for that. */
  readonly healsMeanwhile?: boolean;
}

export interface FaultResult extends ClusterLoadResult {
  readonly fault: string;
  /** From the fault's end (or its beginning, where the others heal meanwhile) to the last failure, ms. */
  readonly healMs: number;
}

const KILLED = 1;
const STOPPED = 2;

export const FAULTS: readonly Fault[] = [
  {
    name: "a replica killed with -9",
    begin: (cluster) => cluster.replicas[KILLED]!.kill(),
    end: (cluster) => cluster.startAgain(KILLED),
    healsMeanwhile: true,
  },
  {
    name: "a replica standing still",
    begin: (cluster) => Deno.kill(cluster.replicas[STOPPED]!.pid, "SIGSTOP"),
    end: (cluster) => Deno.kill(cluster.replicas[STOPPED]!.pid, "SIGCONT"),
  },
  {
    name: "PostgreSQL restarted",
    begin: (cluster) => cluster.postgres.stop(),
    end: (cluster) => cluster.postgres.startAgain(),
  },
  {
    name: "PgBouncer restarted",
    begin: (cluster) => cluster.pgbouncer.stop(),
    end: (cluster) => cluster.pgbouncer.startAgain(),
  },
  {
    name: "PgBouncer standing still",
    begin: (cluster) => cluster.pgbouncer.freeze(),
    end: (cluster) => cluster.pgbouncer.thaw(),
  },
  {
    name: "Redis killed, back empty",
    begin: (cluster) => cluster.redis.kill(),
    end: (cluster) => cluster.redis.startAgain(),
  },
  {
    name: "Redis standing still",
    begin: (cluster) => cluster.redis.freeze(),
    end: (cluster) => cluster.redis.thaw(),
  },
];

/** @param holdMs how long the fault lasts */
export async function runFault(
  cluster: Cluster,
  fault: Fault,
  { holdMs, clients, pauseMs, quietMs }: {
    readonly holdMs: number;
    readonly clients: number;
    readonly pauseMs: number;
    /** Load before the fault and after its end. */
    readonly quietMs: number;
  },
): Promise<FaultResult> {
  const name = fault.name.replaceAll(/[^A-Za-z0-9]+/g, "-");
  const load = await startClusterLoad(cluster, { clients, pauseMs, name });
  await pass(quietMs);
  await fault.begin(cluster);
  const begunAt = performance.now();
  await pass(holdMs);
  await fault.end(cluster);
  const endedAt = performance.now();
  await pass(quietMs);
  const result = await load.stop();
  await waitFor(async () => {
    const answers = await Promise.all(cluster.replicas.map((replica) => replica.api("GET", "/ready")));
    return answers.every(({ status }) => status === 200);
  }, { what: "every replica to be ready", deadlineMs: 30_000 });
  const from = fault.healsMeanwhile ? begunAt : endedAt;
  return { ...result, fault: fault.name, healMs: Math.max(0, result.lastFailureAt - from) };
}

/** The time that the fault lasts is what is measured: there is nothing to wait for. */
function pass(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
