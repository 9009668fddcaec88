// Judges Redis: reachable, what it does when its memory is full, connections, TLS, clock.
import type { Config } from "../../../config/schema.ts";
import { redisConnections } from "../../../tuning/sums.ts";
import { type Finding, sentence } from "../finding.ts";
import type { RedisAnswer, RedisFacts } from "./redis_facts.ts";
import { checkClock, severityOfPlain } from "./shared_checks.ts";

const MIB = 1024 * 1024;

/** A Redis with this share of its memory taken is nearly full. */
const FULL = 0.9;

export function checkRedis({ workers }: Pick<Config, "workers">, facts: RedisFacts): Finding[] {
  const { answer, location } = facts;
  if ("reason" in answer) {
    const [, host, port] = /^\[?(.*?)\]?:(\d+)$/.exec(location) ?? [];
    return [{
      id: "redis.unreachable",
      severity: "error",
      found: `Redis at ${location} cannot be used: ${answer.reason}.`,
      why: "CACHE_TYPE=redis keeps the sessions there: requests that need them get 503.",
      fix: /NOAUTH|WRONGPASS/.test(answer.reason)
        ? urlLine(facts, `${facts.user}:PASSWORD@${location}`)
        : `redis-cli -h ${host} -p ${port} ping`,
      ...(answer.remedy === undefined ? {} : { remark: answer.remedy }),
      page: "replicas#when-something-fails",
    }];
  }
  return [
    ...checkWrites(answer, facts),
    ...checkMemory(answer, location),
    ...checkClients(workers, answer, location),
    ...checkTls(facts),
    ...(answer.clockAheadMs === null ? [] : checkClock(`Redis at ${location}`, "redis", answer.clockAheadMs)),
  ];
}

function urlLine({ tls, database }: Pick<RedisFacts, "tls" | "database">, address: string): string {
  return `REDIS_URL=${tls ? "rediss" : "redis"}://${address}/${database}`;
}

/** Why Redis refuses writes. */
function checkWrites(
  { isReplica, primary, isWriteStopped, refusal }: RedisAnswer,
  { location, user, prefix, tls, database }: RedisFacts,
): Finding[] {
  const why = "Records of sessions and replicas cannot be written: requests that need them get 503.";
  const findings: Finding[] = [];
  if (isReplica) {
    findings.push({
      id: "redis.replica",
      severity: "error",
      found: `Redis at ${location} follows another Redis, and takes no writes.`,
      why,
      fix: primary === null ? "REPLICAOF NO ONE" : urlLine({ tls, database }, primary),
      remark: primary === null
        ? "in redis-cli, if this Redis may become the primary"
        : "the primary that it follows, with the user and password of the present value; or REPLICAOF NO ONE in redis-cli",
      page: "replicas#what-is-where",
    });
  }
  if (isWriteStopped) {
    findings.push({
      id: "redis.persistence",
      severity: "error",
      found: `Redis at ${location} could not write its snapshot or log to the disk, and refuses writes.`,
      why,
      fix: 'CONFIG SET save ""',
      remark:
        "in redis-cli: the gateway needs no snapshot. Or free space on the disk; the log of Redis has the reason",
      page: "replicas#what-is-where",
    });
  }
  // A full Redis is a finding of its own.
  if (findings.length === 0 && refusal !== null && !refusal.includes("OOM")) {
    findings.push({
      id: "redis.refused",
      severity: "error",
      found: sentence(`Redis at ${location} refuses what the gateway does there: ${refusal}`),
      why,
      ...(refusal.includes("NOREPLICAS")
        ? {
          fix: "CONFIG SET min-replicas-to-write 0",
          remark: "in redis-cli, or start the replicas of Redis",
        }
        : {
          fix: `ACL SETUSER ${user} ${
            /key/.test(refusal) ? `~${prefix}*` : /channel/.test(refusal) ? `&${prefix}*` : "+@all -@admin"
          }`,
          remark: "in redis-cli, as a user who may",
        }),
      page: "replicas#what-is-where",
    });
  }
  return findings;
}

function checkMemory({ maxMemoryBytes, usedMemoryBytes, policy }: RedisAnswer, location: string): Finding[] {
  // Without a limit Redis evicts nothing.
  if (maxMemoryBytes === null || maxMemoryBytes === 0 || policy === null) return [];
  if (policy === "noeviction") {
    if ((usedMemoryBytes ?? 0) < FULL * maxMemoryBytes) return [];
    return [{
      id: "redis.memory",
      severity: "warning",
      found: `Redis at ${location} has filled ${inMib(usedMemoryBytes!)} of ${
        inMib(maxMemoryBytes)
      } MiB (maxmemory).`,
      why: "A full Redis refuses records of new sessions: their requests get 503.",
      fix: `CONFIG SET maxmemory ${Math.max(64, 2 * Math.ceil(usedMemoryBytes! / MIB))}mb`,
      remark: "in redis-cli, and in redis.conf",
      page: "replicas#what-is-where",
    }];
  }
  return [{
    id: "redis.eviction",
    severity: "warning",
    found: `Redis at ${location} evicts keys when it has ${
      inMib(maxMemoryBytes)
    } MiB (maxmemory-policy ${policy}).`,
    why: "Records of sessions and replicas are among them: clients lose sessions that should live.",
    fix: "CONFIG SET maxmemory-policy noeviction",
    remark: "in redis-cli, and in redis.conf",
    page: "replicas#what-is-where",
  }];
}

function checkClients(
  workers: number,
  { maxClients, clients, replicas }: RedisAnswer,
  location: string,
): Finding[] {
  if (maxClients === null) return [];
  const processes = Math.max(1, replicas ?? 0);
  const own = redisConnections({ workers }, processes);
  // Replicas that run are among the connections already.
  const others = Math.max(0, (clients ?? 0) - redisConnections({ workers }, replicas ?? 0));
  if (own + others <= maxClients) return [];
  return [{
    id: "redis.maxclients",
    severity: "warning",
    found:
      `The gateway needs ${own} connections (${processes} x (WORKERS ${workers} + 1)), other programs have ${others}, and Redis at ${location} takes ${maxClients}.`,
    why: "A worker without a connection answers 503 to requests that need a session.",
    fix: `CONFIG SET maxclients ${2 * (own + others)}`,
    remark: "in redis-cli, and in redis.conf",
    page: "replicas#what-is-where",
  }];
}

function checkTls({ tls, reach, location, database }: RedisFacts): Finding[] {
  const severity = severityOfPlain(reach);
  if (tls || severity === null) return [];
  return [{
    id: "redis.no_tls",
    severity,
    found: `The connection to Redis at ${location}, on another machine, is not encrypted.`,
    why: "Whoever is on the way can read, change and end sessions.",
    fix: urlLine({ tls: true, database }, location),
    remark:
      "with the user and password of the present value, after TLS is switched on in the server; REDIS_SSL_CA_CERTS for an authority of your own",
    page: "replicas",
  }];
}

function inMib(bytes: number): string {
  return (bytes / MIB).toFixed(bytes < 10 * MIB ? 1 : 0);
}
