// The settings of the gateway that follow from a load: the lines of .env.
import type { SettingName } from "../config/schema.ts";
import { type Demand, HEAP_SHARE, type Load, STALL_SECONDS, type Surroundings } from "./demand.ts";
import { atLeast, atMost, exactly, type Figure, suggested } from "./figure.ts";

/** From this number of users on, ContextForge's tuning guide gives its values for high concurrency. */
export const MANY_USERS = 1_000;

/** The guide's recommendation: 16 workers x BACKPRESSURE 64. */
const REQUESTS_OF_A_PROCESS = 1_024;

/** What a process takes beside the heaps, MiB: the program and its buffers. An idle one took 72 MB, its small heap included. */
const BESIDE_HEAPS_MB = 128;

/** One upstream may have four fifths of a worker's outbound connections. */
const UPSTREAM_SHARE = 0.8;

/** The most that MAX_STREAMS and MAX_SESSIONS take. */
const MOST_OF_A_WORKER = 1_000_000;

/** The most that HTTP_CLIENT_MAX_CONNECTIONS takes. */
const MOST_CONNECTIONS = 100_000;

/** PgBouncer's client_idle_timeout in the guide. */
export const CLIENT_IDLE_SECONDS = 120;

/** A user's client may have lost a session that lives on until SESSION_TTL. */
const SESSIONS_OF_A_USER = 2;

/** All users connect again within this time after an outage; each session is recorded by so many statements of so many ms. */
const [RECONNECT_SECONDS, STATEMENTS_OF_A_SESSION, STATEMENT_MS] = [60, 3, 10];

export function settingFigures(load: Load, demand: Demand, surroundings: Surroundings): SettingFigure[] {
  return [
    ...workerFigures(load, demand),
    ...sessionFigures(load, demand),
    ...outboundFigures(load, demand),
    ...databaseFigures(demand, load, surroundings),
    ...cacheFigures(surroundings),
    ...logFigures(),
  ];
}

type SettingFigure = Figure<SettingName>;

function workerFigures(load: Load, demand: Demand): SettingFigure[] {
  const { vcpu, ramMb } = load;
  const { workers } = demand;
  const heap = heapOf(load, demand);
  const backpressure = backpressureOf(demand);
  return [
    exactly(
      "WORKERS",
      workers,
      `min(vCPU ${vcpu}, 16, ${
        HEAP_SHARE * 100
      } % of ${ramMb} MiB / 256 MiB). The guide has 2 to 4 for each vCPU, ` +
        "because its workers wait for answers. A worker here serves others meanwhile. Measured: a second worker takes 8 % more CPU for each call.",
    ),
    atLeast(
      "BACKPRESSURE",
      backpressure,
      `max(the guide's 1024 / WORKERS ${workers}, 2 x ${demand.callsAtOnce} calls at once, ` +
        `${demand.callsOfAStall} calls that arrive in ${STALL_SECONDS} s while a worker stands still). Calls at once of the busiest ` +
        `worker: users x latency / (latency + pause) / WORKERS = ${
          Math.ceil(callsAtOnce(load, demand))
        }, and four times its square root, because the kernel gives connections to workers by chance. ` +
        "A request above it gets 503 at once.",
      Math.max(demand.callsAtOnce, Math.ceil(demand.callsOfAStall / 2)),
    ),
    suggested(
      "MAX_CALLS_PER_CALLER",
      Math.min(256, Math.floor(backpressure / 2)),
      `min(256, BACKPRESSURE ${backpressure} / 2): one caller never takes all places of a worker. Each user has a token of their own.`,
    ),
    suggested(
      "BACKLOG",
      load.users >= MANY_USERS ? 4_096 : 2_048,
      `The guide's value for ${
        load.users >= MANY_USERS ? `${MANY_USERS} and more` : `fewer than ${MANY_USERS}`
      } users. net.core.somaxconn must allow it.`,
    ),
    atMost(
      "WORKER_MAX_HEAP_MB",
      heap,
      `min(${
        HEAP_SHARE * 100
      } % of ${ramMb} MiB, ${ramMb} - ${BESIDE_HEAPS_MB} MiB beside the heaps) / WORKERS ${workers}, from 128 to 4096. ` +
        "A worker that reaches it ends alone; without a limit, or above this one, the kernel ends the whole process.",
    ),
    suggested(
      "MAX_CLIENT_MEMORY_MB",
      clientMemoryOf(heap),
      `WORKER_MAX_HEAP_MB ${heap} / 4, from 64 to 1024. Above half of the heap a worker would be replaced before clients are refused.`,
    ),
    suggested(
      "GRACEFUL_TIMEOUT",
      30,
      "The guide has none. Calls under way have this time at a stop; TimeoutStopSec is 10 s more.",
    ),
  ];
}

function sessionFigures(load: Load, demand: Demand): SettingFigure[] {
  const { usersPerReplica, usersPerWorker, workers } = demand;
  const slow = Math.ceil(load.latencyMs / 1000);
  return [
    atLeast(
      "MAX_STREAMS",
      Math.min(MOST_OF_A_WORKER, Math.max(4_096, Math.ceil(1.25 * usersPerWorker))),
      `max(4096, 1.25 x ${usersPerWorker} users of the busiest worker): each client keeps an event stream. ` +
        `${usersPerReplica} users / WORKERS ${workers}, and four times the square root of that.`,
      usersPerWorker,
    ),
    atLeast(
      "MAX_SESSIONS",
      Math.min(MOST_OF_A_WORKER, Math.max(20_000, SESSIONS_OF_A_USER * usersPerWorker)),
      `max(20000, ${SESSIONS_OF_A_USER} x ${usersPerWorker}): a client that reconnects leaves a session until SESSION_TTL.`,
      usersPerWorker,
    ),
    atLeast(
      "TOOL_TIMEOUT",
      Math.max(60, 10 * slow),
      `max(60, 10 x ${load.latencyMs} ms). The guide: at least the slowest call. A tool's own timeout_ms wins.`,
      2 * slow,
    ),
    exactly(
      "MCP_SESSION_POOL_ENABLED",
      "true",
      "The guide's value. It serves calls without a session (/rpc). Identity comes from the verified token, so that " +
        "ENABLE_HEADER_PASSTHROUGH is not needed for it, and no user meets another's state.",
    ),
    suggested(
      "MCP_SESSION_POOL_MAX_PER_KEY",
      load.users >= MANY_USERS ? Math.min(200, Math.max(50, demand.callsAtOnce)) : 10,
      load.users >= MANY_USERS
        ? `The guide's 50 to 200 for ${MANY_USERS} and more users, within that the ${demand.callsAtOnce} calls at once of a worker. ` +
          "A key is one user here, so that only shared tokens reach it."
        : "The guide's baseline. A key is one user here.",
    ),
    suggested("MCP_SESSION_POOL_TTL", 300, "The guide's value for every load."),
    atLeast(
      "MCP_SESSION_POOL_TRANSPORT_TIMEOUT",
      Math.max(30, 10 * slow),
      `max(the guide's 30, 10 x ${load.latencyMs} ms), for lists and reads. Tool calls have TOOL_TIMEOUT.`,
      2 * slow,
    ),
    suggested(
      "MCP_SESSION_POOL_ACQUIRE_TIMEOUT",
      load.users >= MANY_USERS ? 60 : 30,
      `The guide's value for ${
        load.users >= MANY_USERS ? "many" : "few"
      } users. A released session wakes the first call that waits.`,
    ),
  ];
}

function outboundFigures({ users }: Load, demand: Demand): SettingFigure[] {
  const backpressure = backpressureOf(demand);
  const guide = users >= MANY_USERS ? 200 : 100;
  const kept = Math.min(Math.max(guide / 2, demand.callsAtOnce), connectionsOf(backpressure, guide));
  return [
    atLeast(
      "HTTP_CLIENT_MAX_CONNECTIONS",
      connectionsOf(backpressure, guide),
      `max(the guide's ${guide}, BACKPRESSURE ${backpressure} / ${UPSTREAM_SHARE}): every admitted call has a connection at once, ` +
        "also if all go to one upstream, which may take four fifths. With fewer, calls wait for HTTP_CLIENT_POOL_TIMEOUT.",
      demand.callsAtOnce / UPSTREAM_SHARE,
    ),
    atLeast(
      "HTTP_CLIENT_MAX_KEEPALIVE_CONNECTIONS",
      kept,
      `max(the guide's ${
        guide / 2
      }, ${demand.callsAtOnce} calls at once): a steady load opens no connection.`,
      Math.min(demand.callsAtOnce, kept),
    ),
    suggested("HTTP_CLIENT_KEEPALIVE_EXPIRY", 30, "The guide's value: a kept connection saves a handshake."),
    suggested("HTTP_CLIENT_CONNECT_TIMEOUT", 5, "The guide's value."),
    suggested(
      "HTTP_CLIENT_READ_TIMEOUT",
      users >= MANY_USERS ? 120 : 30,
      "The guide's value. It is the longest pause within an answer here; TOOL_TIMEOUT limits the wait for it.",
    ),
    suggested("HTTP_CLIENT_POOL_TIMEOUT", users >= MANY_USERS ? 10 : 5, "The guide's value."),
  ];
}

function databaseFigures(demand: Demand, { users }: Load, { database }: Surroundings): SettingFigure[] {
  if (database === "sqlite") return [];
  const busy = demand.usersPerReplica / demand.workers / RECONNECT_SECONDS * STATEMENTS_OF_A_SESSION *
    STATEMENT_MS /
    1000;
  const size = Math.min(20, Math.max(5, Math.ceil(2 * busy)));
  const isPooled = database === "pgbouncer";
  return [
    exactly("DB_POOL_CLASS", "queue", "The guide's value: connections are kept open."),
    suggested(
      "DB_POOL_PRE_PING",
      "true",
      "The guide's value: a connection that the server closed is noticed before use.",
    ),
    atLeast(
      "DB_POOL_SIZE",
      size,
      `2 x (${demand.usersPerReplica} users / WORKERS ${demand.workers} / ${RECONNECT_SECONDS} s x ${STATEMENTS_OF_A_SESSION} ` +
        `statements x ${STATEMENT_MS} ms), from 5 to the guide's 20. The guide's formula is users / workers x 0.5, because its calls ` +
        "ask the database. Measured here: a call makes no statement, so that only clients which connect count.",
    ),
    suggested("DB_MAX_OVERFLOW", 10, "The guide's value."),
    suggested("DB_POOL_TIMEOUT", users >= MANY_USERS ? 60 : 30, "The guide's value."),
    atMost(
      "DB_POOL_RECYCLE",
      isPooled ? CLIENT_IDLE_SECONDS / 2 : 1800,
      isPooled
        ? `Half of PgBouncer's client_idle_timeout of ${CLIENT_IDLE_SECONDS} s: else PgBouncer closes a connection first.`
        : "The guide's value without PgBouncer is 3600; half of it, as its server_lifetime.",
    ),
  ];
}

function cacheFigures({ redis }: Surroundings): SettingFigure[] {
  if (!redis) {
    return [
      suggested(
        "CACHE_TYPE",
        "database",
        "Session records outlive a worker and a replica. No Redis is planned.",
      ),
    ];
  }
  return [
    exactly("CACHE_TYPE", "redis", "The guide's value. Replicas learn of a change within 250 ms."),
    suggested(
      "REDIS_MAX_CONNECTIONS",
      50,
      "The guide's formula is calls at once / workers x 1.5. It does not apply: a worker sends all commands over one connection.",
    ),
    suggested(
      "REDIS_SOCKET_TIMEOUT",
      "1.0",
      "The guide's value for production: a command takes less than 100 ms.",
    ),
    suggested("REDIS_SOCKET_CONNECT_TIMEOUT", "1.0", "The guide's value for production."),
    suggested(
      "REDIS_HEALTH_CHECK_INTERVAL",
      15,
      "The guide's value for production: a stale connection is noticed sooner.",
    ),
  ];
}

function logFigures(): SettingFigure[] {
  return [
    suggested(
      "LOG_LEVEL",
      "INFO",
      "The guide has ERROR. It is not needed: a call that succeeds writes no line, and warnings name what to mend.",
    ),
    exactly("DISABLE_ACCESS_LOG", "true", "The guide's value: no line for each request."),
    suggested(
      "AUDIT_TRAIL_ENABLED",
      "false",
      "The guide's value. Set it true where changes must be on record: calls are recorded with AUDIT_TOOL_CALLS alone.",
    ),
  ];
}

/** The mean of a worker. */
function callsAtOnce({ latencyMs, thinkMs }: Load, { usersPerReplica, workers }: Demand): number {
  return usersPerReplica * latencyMs / (latencyMs + thinkMs) / workers;
}

function backpressureOf({ workers, callsAtOnce, callsOfAStall }: Demand): number {
  const wanted = Math.max(Math.ceil(REQUESTS_OF_A_PROCESS / workers), 2 * callsAtOnce, callsOfAStall);
  return Math.min(wanted, UPSTREAM_SHARE * MOST_CONNECTIONS);
}

function connectionsOf(backpressure: number, guide: number): number {
  return Math.min(MOST_CONNECTIONS, Math.max(guide, Math.ceil(backpressure / UPSTREAM_SHARE)));
}

function heapOf({ ramMb }: Load, { workers }: Demand): number {
  const heaps = Math.min(HEAP_SHARE * ramMb, ramMb - BESIDE_HEAPS_MB);
  return Math.max(128, Math.min(4_096, Math.floor(heaps / workers)));
}

function clientMemoryOf(heapMb: number): number {
  return Math.max(64, Math.min(1_024, Math.floor(heapMb / 4)));
}
