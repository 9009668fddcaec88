// What users, teams, roles and API tokens cost: a gateway whose database has many of them, beside one that has a few.
//
//   deno run -A bench/load/people.ts [--users 10000] [--teams 1000] [--tokens 100000] [--rounds 5]
//
// The times are medians in ms. Exit code 1 where an answer was wrong.

import { parseArgs } from "@std/cli/parse-args";
import { newId } from "../../src/store/sql/new_id.ts";
import { ASSIGNMENTS, MEMBERS, TEAMS, USERS } from "../../src/store/people/person_tables.ts";
import { openSqlite } from "../../src/store/sqlite/sqlite.ts";
import type { SqlQuery } from "../../src/store/sql/sql.ts";
import { API_TOKENS } from "../../src/store/tokens/token_rows.ts";
import { FastUpstream } from "../../tests/support/fast_upstream.ts";
import { rssBytes } from "../../tests/support/process_stats.ts";
import { Sluice } from "../../tests/support/sluice.ts";
import { percentile } from "./lane.ts";
import { markdownTable } from "./table.ts";

interface Size {
  readonly users: number;
  readonly teams: number;
  readonly tokens: number;
}

const PASSWORD = "correct horse battery";
const TIME = "2026-01-01T00:00:00.000Z";

/** Users in ten shared teams each, a third of them with a role; tokens by turns. */
function* rowsOf({ users, teams, tokens }: Size): Generator<readonly SqlQuery[]> {
  const ids = Array.from({ length: users }, () => newId());
  const teamIds = Array.from({ length: teams }, () => newId());
  const times = { createdAt: TIME, updatedAt: TIME };
  yield USERS.inserts(ids.map((id, i) => ({
    ...{ id, email: `user${i}@x.org`, fullName: null, passwordHash: null, isAdmin: false, isActive: true },
    ...{ passwordChangeRequired: false, failedAttempts: 0, lockedUntil: null, tokensValidFrom: null },
    ...{ lastLogin: null, ...times },
  })));
  yield TEAMS.inserts(teamIds.map((id, i) => ({
    ...{ id, name: `Team ${i}`, slug: `team-${i}`, description: null, isPersonal: false, maxMembers: null },
    ...{ visibility: "private" as const, createdBy: "x", ...times },
  })));
  yield MEMBERS.inserts(ids.flatMap((userId, i) =>
    Array.from({ length: Math.min(10, teams) }, (_, n) => ({
      ...{ teamId: teamIds[(i + n) % teams]!, userId, role: "member" as const, joinedAt: TIME, source: null },
    }))
  ));
  yield ASSIGNMENTS.inserts(
    ids.filter((_, i) => i % 3 === 0).map((userId, i) => ({
      ...{
        id: newId(),
        userId,
        roleId: "developer",
        scope: "team" as const,
        scopeId: teamIds[(i * 3) % teams]!,
      },
      ...{ grantedBy: "x", grantedAt: TIME, expiresAt: null, source: null },
    })),
  );
  yield API_TOKENS.inserts(Array.from({ length: tokens }, (_, i) => ({
    ...{ id: crypto.randomUUID(), userId: ids[i % users]!, teamId: null, name: `t${i}`, description: null },
    ...{ tokenHash: `${i}`, serverId: null, permissions: [], ipRestrictions: [], timeRestrictions: {} },
    ...{ usageLimits: {}, tags: [], isActive: true, createdAt: TIME, expiresAt: null, revokedAt: null },
    ...{ revokedBy: null, revocationReason: null, isImported: false, change: i },
  })));
}

async function prepared(size: Size): Promise<string> {
  const cwd = await Deno.makeTempDir({ prefix: "sluice_people_" });
  await (await Sluice.start({ cwd })).stop();
  const database = await openSqlite(`${cwd}/mcp.db`, { busyTimeoutMs: 5_000 });
  try {
    await database.transaction(async (tx) => {
      for (const statements of rowsOf(size)) for (const statement of statements) await tx.run(statement);
    });
  } finally {
    await database.close();
  }
  return cwd;
}

async function timed(
  rounds: number,
  run: (round: number) => Promise<{ readonly status: number }>,
): Promise<string> {
  const times: number[] = [];
  for (let round = 0; round < rounds; round++) {
    const from = performance.now();
    const { status } = await run(round);
    times.push(performance.now() - from);
    if (status >= 300) throw new Error(`answered ${status}`);
  }
  return percentile(times, 0.5).toFixed(1);
}

async function measure(size: Size, rounds: number): Promise<readonly string[]> {
  await using upstream = FastUpstream.start();
  const cwd = await prepared(size);
  const from = performance.now();
  await using sluice = await Sluice.start({
    cwd,
    env: {
      WORKERS: "2",
      LOG_LEVEL: "WARNING",
      FAILED_LOGIN_MIN_RESPONSE_MS: "0",
      LOGIN_ATTEMPTS_PER_MINUTE: "1000",
    },
  });
  const startMs = (performance.now() - from).toFixed(0);
  const memory = (rssBytes(sluice.pid) / 2 ** 20).toFixed(0);
  await sluice.registerUpstream("up", upstream.url);
  const admin = await sluice.token();
  const api = (method: string, path: string, body?: unknown, token: string | null = admin) =>
    sluice.api(method, path, body, token);
  await api("POST", "/auth/email/admin/users", { email: "ann@x.org", password: PASSWORD, is_admin: true });
  const write = await timed(
    rounds,
    (round) =>
      round % 2 === 0
        ? api("POST", "/rbac/users/user0@x.org/roles", { role_id: "viewer", scope: "global" })
        : api("DELETE", "/rbac/users/user0@x.org/roles/viewer?scope=global"),
  );
  const login = await timed(
    rounds,
    () => api("POST", "/auth/login", { email: "ann@x.org", password: PASSWORD }, null),
  );
  const listing = await timed(rounds * 4, () => api("GET", "/auth/email/admin/users?limit=50"));
  const teams = await timed(rounds * 4, () => api("GET", "/teams?limit=50"));
  const token = await sluice.token({ username: "user1@x.org" });
  const call = await timed(500, async () => {
    const answer = await sluice.rpc("tools/list", {}, token);
    return { status: answer.body.error === undefined ? 200 : 500 };
  });
  await sluice.stop();
  await Deno.remove(cwd, { recursive: true });
  return [startMs, memory, write, login, listing, teams, call];
}

async function main(): Promise<number> {
  const options = parseArgs(Deno.args, {
    string: ["users", "teams", "tokens", "rounds"],
    default: { users: "10000", teams: "1000", tokens: "100000", rounds: "6" },
  });
  const [users, teams, tokens, rounds] = [options.users, options.teams, options.tokens, options.rounds].map(
    Number,
  );
  const head = ["users", "start", "RSS, MiB", "write seen", "login", "50 users", "50 teams", "list of tools"];
  const rows: string[][] = [];
  for (const size of [{ users: 3, teams: 1, tokens: 3 }, { users, teams, tokens } as Size]) {
    rows.push([String(size.users), ...await measure(size as Size, rounds!)]);
  }
  console.log(
    markdownTable(head.map((title, i) => [title, (row: readonly string[]) => row[i]!] as const), rows),
  );
  return 0;
}

if (import.meta.main) Deno.exit(await main());
