// `sluice tune --check`: the plan beside what is here: settings, kernel, open files, PostgreSQL, PgBouncer and Redis.
import { shellWord } from "../../client_config/shell_word.ts";
import type { Loaded } from "../../config/load.ts";
import { parseDatabaseUrl } from "../../store/database_url.ts";
import { databaseUrl } from "../../tuning/files/env_file.ts";
import { type Advice, adviseFigures, adviseSettings } from "../../tuning/advice.ts";
import { atLeast } from "../../tuning/figure.ts";
import type { Plan } from "../../tuning/tuning_plan.ts";
import { textColumns, wrapped } from "../command_line/help_text.ts";
import type { MachineFacts } from "../doctor/machine_facts.ts";

export interface Comparison {
  /** What was compared. */
  readonly examined: readonly string[];
  /** What does not serve the plan, each with the place that it belongs to. */
  readonly advice: readonly (Advice & { readonly place: string })[];
  /** Servers that do not answer, or do not tell their settings. */
  readonly unknown: readonly string[];
  /** Sentences: where the machines do not suffice. */
  readonly shortfalls: readonly string[];
}

/** Does everything serve the users, as far as it was asked for? A server that could not be compared may not. */
export function serves({ advice, unknown, shortfalls }: Comparison): boolean {
  return advice.length + unknown.length + shortfalls.length === 0;
}

const MIB = 1024 * 1024;

export async function compare(plan: Plan, { config }: Loaded, machine: MachineFacts): Promise<Comparison> {
  const location = parseDatabaseUrl(config.databaseUrl);
  const parts: Part[] = [
    { place: ".env", advice: adviseSettings(plan.settings, config) },
    {
      place: "sysctl",
      advice: adviseFigures(plan.sysctl, (name) => (machine.sysctl as Record<string, string>)[name] ?? null),
    },
    { place: "open files", advice: adviseFigures(filesOf(plan), () => filesHere(machine)) },
  ];
  if (plan.surroundings.database !== "sqlite") {
    parts.push(
      ...(location.kind === "sqlite"
        ? [missing("PostgreSQL", "DATABASE_URL", "a SQLite file", databaseUrl(plan, "PASSWORD", "127.0.0.1"))]
        : await databaseParts(plan, location, config)),
    );
  }
  if (plan.surroundings.redis) {
    parts.push(
      ...(config.cacheType !== "redis" ? [] : [await redisPart(plan, config)]),
    );
  }
  return {
    examined: parts.filter(({ unknown }) => unknown === undefined).map(({ place }) => place),
    advice: parts.flatMap(({ place, advice }) => (advice ?? []).map((row) => ({ ...row, place }))),
    unknown: parts.flatMap(({ unknown }) => unknown ?? []),
    shortfalls: plan.shortfalls,
  };
}

interface Part {
  readonly place: string;
  readonly advice?: readonly Advice[];
  readonly unknown?: readonly string[];
}

function missing(place: string, setting: string, now: string, advised: string): Part {
  return { place, advice: [{ setting, now, advised, why: `The plan has ${place}.` }] };
}

function filesOf({ files, filesNeeded, demand }: Plan) {
  return [
    atLeast(
      "LimitNOFILE",
      files.gateway,
      `max(the guide's 65536, what the settings can need + 2 for each of ${demand.usersPerReplica} users).`,
      filesNeeded,
    ),
  ];
}

function filesHere({ openFiles }: MachineFacts): string {
  return String(openFiles ?? Number.MAX_SAFE_INTEGER);
}

async function databaseParts(
  plan: Plan,
  target: Parameters<typeof import("../doctor/servers/postgres_facts.ts").readPostgres>[0],
  config: Loaded["config"],
): Promise<Part[]> {
  const { readPostgres } = await import("../doctor/servers/postgres_facts.ts");
  const { answer, pooler, location } = await readPostgres(target, config);
  if ("reason" in answer) {
    return [{ place: "PostgreSQL", unknown: [`PostgreSQL at ${location}: ${answer.reason}`] }];
  }
  const parts: Part[] = [{
    place: "PostgreSQL",
    // What the server tells is without the connections of superusers.
    advice: adviseFigures(
      plan.postgres.filter(({ name }) => name === "max_connections"),
      () => String(answer.maxConnections + superusers(plan)),
    ),
  }];
  if (plan.surroundings.database !== "pgbouncer") return parts;
  if (pooler === null) {
    return [
      ...parts,
      missing("PgBouncer", "DATABASE_URL", location, databaseUrl(plan, "PASSWORD", "127.0.0.1")),
    ];
  }
  const { settings } = pooler;
  parts.push(
    settings === null
      ? {
        place: "PgBouncer",
        unknown: [`PgBouncer does not tell its settings: stats_users in pgbouncer.ini`],
      }
      : {
        place: "PgBouncer",
        advice: adviseFigures(plan.pgbouncer, (name) => settings[name] ?? null),
      },
  );
  return parts;
}

function superusers(plan: Plan): number {
  return Number(plan.postgres.find(({ name }) => name === "superuser_reserved_connections")?.value ?? 0);
}

async function redisPart(plan: Plan, config: Loaded["config"]): Promise<Part> {
  const { readRedis } = await import("../doctor/servers/redis_facts.ts");
  const { answer, location } = await readRedis(config);
  if ("reason" in answer) return { place: "Redis", unknown: [`Redis at ${location}: ${answer.reason}`] };
  const { maxClients, maxMemoryBytes, policy } = answer;
  const told: Record<string, string | null> = {
    maxclients: maxClients === null ? null : String(maxClients),
    // 0: no limit.
    maxmemory: maxMemoryBytes === null || maxMemoryBytes === 0
      ? null
      : `${Math.floor(maxMemoryBytes / MIB)}mb`,
    "maxmemory-policy": policy,
  };
  return { place: "Redis", advice: adviseFigures(plan.redis, (name) => told[name] ?? null) };
}

/** As the place takes it: a line of .env, of a server's configuration or of a unit, or one for a shell. */
function lineOf(place: string, setting: string, advised: string): string {
  if (place === "sysctl") return `sysctl -w ${setting}=${shellWord(advised)}`;
  if (/^[A-Z_]+$/.test(setting) || place === "open files") return `${setting}=${advised}`;
  return place === "Redis" ? `${setting} ${advised}` : `${setting} = ${advised}`;
}

/** For people: what to change, then what was looked at. */
export function comparisonText({ load }: Plan, comparison: Comparison): string {
  const { advice, examined, unknown, shortfalls } = comparison;
  const rows = advice.map(({ place, setting, now, advised, why }) =>
    [
      `${place}: ${setting} is ${now === "" ? "not set" : now}`,
      `  -> ${lineOf(place, setting, advised)}`,
      ...wrapped(why, textColumns() - 5).map((line) => `     ${line}`),
    ].join("\n")
  );
  return [
    ...rows,
    ...[...shortfalls, ...unknown.map((sentence) => `Not compared: ${sentence}.`)].map((text) =>
      wrapped(text, textColumns()).join("\n")
    ),
    wrapped(`${verdictOf(comparison, load.users)} Compared: ${examined.join(", ")}.`, textColumns()).join(
      "\n",
    ),
  ].join("\n\n");
}

function verdictOf(comparison: Comparison, users: number): string {
  const { advice, shortfalls } = comparison;
  if (serves(comparison)) return `Everything here serves ${users} users.`;
  if (advice.length > 0) {
    return `${advice.length} value${advice.length === 1 ? " does" : "s do"} not serve ${users} users.`;
  }
  return shortfalls.length > 0
    ? `The values here serve ${users} users, and the machine does not.`
    : `What could be compared serves ${users} users.`;
}
