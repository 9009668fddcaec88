// What a number of users asks of each replica and each worker: calls at once, connections, memory, processors.

/** The users, and the machines that serve them. All numbers are above 0, `thinkMs` may be 0. */
export interface Load {
  /** People or agents that are connected at the same time. */
  readonly users: number;
  readonly replicas: number;
  /** Processors of each replica; a fraction is a share of one. */
  readonly vcpu: number;
  /** Memory of each replica, MiB. */
  readonly ramMb: number;
  /** Time that an upstream takes for a call. */
  readonly latencyMs: number;
  /** Pause of a user between an answer and the next call; 0: every user has a call under way all the time. */
  readonly thinkMs: number;
  /** Processor time of a call in the gateway, as measured on this machine; null: the project's own measurement. */
  readonly callMicros: number | null;
}

/** `latencyMs` and `thinkMs` where nobody has said more of the users. */
export const [USUAL_LATENCY_MS, USUAL_THINK_MS] = [200, 3_000];

/** What stands beside the gateway. PgBouncer implies PostgreSQL. */
export interface Surroundings {
  readonly database: "sqlite" | "postgres" | "pgbouncer";
  readonly redis: boolean;
  /** fs.file-max of the machine, which a plan never lowers; null: unknown. */
  readonly fileMax: number | null;
}

export interface Demand {
  /** Users of a replica while one of several replicas is away. */
  readonly usersPerReplica: number;
  readonly workers: number;
  /** Calls a second of all users. */
  readonly callsPerSecond: number;
  /** Calls a second of a replica while one of several is away. */
  readonly callsPerReplica: number;
  /** Calls that a worker has under way at the same time. */
  readonly callsAtOnce: number;
  /** Calls that arrive at a worker while it stands still. */
  readonly callsOfAStall: number;
  /** Users whose connections the kernel gives to one worker. */
  readonly usersPerWorker: number;
  /** Processor time of a call. */
  readonly callMicros: number;
  /** Share of the replica's processors that the calls take: 0 to 1, or more than it has. */
  readonly processorShare: number;
  /** Memory that the gateway takes with all users connected, MiB. */
  readonly memoryMb: number;
}

/** WORKERS=auto of `serve` has the same limit. */
const MAX_WORKERS = 16;

/** The least heap that a worker of a loaded gateway should have, MiB. */
const LEAST_HEAP_MB = 256;

/** The share of the memory that heaps may fill: buffers, code and the main thread need the rest. */
export const HEAP_SHARE = 0.75;

/**
 * Processor time of a call with thousands of connections that each call now and then, measured on two shared cores: 323 µs in one
 * replica. In a cluster behind a balancer without sticky routing, two thirds of the calls are forwarded: 456 µs.
 */
const [CALL_MICROS, CLUSTER_CALL_MICROS] = [323, 456];

/** Calls may take this share of the processors: above it, waiting times grow faster than the load. */
export const PROCESSOR_SHARE = 0.6;

/** A full collection, a slow disk or a busy neighbour stops a worker for this long. Calls that arrive meanwhile are served late. */
export const STALL_SECONDS = 2;

/**
 * Memory of the process, of each worker, and of each user with a connection, a session and an event stream, MiB. Measured in control groups
 * of 256 MiB to 2 GiB with the executable, 1,000 to 6,500 users and one or two workers (`sluice help sizing`): what the kernel counted was
 * 0 to 11 % below the sum.
 */
const [BASE_MB, WORKER_MB, USER_MB] = [70, 30, 0.125];

/** @returns what each replica and worker has to bear. All numbers grow with the users, and with the calls of each. */
export function demandOf(load: Load): Demand {
  const { users, replicas, vcpu, ramMb, latencyMs, thinkMs } = load;
  const usersPerReplica = Math.ceil(users / bearing(replicas));
  const workers = Math.max(
    1,
    Math.min(Math.floor(vcpu), MAX_WORKERS, Math.floor(HEAP_SHARE * ramMb / LEAST_HEAP_MB)),
  );
  const round = latencyMs + thinkMs;
  const callsPerReplica = usersPerReplica * 1000 / round;
  const callMicros = load.callMicros ?? (replicas > 1 ? CLUSTER_CALL_MICROS : CALL_MICROS);
  return {
    usersPerReplica,
    workers,
    callsPerSecond: users * 1000 / round,
    callsPerReplica,
    callsAtOnce: Math.min(usersPerReplica, shareOfWorker(usersPerReplica * latencyMs / round, workers)),
    callsOfAStall: Math.min(
      shareOfWorker(usersPerReplica, workers),
      Math.ceil(STALL_SECONDS * callsPerReplica / workers),
    ),
    usersPerWorker: Math.min(usersPerReplica, shareOfWorker(usersPerReplica, workers)),
    callMicros,
    processorShare: callsPerReplica * callMicros / (vcpu * 1_000_000),
    memoryMb: Math.ceil(BASE_MB + workers * WORKER_MB + usersPerReplica * USER_MB),
  };
}

/** Replicas that serve everybody while one of several is away. */
export function bearing(replicas: number): number {
  return Math.max(1, replicas - 1);
}

/** The fewest replicas of this machine whose processors and memory suffice; null: the load's replicas do; Infinity: no number does. */
export function replicasNeeded(load: Load): number | null {
  const suffices = (replicas: number) => {
    const { processorShare, memoryMb } = demandOf({ ...load, replicas });
    return processorShare <= PROCESSOR_SHARE && memoryMb <= HEAP_SHARE * load.ramMb;
  };
  if (suffices(load.replicas)) return null;
  const { processorShare, memoryMb } = demandOf({ ...load, replicas: 2 });
  // Both fall with the number of replicas that bear the load, memory not below what a replica takes at rest.
  let replicas = Math.max(2, load.replicas, Math.ceil(processorShare / PROCESSOR_SHARE) + 1);
  const most = Math.ceil(load.users / 10) + replicas + Math.ceil(memoryMb / load.ramMb);
  while (!suffices(replicas) && replicas < most) replicas++;
  return suffices(replicas) ? replicas : Infinity;
}

/**
 * The busiest worker's share of `total`. The kernel gives each connection to a worker by chance, so that shares differ by the square
 * root of the mean; four times that is exceeded once in 30,000.
 */
function shareOfWorker(total: number, workers: number): number {
  const mean = total / workers;
  return Math.ceil(mean + 4 * Math.sqrt(mean));
}
