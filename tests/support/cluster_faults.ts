// What happens to a cluster under load when a part of it dies or stands still.
import type { Cluster } from "./cluster.ts";
import { type ClusterLoadResult, startClusterLoad } from "./cluster_load.ts";
import type { Settings } from "./gateway.ts";
import { metric } from "./metric.ts";
import { paced } from "./pace.ts";
import type { Answer, Sluice } from "./sluice.ts";
import { waitFor } from "./wait_for.ts";

/** Settings with which replicas notice soon that a server stands still, as soon as this machine allows. */
export async function noticingSoon(): Promise<Settings> {
  const seconds = async (s: number) => String(Math.ceil(await paced(s)));
  return { DB_CONNECT_TIMEOUT: await seconds(2), REDIS_SOCKET_TIMEOUT: await seconds(1) };
}

export interface Fault {
  readonly name: string;
  readonly begin: (cluster: Cluster) => Promise<void> | void;
  readonly end: (cluster: Cluster) => Promise<void> | void;
  /** The others heal while it lasts: nothing has to come back for that. */
  readonly healsMeanwhile?: boolean;
  /** The fault lasts until one of these replicas has taken a session over, however slow the machine is. */
  readonly takenOverBy?: (cluster: Cluster) => readonly Sluice[];
  /** What no replica has meanwhile, as /ready calls it. Calls need neither of them. */
  readonly without?: "database" | "redis";
}

export interface FaultResult extends ClusterLoadResult {
  readonly fault: string;
  /** From the fault's end (or its beginning, where the others heal meanwhile) to the last failure, ms. */
  readonly healMs: number;
  /** From its beginning until /ready of every replica was 503 with the reason, ms; null where it is to stay 200. */
  readonly noticedMs: number | null;
  /** From its end until /ready of every replica was 200, ms. */
  readonly readyMs: number;
}

const ENOUGH = { answered: 50, rows: 3 };

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
    takenOverBy: (cluster) => cluster.replicas.filter((_, i) => i !== STOPPED),
  },
  {
    name: "PostgreSQL restarted",
    begin: (cluster) => cluster.servers.postgres.stop(),
    end: (cluster) => cluster.servers.postgres.startAgain(),
    without: "database",
  },
  {
    name: "PostgreSQL standing still",
    begin: (cluster) => cluster.servers.postgres.freeze(),
    end: (cluster) => cluster.servers.postgres.thaw(),
    without: "database",
  },
  {
    name: "PgBouncer restarted",
    begin: (cluster) => cluster.servers.pgbouncer.stop(),
    end: (cluster) => cluster.servers.pgbouncer.startAgain(),
    without: "database",
  },
  {
    name: "PgBouncer standing still",
    begin: (cluster) => cluster.servers.pgbouncer.freeze(),
    end: (cluster) => cluster.servers.pgbouncer.thaw(),
    without: "database",
  },
  {
    name: "Redis killed, back empty",
    begin: (cluster) => cluster.servers.redis.kill(),
    end: (cluster) => cluster.servers.redis.startAgain(),
    without: "redis",
  },
  {
    name: "Redis standing still",
    begin: (cluster) => cluster.servers.redis.freeze(),
    end: (cluster) => cluster.servers.redis.thaw(),
    without: "redis",
  },
];

/** @param holdMs how long the fault lasts, at least: it is noticed before its end */
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
  const heirs = fault.takenOverBy?.(cluster) ?? [];
  const takenOver = async () =>
    (await Promise.all(heirs.map((heir) => metric(heir, "sluice_sessions_taken_over_total"))))
      .reduce((a, b) => a + b, 0);
  const takenOverBefore = await takenOver();
  const begunAt = performance.now();
  await fault.begin(cluster);
  const held = pass(holdMs);
  const { without } = fault;
  const noticed = without === undefined ? null : await everyReplica(
    cluster,
    ({ status, body }) =>
      status === 503 && body.reasons.some((reason: string) => reason.startsWith(`${without}: `)),
    `/ready to say that there is no ${without}`,
  );
  await held;
  if (heirs.length > 0) {
    await waitFor(async () => await takenOver() > takenOverBefore, { what: "a session to be taken over" });
  }
  await fault.end(cluster);
  const endedAt = performance.now();
  const quiet = pass(quietMs);
  const ready = await everyReplica(cluster, ({ status }) => status === 200, "/ready to be 200 again");
  await quiet;
  // However slow the machine is, the fault is judged by a load that is worth the name.
  await waitFor(
    () => load.progress.answered > ENOUGH.answered && load.progress.rowsAcknowledged >= ENOUGH.rows,
    {
      what: `${ENOUGH.answered} answers and ${ENOUGH.rows} rows`,
    },
  );
  const result = await load.stop();
  const from = fault.healsMeanwhile ? begunAt : endedAt;
  return {
    ...result,
    fault: fault.name,
    healMs: Math.max(0, result.lastFailureAt - from),
    noticedMs: noticed === null ? null : noticed - begunAt,
    readyMs: ready - endedAt,
  };
}

/** Until /ready of every replica is as told. @returns when the last was, performance.now() */
async function everyReplica(
  cluster: Cluster,
  isSo: (ready: Answer) => boolean,
  what: string,
): Promise<number> {
  const times = await Promise.all(cluster.replicas.map(async (replica) => {
    await waitFor(async () => isSo(await replica.api("GET", "/ready")), {
      what,
      everyMs: 100,
    });
    return performance.now();
  }));
  return Math.max(...times);
}

/** The time that the fault lasts is what is measured: there is nothing to wait for. */
function pass(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
