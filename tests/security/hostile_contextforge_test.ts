// Databases that claim to be ContextForge's, and are broken or hostile: each is refused in words, or costs only what is wrong in it.
import { assert, assertEquals, assertMatch, assertRejects, assertStringIncludes } from "@std/assert";
import { DatabaseSync } from "node:sqlite";
import { contextForgeBundle } from "../../src/admin/contextforge/contextforge_bundle.ts";
import type { PlanLine } from "../../src/admin/transfer/planning.ts";
import { runImport } from "../../src/admin/transfer/run_import.ts";
import type { Strategy } from "../../src/admin/configurations/transfer_schemas.ts";
import { EgressGuard } from "../../src/base/egress/egress_guard.ts";
import { SluiceError } from "../../src/base/errors.ts";
import { movingReport } from "../../src/cli/import/moving_report.ts";
import { loadConfig } from "../../src/config/load.ts";
import { openDatabase } from "../../src/store/open_database.ts";
import { createRegistry, type Registry } from "../../src/store/registry/registry.ts";
import { createSecretBox } from "../../src/store/secret_box.ts";
import { migrate } from "../../src/store/sql/migrate.ts";
import { loadFixture } from "../support/contextforge_fixture.ts";
import { ENCRYPTION_SECRET } from "../support/contextforge_program.ts";
import { OrganisationUpstreams } from "../support/moved_organisation.ts";

const { config } = loadConfig({
  ...{ dev: false, overrides: {}, dotEnv: null, readDatabaseDotEnv: () => null, cores: 2 },
  environment: { SSRF_ALLOW_LOCALHOST: "true" },
});

class Place implements AsyncDisposable {
  private constructor(readonly folder: string, readonly path: string) {}

  /** A folder with the fixture, changed by these statements. */
  static async with(sql: string | null): Promise<Place> {
    const folder = await Deno.makeTempDir({ prefix: "sluice_hostile_" });
    const path = `${folder}/mcp.db`;
    if (sql === null) return new Place(folder, path);
    await using upstreams = new OrganisationUpstreams();
    await loadFixture("1_0_7", path, upstreams.all);
    const database = new DatabaseSync(path, { enableForeignKeyConstraints: false });
    database.exec(sql);
    database.close();
    return new Place(folder, path);
  }

  bundle(encryptionSecret: string | null = ENCRYPTION_SECRET, settings = config) {
    const guard = new EgressGuard({ ...settings, ssrfDnsFailClosed: false });
    return contextForgeBundle(this.path, {
      settings,
      encryptionSecret,
      deps: {
        checkEgress: async (url) => void await guard.checkUrl(url, () => Promise.resolve(["93.184.216.34"])),
        now: () => new Date(),
      },
    });
  }

  async import(strategy: Strategy = "skip"): Promise<readonly PlanLine[]> {
    const { bundle } = await this.bundle();
    return await this.registry(async (registry) => {
      const deps = {
        secretBox: await createSecretBox("x".repeat(40)),
        toolNames: { separator: "-", maxLength: 64 },
      };
      const options = { strategy, isDryRun: false, isOwnExport: false, sees: () => true };
      return (await runImport(deps, registry, bundle, options)).lines;
    });
  }

  async registry<T>(use: (registry: Registry) => Promise<T>): Promise<T> {
    const database = await openDatabase(`sqlite:///${this.folder}/sluice.db`, { settings: config });
    try {
      await migrate(database);
      return await use(createRegistry(database));
    } finally {
      await database.close();
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return Deno.remove(this.folder, { recursive: true });
  }
}

async function refusal(run: () => Promise<unknown>): Promise<string> {
  const error = await assertRejects(run, SluiceError);
  assertEquals(error.code, "SOURCE_UNUSABLE");
  return error.message;
}

Deno.test("what is no database of ContextForge 1.0 is refused in words", async () => {
  await using nothing = await Place.with(null);
  assertStringIncludes(await refusal(() => nothing.bundle()), "there is no such file");
  for (
    const [content, words] of [
      ["", "the file is empty"],
      ["SQLite format 4", "it is no SQLite database"],
      ["<html>".repeat(1_000), "it is no SQLite database"],
    ] as const
  ) {
    await Deno.writeTextFile(nothing.path, content);
    assertStringIncludes(await refusal(() => nothing.bundle()), words);
  }
  for (
    const [sql, words] of [
      ["DROP TABLE alembic_version", /it is no database of ContextForge/],
      [
        "DROP TABLE user_roles; UPDATE alembic_version SET version_num = 'old'",
        /no table user_roles, .*version old/,
      ],
      ["ALTER TABLE tools RENAME COLUMN custom_name TO other", /no column custom_name in its table tools/],
      [
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 200001) " +
        "INSERT INTO server_tool_association SELECT 's', i FROM n",
        /its table server_tool_association has 200003 rows; the limit is 200000|has 20000\d rows/,
      ],
    ] as const
  ) {
    await using place = await Place.with(sql);
    assertMatch(await refusal(() => place.bundle()), words);
  }
  await using ours = await Place.with(null);
  await ours.registry(() => Promise.resolve());
  await Deno.rename(`${ours.folder}/sluice.db`, ours.path);
  assertStringIncludes(await refusal(() => ours.bundle()), "it is a database of Sluice");
  // A file that ends in its middle.
  await using cut = await Place.with("SELECT 1");
  await Deno.truncate(cut.path, 40_000);
  assertMatch(await refusal(() => cut.bundle()), /damaged|malformed|no SQLite database|corrupt/i);
});

Deno.test("a wrong secret is refused before anything is taken; one credential that it does not open switches its gateway off", async () => {
  await using place = await Place.with(
    "UPDATE gateways SET auth_value = '{}' WHERE auth_type = 'authheaders'",
  );
  for (
    const [secret, words] of [["wrong".repeat(8), "does not open them"], [null, "there is no AUTH"]] as const
  ) {
    assertStringIncludes(await refusal(() => place.bundle(secret)), words);
  }
  await using other = await Place.with(
    `UPDATE gateways SET auth_value = '"bm90IHNlYWxlZCBhdCBhbGwsIGJ1dCBsb25nIGVub3VnaA"' WHERE name = 'Tickets'`,
  );
  const lines = await other.import();
  const notes = lines.find(({ kind, label }) => kind === "gateway" && label === "Tickets")?.notes;
  assertEquals(notes, ["it is switched off: it needs credentials that the secret does not open"]);
  await other.registry(async ({ gateways }) => {
    const off = (await gateways.list()).filter(({ enabled }) => !enabled).map((
      { name, authSecret },
    ) => [name, authSecret]);
    assertEquals(off, [["Tickets", null]]);
  });
});

const CASES: readonly { sql: string; kind: PlanLine["kind"]; reason: RegExp; count?: number }[] = [
  // Addresses that the gateway must not reach.
  {
    sql: "UPDATE gateways SET url = 'http://169.254.169.254/latest/meta-data' WHERE name = 'Basic'",
    kind: "gateway",
    reason: /169\.254\.169\.254/,
  },
  {
    sql: "UPDATE gateways SET url = 'http://10.0.0.1/mcp' WHERE name = 'Basic'",
    kind: "gateway",
    reason: /private/,
  },
  {
    sql: "UPDATE gateways SET url = 'file:///etc/passwd' WHERE name = 'Basic'",
    kind: "gateway",
    reason: /http or https/,
  },
  {
    sql: "UPDATE gateways SET url = 'http://u:p@example.com/' WHERE name = 'Basic'",
    kind: "gateway",
    reason: /credentials/,
  },
  {
    sql: "UPDATE gateways SET transport = 'STDIO', url = 'stdio:rm?arg=-rf' WHERE name = 'Basic'",
    kind: "gateway",
    reason: /STDIO|command/,
  },
  {
    sql: "UPDATE gateways SET visibility = 'everybody' WHERE name = 'Basic'",
    kind: "gateway",
    reason: /visibility/,
  },
  {
    sql: "UPDATE gateways SET name = 'a' || char(27) || '[2J' WHERE name = 'Basic'",
    kind: "gateway",
    reason: /control/,
  },
  {
    sql: `UPDATE gateways SET auth_value = '{"X-Key": "a\\r\\nHost: evil"}' WHERE name = 'Team tools'`,
    kind: "gateway",
    reason: /control characters/,
  },
  // References that lead nowhere, or in a circle.
  {
    sql: "UPDATE tools SET gateway_id = 'gone' WHERE name LIKE 'basic-%'",
    kind: "tool",
    reason: /its gateway is left out/,
    count: 3,
  },
  {
    sql: "UPDATE roles SET inherits_from = id WHERE name = 'auditor'",
    kind: "role",
    reason: /inherits from itself/,
  },
  {
    sql: "UPDATE user_roles SET scope_id = 'gone' WHERE scope = 'team'",
    kind: "assignment",
    reason: /team is left out/,
    count: 4,
  },
  {
    sql: "UPDATE email_teams SET is_active = 0 WHERE name = 'Support'",
    kind: "member",
    reason: /team or the user is left out/,
    count: 2,
  },
  {
    sql: "UPDATE email_users SET email = 'no address' WHERE email LIKE 'carol%'",
    kind: "user",
    reason: /no email address/,
  },
  {
    sql: "UPDATE email_users SET id = '../../etc' WHERE email LIKE 'carol%'",
    kind: "user",
    reason: /no UUID/,
  },
  // Fields that are too long, too deep, or of another kind.
  {
    sql:
      'UPDATE tools SET input_schema = \'{"type":"object","x":"\' || hex(zeroblob(600000)) || \'"}\' WHERE name = \'basic-open-ticket\'',
    kind: "tool",
    reason: /its input_schema has more than 1000000 characters/,
  },
  {
    sql: "UPDATE tools SET input_schema = '[1,2' WHERE name = 'basic-open-ticket'",
    kind: "tool",
    reason: /./,
    count: 0,
  },
  {
    sql: "UPDATE tools SET input_schema = '{\"type\":\"string\"}' WHERE name = 'basic-open-ticket'",
    kind: "tool",
    reason: /object/,
  },
  { sql: "UPDATE servers SET id = '../admin' WHERE name = 'Desk'", kind: "server", reason: /its id is none/ },
  { sql: "UPDATE servers SET name = '' WHERE name = 'Desk'", kind: "server", reason: /name/ },
  {
    sql: "UPDATE email_api_tokens SET token_hash = 'x' WHERE name = 'plain'",
    kind: "token",
    reason: /its hash is no SHA-256/,
  },
  {
    sql: "UPDATE email_api_tokens SET resource_scopes = '[1' WHERE name = 'plain'",
    kind: "token",
    reason: /its permissions cannot be read/,
  },
  {
    sql: "UPDATE email_api_tokens SET expires_at = '2020-01-01 00:00:00' WHERE name = 'plain'",
    kind: "token",
    reason: /it has expired/,
  },
  {
    sql: "UPDATE email_api_tokens SET user_email = 'gone@example.com' WHERE name = 'plain'",
    kind: "token",
    reason: /its user is left out; the token counts by its claims: `sluice token revoke/,
  },
  {
    sql: "UPDATE email_api_tokens SET team_id = 'gone' WHERE name = 'team'",
    kind: "token",
    reason: /its team is left out/,
  },
  { sql: "UPDATE token_revocations SET jti = 'a' || char(10)", kind: "revocation", reason: /characters/ },
];

Deno.test("what is wrong in a database is left out with its reason, and the rest is taken", async () => {
  for (const { sql, kind, reason, count = 1 } of CASES) {
    await using place = await Place.with(sql);
    const lines = await place.import();
    const leftOut = lines.filter((line) =>
      line.outcome === "left_out" && line.kind === kind && reason.test(line.reason ?? "") &&
      !/not supported yet/.test(line.reason ?? "")
    );
    assertEquals([sql, leftOut.length], [sql, count]);
    assert(lines.filter(({ outcome }) => outcome === "taken").length > 20, sql);
    const again = (await place.import("update")).filter(({ outcome }) =>
      outcome === "taken" || outcome === "changed"
    );
    assertEquals([sql, again], [sql, []]);
  }
});

Deno.test("two of one name are both taken, neither shown to the other's team", async () => {
  await using place = await Place.with(
    `INSERT INTO email_teams SELECT 'second', 'SUPPORT', 'support-2', description, created_by, 0, 'private', NULL, created_at,
       updated_at, 1 FROM email_teams WHERE name = 'Support';
     INSERT INTO email_team_members (id, team_id, user_email, role, joined_at, is_active)
       VALUES ('m', 'second', 'carol@example.com', 'owner', '2026-01-01 00:00:00', 1);
     UPDATE servers SET name = 'Desk', team_id = 'second' WHERE name = 'Team server';
     UPDATE gateways SET name = 'Tickets', slug = 'tickets-b' WHERE name = 'Basic'`,
  );
  await place.import();
  await place.registry(async ({ people, servers, gateways, tools }) => {
    const { teams, members, users } = await people.readEverybody();
    const shared = teams.filter(({ isPersonal }) => !isPersonal);
    assertEquals(shared.map(({ id, name }) => [id === "second", name]).sort(), [[false, "Support"], [
      true,
      "SUPPORT-2",
    ]]);
    const carol = users.find(({ email }) => email === "carol@example.com")!.id;
    assertEquals(members.filter(({ teamId }) => teamId === "second").map(({ userId }) => userId), [carol]);
    assertEquals((await servers.list()).map(({ name }) => name), ["Desk", "Desk-2"]);
    assertEquals((await gateways.list()).map(({ name }) => name), [
      "Query",
      "Team tools",
      "Tickets",
      "Tickets-2",
    ]);
    const names = (await tools.list()).map(({ name }) => name);
    assert(names.includes("tickets-2-seen-headers") && names.includes("tickets-seen-headers"));
  });
  const again = await place.import("update");
  assertEquals(again.filter(({ outcome }) => outcome === "taken" || outcome === "changed"), []);
});

Deno.test("what is here already decides, as the strategy says: skip, update, rename, fail", async () => {
  for (const strategy of ["skip", "update", "rename", "fail"] as const) {
    await using place = await Place.with("SELECT 1");
    await place.import();
    const contextForge = new DatabaseSync(place.path, { enableForeignKeyConstraints: false });
    contextForge.exec(
      `UPDATE gateways SET description = 'new words' WHERE name = 'Tickets';
       UPDATE servers SET id = 'other' WHERE name = 'Desk'; UPDATE email_users SET password_hash = 'x', full_name = 'Robert' WHERE email LIKE 'bob%'`,
    );
    contextForge.close();
    if (strategy === "fail") {
      const error = await assertRejects(() => place.import("fail"), SluiceError);
      assertEquals(error.code, "CONFLICT");
      assertStringIncludes(error.message, "Nothing was imported");
    } else await place.import(strategy);
    await place.registry(async ({ gateways, servers, people }) => {
      const tickets = (await gateways.list()).find(({ name }) => name === "Tickets")!;
      const bob = (await people.users.get("bob@example.com"))!;
      const isUpdated = strategy === "update";
      assertEquals([strategy, tickets.description], [
        strategy,
        isUpdated ? "new words" : "The ticket system",
      ]);
      assertEquals([strategy, bob.fullName], [strategy, isUpdated ? "Robert" : "Bob"]);
      assertMatch(bob.passwordHash!, /^\$argon2id/);
      const names = (await servers.list()).map(({ name }) => name);
      assertEquals([strategy, names], [
        strategy,
        strategy === "rename" ? ["Desk", "Desk-2", "Team server"] : ["Desk", "Team server"],
      ]);
    });
  }
});

Deno.test("texts that control a terminal are escaped in the report; HTML is a text as any other", async () => {
  await using place = await Place.with(
    `UPDATE tools SET original_name = 'x' || char(27) || ']0;owned' || char(7) || char(8238), gateway_id = NULL
       WHERE name = 'weather';
     UPDATE email_teams SET description = '<script>alert(1)</script>' WHERE name = 'Support'`,
  );
  const lines = await place.import();
  const report = movingReport(lines, {
    ...{ source: "mcp.db", isDryRun: true, apply: "sluice …", program: "sluice" },
    passedEverywhere: ["X-A\x1b[2J"],
  });
  assertEquals(/[\p{Cc}\p{Cf}]/u.test(report.replaceAll("\n", "")), false);
  assertStringIncludes(report, "x\\u001b]0;owned\\u0007\\u202e");
  await place.registry(async ({ people }) => {
    const teams = await people.teams.list();
    assertEquals(teams.map(({ description }) => description), ["<script>alert(1)</script>"]);
  });
});

Deno.test("5,000 tools are imported, and a second run changes nothing", async () => {
  await using place = await Place.with("SELECT 1");
  const database = new DatabaseSync(place.path, { enableForeignKeyConstraints: false });
  const columns = database.prepare("SELECT name FROM pragma_table_info('tools')").all().map(({ name }) =>
    String(name)
  );
  const values = columns.map((name) =>
    name === "id"
      ? "'id' || i"
      : /^(original_name|custom_name|custom_name_slug|name)$/.test(name)
      ? "'many' || i"
      : name
  );
  database.exec(
    `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5000)
     INSERT INTO tools (${columns.join(", ")}) SELECT ${
      values.join(", ")
    } FROM tools, n WHERE name = 'basic-open-ticket'`,
  );
  database.close();
  const lines = await place.import();
  assertEquals(lines.filter(({ kind, outcome }) => kind === "tool" && outcome === "taken").length, 5_012);
  const again = await place.import("update");
  assertEquals(
    again.filter(({ kind, outcome }) => kind === "tool" && outcome === "unchanged").length,
    5_012,
  );
});
