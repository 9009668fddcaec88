// What users, teams and API tokens cost: a gateway whose database has many of them, and one that has a few, take turns.
//
//   deno run -A bench/load/people.ts [--users 10000] [--teams 1000] [--tokens 100000] [--rounds 20] [--postgres]
//
// The times are medians in ms. `--postgres` starts a PostgreSQL server for both. Exit code 1 where an answer was wrong.

import { parseArgs } from "@std/cli/parse-args";
import { migrate } from "../../src/store/sql/migrate.ts";
import { newId } from "../../src/store/sql/new_id.ts";
import { ASSIGNMENTS, MEMBERS, TEAMS, USERS } from "../../src/store/people/person_tables.ts";
import { openSqlite } from "../../src/store/sqlite/sqlite.ts";
import { type Database, sql, type SqlQuery } from "../../src/store/sql/sql.ts";
import { API_TOKENS } from "../../src/store/tokens/token_rows.ts";
import { FastUpstream } from "../../tests/support/fast_upstream.ts";
import { open } from "../../tests/support/postgres_database.ts";
import { PostgresServer } from "../../tests/support/postgres.ts";
import { rssBytes } from "../../tests/support/process_stats.ts";
import { type Answer, Sluice } from "../../tests/support/sluice.ts";
import { interruptible } from "../interruptible.ts";
import { percentile } from "./lane.ts";
import { markdownTable } from "./table.ts";

interface Size {
  readonly users: number;
  readonly teams: number;
  readonly tokens: number;
}

const FEW: Size = { users: 50, teams: 50, tokens: 50 };

const PASSWORD = "correct horse battery";
const SECRET = crypto.randomUUID().repeat(2);
const START_MS = Date.UTC(2026, 0, 1);
const TIME = new Date(START_MS).toISOString();

/** Calls are quick, so that many of them make a median. */
const CALLS_PER_ROUND = 20;

/** Users in a personal team and ten shared ones each, a third of them with a role; tokens of the users by turns. */
function* rowsOf({ users, teams, tokens }: Size): Generator<readonly SqlQuery[]> {
  const ids = Array.from({ length: users }, () => newId());
  const shared = Array.from({ length: teams }, () => newId());
  const personal = ids.map(() => newId());
  const times = { createdAt: TIME, updatedAt: TIME };
  const team = { description: null, visibility: "private" as const, createdBy: "x", ...times };
  const member = { joinedAt: TIME, source: null };
  yield USERS.inserts(ids.map((id, i) => ({
    ...{ id, email: `user${i}@x.org`, fullName: null, passwordHash: null, isAdmin: false, isActive: true },
    ...{ passwordChangeRequired: false, failedAttempts: 0, lockedUntil: null, tokensValidFrom: null },
    ...{ lastLogin: null, ...times },
  })));
  yield TEAMS.inserts([
    ...shared.map((id, i) => ({
      ...{ id, name: `Team ${i}`, slug: `team-${i}`, isPersonal: false, maxMembers: null, ...team },
    })),
    ...personal.map((id, i) => ({
      ...{ id, name: `user${i}'s team`, slug: `personal-${i}`, isPersonal: true, maxMembers: 1, ...team },
    })),
  ]);
  yield MEMBERS.inserts(ids.flatMap((userId, i) => [
    { teamId: personal[i]!, userId, role: "owner" as const, ...member },
    ...Array.from({ length: Math.min(10, teams) }, (_, n) => ({
      ...{ teamId: shared[(i + n) % teams]!, userId, role: "member" as const, ...member },
    })),
  ]));
  yield ASSIGNMENTS.inserts(
    ids.filter((_, i) => i % 3 === 0).map((userId, i) => ({
      ...{ id: newId(), userId, roleId: "developer", scope: "team", scopeId: shared[(i * 3) % teams]! },
      ...{ grantedBy: "x", grantedAt: TIME, expiresAt: null },
    })),
  );
  yield API_TOKENS.inserts(Array.from({ length: tokens }, (_, i) => ({
    ...{ id: crypto.randomUUID(), userId: ids[i % users]!, teamId: null, name: `t${i}`, description: null },
    ...{ tokenHash: `${i}`, serverId: null, permissions: [], ipRestrictions: [], timeRestrictions: {} },
    ...{ usageLimits: {}, tags: [], isActive: true, createdAt: new Date(START_MS + i * 1_000).toISOString() },
    ...{ expiresAt: null, revokedAt: null, revokedBy: null, revocationReason: null },
    ...{ isImported: false, change: 0 },
  })));
}

async function fill(database: Database, size: Size): Promise<void> {
  try {
    await migrate(database);
    await database.transaction(async (tx) => {
      for (const statements of rowsOf(size)) for (const statement of statements) await tx.run(statement);
    });
    // As PostgreSQL does by itself within minutes.
    if (database.dialect === "postgres") await database.run(sql`VACUUM ANALYZE`);
  } finally {
    await database.close();
  }
}

/** A gateway with its administrator, whose token is that of a login. */
interface Subject extends AsyncDisposable {
  readonly sluice: Sluice;
  readonly startMs: number;
  readonly memoryMb: number;
  readonly login: string;
  readonly apiToken: string;
  /** The ids of API tokens to revoke. */
  readonly made: string[];
}

async function start(size: Size, upstream: FastUpstream, postgres: PostgresServer | null): Promise<Subject> {
  const cwd = await Deno.makeTempDir({ prefix: "sluice_people_" });
  const url = postgres?.url(await postgres.takeDatabase());
  await fill(
    url === undefined ? await openSqlite(`${cwd}/mcp.db`, { busyTimeoutMs: 5_000 }) : await open(url),
    size,
  );
  const from = performance.now();
  const sluice = await Sluice.start({
    cwd,
    env: {
      ...{ WORKERS: "2", LOG_LEVEL: "WARNING", FAILED_LOGIN_MIN_RESPONSE_MS: "0" },
      ...{ LOGIN_ATTEMPTS_PER_MINUTE: "10000", MAX_API_TOKENS_PER_USER: "10000" },
      ...(url === undefined
        ? {}
        : { DATABASE_URL: url, JWT_SECRET_KEY: SECRET, AUTH_ENCRYPTION_SECRET: SECRET }),
    },
  });
  const startMs = performance.now() - from;
  const memoryMb = rssBytes(sluice.pid) / 2 ** 20;
  await sluice.registerUpstream("up", upstream.url);
  const user = { email: "ann@x.org", password: PASSWORD, is_admin: true };
  right(await sluice.api("POST", "/auth/email/admin/users", user));
  const { access_token: login } = right(await sluice.api("POST", "/auth/login", user, null)).body;
  const { access_token: apiToken } = right(
    await sluice.api("POST", "/tokens", { name: "first", expires_in_days: 1 }, login),
  ).body;
  return {
    ...{ sluice, startMs, memoryMb, login, apiToken, made: [] },
    [Symbol.asyncDispose]: async () => {
      await sluice.stop();
      await Deno.remove(cwd, { recursive: true });
    },
  };
}

function right(answer: Answer): Answer {
  if (answer.status < 300 && answer.body?.error === undefined) return answer;
  throw new Error(`answered ${answer.status}: ${JSON.stringify(answer.body)}`);
}

/** One action of a round, and how often a round does it. */
interface Action {
  readonly name: string;
  readonly times?: number;
  readonly run: (subject: Subject, round: number) => Promise<Answer>;
}

const call = ({ sluice }: Subject, token: string) =>
  sluice.rpc("tools/call", {
    name: "up-convert-time",
    arguments: { time: "09:00", source_timezone: "Europe/Berlin", target_timezone: "Europe/Dublin" },
  }, token);

const read = (path: string): Action["run"] => ({ sluice, login }) =>
  sluice.api("GET", path, undefined, login);

const ACTIONS: readonly Action[] = [
  {
    name: "login",
    run: ({ sluice }) => sluice.api("POST", "/auth/login", { email: "ann@x.org", password: PASSWORD }, null),
  },
  {
    name: "give or take a role",
    run: ({ sluice, login }, round) =>
      round % 2 === 0
        ? sluice.api(
          "POST",
          "/rbac/users/user0@x.org/roles",
          { role_id: "viewer", scope: "global" },
          login,
        )
        : sluice.api("DELETE", "/rbac/users/user0@x.org/roles/viewer?scope=global", undefined, login),
  },
  { name: "50 users", times: 5, run: read("/auth/email/admin/users?limit=50") },
  { name: "50 teams", times: 5, run: read("/teams?limit=50") },
  { name: "50 tokens of all", times: 5, run: read("/tokens/admin/all?limit=50") },
  { name: "own tokens", times: 5, run: read("/tokens?limit=50") },
  {
    name: "make a token",
    run: async ({ sluice, login, made }, round) => {
      const answer = await sluice.api(
        "POST",
        "/tokens",
        { name: `round ${round}`, expires_in_days: 1 },
        login,
      );
      made.push(answer.body.token?.id);
      return answer;
    },
  },
  {
    name: "revoke a token",
    run: ({ sluice, login, made }) => sluice.api("DELETE", `/tokens/${made.pop()}`, undefined, login),
  },
  {
    name: "warm call, token of a login",
    times: CALLS_PER_ROUND,
    run: (subject) => call(subject, subject.login),
  },
  { name: "warm call, API token", times: CALLS_PER_ROUND, run: (subject) => call(subject, subject.apiToken) },
];

/** The times of one action at one gateway. */
class Times {
  readonly #times: number[] = [];

  async measure({ run, times = 1 }: Action, subject: Subject, round: number): Promise<void> {
    for (let i = 0; i < times; i++) {
      const from = performance.now();
      right(await run(subject, round));
      this.#times.push(performance.now() - from);
    }
  }

  get median(): number {
    return percentile(this.#times, 0.5);
  }
}

async function main(): Promise<number> {
  const options = parseArgs(Deno.args, {
    string: ["users", "teams", "tokens", "rounds"],
    boolean: ["postgres"],
    default: { users: "10000", teams: "1000", tokens: "100000", rounds: "20" },
  });
  const [users, teams, tokens, rounds] = [options.users, options.teams, options.tokens, options.rounds]
    .map(Number);
  const many: Size = { users: users!, teams: teams!, tokens: tokens! };
  await using servers = new AsyncDisposableStack();
  const upstream = servers.use(FastUpstream.start());
  const postgres = options.postgres ? servers.use(await PostgresServer.start()) : null;
  const subjects: Subject[] = [];
  for (const size of [FEW, many]) subjects.push(servers.use(await start(size, upstream, postgres)));
  const measured = ACTIONS.map((action) => ({ action, times: subjects.map(() => new Times()) }));
  for (let round = 0; round < rounds!; round++) {
    for (const { action, times } of measured) {
      const turns = times.map((each, i) => [each, subjects[i]!] as const);
      for (const [each, subject] of round % 2 === 0 ? turns : turns.toReversed()) {
        await each.measure(action, subject, round);
      }
    }
  }
  const rows = [
    { name: "start", medians: subjects.map(({ startMs }) => startMs) },
    { name: "RSS after the start, MiB", medians: subjects.map(({ memoryMb }) => memoryMb) },
    ...measured.map(({ action, times }) => ({
      name: action.name,
      medians: times.map((each) => each.median),
    })),
  ];
  const title = (size: Size) => `${size.users} users, ${size.teams} teams, ${size.tokens} tokens`;
  console.log(markdownTable([
    ["ms at the median", ({ name }) => name],
    [title(FEW), ({ medians: [few] }) => few!.toFixed(2)],
    [title(many), ({ medians: [, all] }) => all!.toFixed(2)],
    ["ratio", ({ medians: [few, all] }) => (all! / few!).toFixed(2)],
  ], rows));
  return 0;
}

if (import.meta.main) Deno.exit(await interruptible(main));
