// The plan: every setting and limit for a load, each with its formula. One pure function.
import {
  bearing,
  type Demand,
  demandOf,
  HEAP_SHARE,
  type Load,
  PROCESSOR_SHARE,
  replicasNeeded,
  type Surroundings,
} from "./demand.ts";
import type { Figure } from "./figure.ts";
import { kernelFigures } from "./kernel_figures.ts";
import { pgbouncerFigures, postgresFigures, redisFigures } from "./server_figures.ts";
import { settingFigures } from "./setting_figures.ts";
import { databaseConnections, descriptorsNeeded } from "./sums.ts";

export interface Plan {
  readonly load: Load;
  readonly surroundings: Surroundings;
  readonly demand: Demand;
  /** Lines of .env. */
  readonly settings: readonly Figure[];
  /** Lines of postgresql.conf, pgbouncer.ini and redis.conf; empty: the gateway does not use the server. */
  readonly postgres: readonly Figure[];
  readonly pgbouncer: readonly Figure[];
  readonly redis: readonly Figure[];
  readonly sysctl: readonly Figure[];
  /** Limits of open files. */
  readonly files: Readonly<Record<"gateway" | "postgres" | "pgbouncer" | "redis" | "nginx", number>>;
  /** Open files that the gateway can need with these settings and users. */
  readonly filesNeeded: number;
  /** Connections of clients that nginx has to hold, each with one to a gateway. */
  readonly proxyConnections: number;
  /** Time in seconds that a gateway may take to stop. */
  readonly stopSeconds: number;
  /** Sentences: where the machines do not suffice for the load. */
  readonly shortfalls: readonly string[];
}

/** ContextForge's tuning guide gives a gateway, PgBouncer and Redis this limit of open files, and PostgreSQL the second. */
const [FILES, POSTGRES_FILES] = [65_536, 8_192];

export function planOf(load: Load, surroundings: Surroundings): Plan {
  const demand = demandOf(load);
  const settings = settingFigures(load, demand, surroundings);
  const number = (name: string) => Number(settings.find((figure) => figure.name === name)?.value);
  const pool = {
    workers: demand.workers,
    dbPoolSize: number("DB_POOL_SIZE"),
    dbMaxOverflow: number("DB_MAX_OVERFLOW"),
  };
  const connections = surroundings.database === "sqlite" ? 0 : databaseConnections(pool, load.replicas);
  const pgbouncer = surroundings.database === "pgbouncer" ? pgbouncerFigures(connections, load.users) : [];
  const postgres = connections === 0 ? [] : postgresFigures(connections, pgbouncer);
  const redis = surroundings.redis ? redisFigures(load, demand) : [];
  const valueOf = (figures: readonly Figure[], name: string) =>
    Number(figures.find((figure) => figure.name === name)?.value ?? 0);
  const gateway = descriptorsNeeded({
    ...pool,
    backpressure: number("BACKPRESSURE"),
    maxStreams: number("MAX_STREAMS"),
    httpClientMaxConnections: number("HTTP_CLIENT_MAX_CONNECTIONS"),
    databaseUrl: surroundings.database,
    cacheType: surroundings.redis ? "redis" : "database",
  }) + 2 * demand.usersPerReplica;
  const proxyConnections = 2 * load.users;
  const files = {
    gateway: Math.max(FILES, gateway),
    postgres: Math.max(POSTGRES_FILES, 2 * valueOf(postgres, "max_connections")),
    pgbouncer: Math.max(
      FILES,
      valueOf(pgbouncer, "max_client_conn") + valueOf(pgbouncer, "max_db_connections") + 100,
    ),
    redis: Math.max(FILES, valueOf(redis, "maxclients") + 100),
    nginx: Math.max(FILES, 2 * proxyConnections + 100),
  };
  return {
    load,
    surroundings,
    demand,
    settings,
    postgres,
    pgbouncer,
    redis,
    sysctl: kernelFigures({
      files: Object.values(files).reduce((sum, limit) => sum + limit),
      backlog: number("BACKLOG"),
      fileMax: surroundings.fileMax,
    }),
    files,
    filesNeeded: gateway,
    proxyConnections,
    stopSeconds: number("GRACEFUL_TIMEOUT") + 10,
    shortfalls: shortfallsOf(load, demand, surroundings),
  };
}

function shortfallsOf(load: Load, demand: Demand, { database }: Surroundings): string[] {
  const { replicas, vcpu, ramMb } = load;
  const { processorShare, memoryMb, callMicros, callsPerReplica, usersPerReplica } = demand;
  const each = replicas > 1 ? `each of ${bearing(replicas)} replicas, while one is away` : "the gateway";
  const shortfalls: string[] = [];
  if (processorShare > PROCESSOR_SHARE) {
    shortfalls.push(
      `The processors do not suffice: ${Math.ceil(callsPerReplica)} calls a second of ${
        Math.round(callMicros)
      } µs take ${Math.ceil(processorShare * 100)} % of ${vcpu} vCPU of ${each}, and ${
        PROCESSOR_SHARE * 100
      } % is the most that leaves room.`,
    );
  }
  if (memoryMb > HEAP_SHARE * ramMb) {
    shortfalls.push(
      `The memory does not suffice: ${usersPerReplica} ${
        usersPerReplica === 1 ? "user takes" : "users take"
      } about ${memoryMb} MiB of ${each}, and ${HEAP_SHARE * 100} % of ${ramMb} MiB are ${
        Math.floor(HEAP_SHARE * ramMb)
      }.`,
    );
  }
  const needed = replicasNeeded(load);
  if (needed === Infinity) {
    shortfalls.push("No number of replicas of this machine suffices: take a larger one.");
  } else if (needed !== null) shortfalls.push(`${needed} replicas of this machine would suffice.`);
  if (database === "sqlite" && replicas > 1) {
    shortfalls.push("Replicas on several machines need PostgreSQL.");
  }
  return shortfalls;
}
