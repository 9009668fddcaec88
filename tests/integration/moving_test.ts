// Moving in from ContextForge: `sluice import contextforge` with databases that the real program has made (scripts/contextforge_fixture.ts).
import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { DatabaseSync } from "node:sqlite";
import { type CliResult, runCli } from "../support/cli.ts";
import { type Fixture, type FixtureVersion, loadFixture } from "../support/contextforge_fixture.ts";
import { ADMIN, ENCRYPTION_SECRET, JWT_SECRET, PASSWORD } from "../support/contextforge_program.ts";
import { answersOf, assertAlike, OrganisationUpstreams } from "../support/moved_organisation.ts";
import { Sluice } from "../support/sluice.ts";
import { waitFor } from "../support/wait_for.ts";

const ENV = {
  DATABASE_URL: "sqlite:///./sluice.db",
  JWT_SECRET_KEY: JWT_SECRET,
  AUTH_ENCRYPTION_SECRET: ENCRYPTION_SECRET,
  PLATFORM_ADMIN_EMAIL: ADMIN,
  SSRF_ALLOW_LOCALHOST: "true",
  ENABLE_HEADER_PASSTHROUGH: "true",
  AUDIT_TRAIL_ENABLED: "true",
};

Deno.test("what ContextForge 1.0.7 has moves in, is answered as there, and a second import changes nothing", async () => {
  await using upstreams = new OrganisationUpstreams();
  await using folder = await movingFolder("1_0_7", upstreams);
  const { cwd, move, fixture: { made, answers } } = folder;
  const before = await Deno.readFile(`${cwd}/mcp.db`);
  const dry = await move();
  assertEquals([dry.code, dry.err], [0, ""]);
  assertStringIncludes(dry.out, "Nothing was changed.");
  assertMatch(dry.out, /^ {2}gateways +4 +0 +0 +0 +0$/m);
  assertMatch(dry.out, /^ {2}tools +12 +0 +0 +0 +2$/m);
  assertMatch(dry.out, /permissions that do not exist here: a2a\.read/);
  assertMatch(dry.out, /^ {2}1 A2A agents$/m);
  assertEquals(await exists(`${cwd}/sluice.db`), false);

  const first = await move("--apply");
  assertEquals([first.code, first.err], [0, ""]);
  assertStringIncludes(first.out, "Imported from mcp.db.");
  await using sluice = await Sluice.start({ cwd, env: ENV });
  const listed = async () =>
    (await sluice.api("GET", "/gateways")).body.every(({ reachable }: { reachable: boolean }) => reachable);
  await waitFor(listed, { what: "the imported upstreams to be listed" });
  assertAlike(await answersOf((...request) => sluice.api(...request), made), answers);
  // The headers that ContextForge passes to all upstreams.
  const seen = await fetch(`${sluice.url}/rpc`, {
    method: "POST",
    headers: {
      authorization: `Bearer ${made.tokens.team}`,
      "content-type": "application/json",
      "x-tenant-id": "t1",
      "x-trace-id": "t2",
    },
    body: JSON.stringify({
      ...{ jsonrpc: "2.0", id: 1, method: "tools/call" },
      params: { name: "tickets-seen-headers", arguments: {} },
    }),
  });
  assertEquals((await seen.json()).result.content[0].text, '{"tenant":"t1","trace":"t2"}');

  // The upstreams have been listed meanwhile, and passwords of logins were hashed anew.
  const second = await move("--apply", "--conflict", "update");
  assertEquals([second.code, second.err], [0, ""]);
  assertStringIncludes(second.out, "Nothing had to be changed");
  assertEquals(await Deno.readFile(`${cwd}/mcp.db`), before);
  const audit = (await sluice.api("GET", "/audit")).body;
  const imported = audit.records.find(({ operation }: { operation: string }) =>
    operation === "importContextForge"
  );
  assertStringIncludes(String(imported.changes["user taken"].after), "bob@example.com");
});

Deno.test("what ContextForge 1.0.0-RC1 has moves in, while the database is in use, and with a gateway that runs", async () => {
  await using upstreams = new OrganisationUpstreams();
  await using folder = await movingFolder("1_0_0rc1", upstreams);
  const { cwd, move, fixture: { made, answers } } = folder;
  await using sluice = await Sluice.start({ cwd, env: ENV });
  const contextForge = new DatabaseSync(`${cwd}/mcp.db`);
  try {
    contextForge.exec(
      "PRAGMA journal_mode = WAL; UPDATE gateways SET description = 'last words' WHERE name = 'Basic'",
    );
    contextForge.exec("BEGIN IMMEDIATE; UPDATE gateways SET description = 'not committed'");
    const done = await move("--apply");
    assertEquals([done.code, done.err], [0, ""]);
    assertMatch(done.out, /^ {2}virtual servers +2 +0 +0 +0 +0$/m);
  } finally {
    contextForge.close();
  }
  const basic = async () => (await sluice.api("GET", "/gateways/basic")).body.description;
  await waitFor(async () => await basic() === "last words", { what: "the import to be seen by the gateway" });
  const listed = async () =>
    (await sluice.api("GET", "/gateways")).body.every(({ reachable }: { reachable: boolean }) => reachable);
  await waitFor(listed, { what: "the imported upstreams to be listed" });
  // There, a token without teams calls tools; from 1.0.0 on it does not.
  const { plainTokenCalls: _, ...alike } = answers;
  assertAlike(await answersOf((...request) => sluice.api(...request), made), alike);
});

Deno.test("ContextForge's API tokens are imported by hash: they keep their rights, and their limits and switches count, in a gateway that runs", async () => {
  await using upstreams = new OrganisationUpstreams();
  for (const version of ["1_0_7", "1_0_0rc1"] as const) {
    await using folder = await movingFolder(version, upstreams);
    const { cwd, move, fixture: { made: { servers, tokens } } } = folder;
    await using sluice = await Sluice.start({ cwd, env: ENV });
    const status = async (token: string, path = "/tools") =>
      (await sluice.api("GET", path, undefined, token)).status;
    const every = async (token: string, wanted: number) =>
      (await Promise.all(Array.from({ length: 8 }, () => status(token)))).every((each) => each === wanted);
    // Until the import, the claims count, on both workers.
    assertEquals(await every(tokens.plain!, 200), true);
    assertEquals(await every(tokens.team!, 200), true);

    changeSource(
      `${cwd}/mcp.db`,
      `UPDATE email_api_tokens SET usage_limits = '{"requests_per_hour": "3", "burst": 1}' WHERE name = 'plain';
       UPDATE email_api_tokens SET is_active = 0 WHERE name = 'team';
       UPDATE email_api_tokens SET ip_restrictions = '["203.0.113.0/24"]' WHERE name = 'desk';
       INSERT INTO email_api_tokens (id, user_email, name, jti, token_hash, resource_scopes, ip_restrictions,
         time_restrictions, usage_limits, created_at, is_active, tags)
         SELECT 'ghost', 'ghost@example.com', 'ghost', 'ghost', token_hash, resource_scopes, ip_restrictions,
           time_restrictions, usage_limits, created_at, 0, tags FROM email_api_tokens WHERE name = 'plain'`,
    );
    const done = await move("--apply");
    assertEquals([done.code, done.err], [0, ""]);
    assertMatch(done.out, /^ {2}API tokens +4 +0 +0 +0 +1$/m);
    // That of the table, and the ghost's.
    assertMatch(done.out, /^ {2}revoked tokens +2 +0 +0 +0 +0$/m);
    assertMatch(done.out, /its user is left out; it is refused here too/);
    assertMatch(done.out, /usage limits without an effect, as in ContextForge: burst/);
    await waitFor(() => every(tokens.team!, 401), { what: "the import to be seen by the gateway" });
    const answers = await Promise.all(Array.from({ length: 10 }, () => status(tokens.plain!)));
    assertEquals(answers.toSorted(), [200, 200, 200, 429, 429, 429, 429, 429, 429, 429]);
    assertEquals(await status(tokens.desk!, `/servers/${servers.desk}/tools`), 403);
    assertEquals(await status(tokens.revoked!), 401);

    const login = await sluice.api("POST", "/auth/login", { email: "bob@example.com", password: PASSWORD });
    const bob = login.body.access_token;
    const listed = (await sluice.api("GET", "/tokens?include_inactive=true", undefined, bob)).body;
    const named = (name: string) => listed.tokens.find((each: { name: string }) => each.name === name);
    assertEquals(listed.tokens.map(({ name }: { name: string }) => name).sort(), [
      "plain",
      "revoked",
      "team",
    ]);
    assertEquals([named("plain").usage_limits, named("team").is_active], [{ requests_per_hour: 3 }, false]);
    assertEquals([named("revoked").is_revoked, named("revoked").revocation_reason], [true, "lost laptop"]);
    const used = async () =>
      (await sluice.api("GET", `/tokens/${named("plain").id}/usage`, undefined, bob)).body;
    await waitFor(async () => (await used()).blocked_requests === 7, { what: "the uses to be counted" });
    const again = await move("--apply");
    assertStringIncludes(again.out, "Nothing had to be changed");

    const switched = await sluice.api("PUT", `/tokens/${named("team").id}`, { is_active: true }, bob);
    assertEquals([switched.status, await every(tokens.team!, 200)], [200, true]);
    const ended = await sluice.api("DELETE", `/tokens/${named("plain").id}`, undefined, bob);
    assertEquals([ended.status, await every(tokens.plain!, 401)], [204, true]);
  }
});

Deno.test("ContextForge's export is imported; what Sluice exports makes the same of a fresh gateway, with sealed credentials", async () => {
  await using upstreams = new OrganisationUpstreams();
  await using folder = await movingFolder("1_0_7", upstreams);
  const { fixture: { made, exported } } = folder;
  const env = { JWT_SECRET_KEY: JWT_SECRET, AUTH_ENCRYPTION_SECRET: ENCRYPTION_SECRET };
  await using first = await Sluice.start({ env });
  const theirs = { import_data: exported, rekey_secret: ENCRYPTION_SECRET };
  const dry = await first.api("POST", "/import", { ...theirs, dry_run: true });
  assertEquals([dry.status, (await first.api("GET", "/gateways")).body], [200, []]);
  const { status, body } = await first.api("POST", "/import", theirs);
  assertEquals([status, body.status, body.progress.created], [200, "completed", 6]);
  assertStringIncludes(body.errors.join(), "tool weather");
  // The next worker has the status too.
  for (let i = 0; i < 4; i++) {
    assertEquals((await first.api("GET", `/import/status/${body.import_id}`)).body, body);
  }
  const desk = (await first.api("GET", `/servers/${made.servers.desk}`)).body;
  assertEquals(desk.name, "Desk");
  assertEquals((await first.api("POST", "/import", theirs)).body.progress.updated, 0);
  const call = async (sluice: Sluice) =>
    (await sluice.rpc("tools/call", { name: "basic-open-ticket", arguments: { title: "x" } })).body.result
      .content[0].text;
  assertEquals(await call(first), 'open_ticket {"title":"x"}');

  const tool = (await first.api("GET", "/tools")).body.find(({ name }: { name: string }) =>
    name === "tickets-open-ticket"
  );
  await first.api("PUT", `/tools/${tool.id}`, {
    custom_name: "new_ticket",
    description: "Ours",
    timeout_ms: 5_000,
  });
  await first.api("PUT", `/servers/${made.servers.desk}`, {
    associated_tools: [tool.id],
    naming: "original",
    instructions: "Be kind",
  });
  const plain = await first.api("GET", "/export?include_inactive=true");
  const sealed = await first.api("POST", "/export/selective", { passphrase: "correct horse battery" });
  for (const { status, body } of [plain, sealed]) {
    assertEquals(status, 200);
    assertEquals(/upstream-(token|password|key|parameter)/.test(JSON.stringify(body)), false);
  }
  await using second = await Sluice.start({
    env: { AUTH_ENCRYPTION_SECRET: "another-secret-of-the-second-gateway-0123456789" },
  });
  const wrong = await second.api("POST", "/import", {
    import_data: sealed.body,
    rekey_secret: "wrong passphrase",
    dry_run: true,
  });
  assertStringIncludes(wrong.body.warnings.join(), "cannot be opened");
  const done = await second.api("POST", "/import", {
    import_data: sealed.body,
    rekey_secret: "correct horse battery",
  });
  assertEquals([done.status, done.body.errors], [200, []]);
  const listed = async () =>
    (await second.api("GET", "/gateways")).body.every(
      // ContextForge leaves the parameters of the query out of its file.
      ({ name, reachable }: { name: string; reachable: boolean }) => reachable || name === "Query",
    );
  await waitFor(listed, { what: "the imported upstreams to be listed" });
  assertEquals(await call(second), 'open_ticket {"title":"x"}');
  const again = await second.api("GET", "/export?include_inactive=true");
  const timeless = (file: { entities: unknown }) =>
    JSON.parse(JSON.stringify(file.entities).replaceAll(/"(updated_at|last_modified)":"[^"]*"/g, '"$1":""'));
  assertEquals(timeless(again.body), timeless(plain.body));
  const repeated = await second.api("POST", "/import", {
    import_data: plain.body,
    conflict_strategy: "fail",
  });
  // The credentials are not in this file, and stay.
  assertEquals([repeated.status, repeated.body.progress.updated], [200, 0]);
  const one = await first.api("POST", "/export/selective", { servers: ["Desk"] });
  assertEquals([one.body.entities.servers.length, one.body.entities.gateways.length], [1, 1]);
});

interface MovingFolder extends AsyncDisposable {
  readonly cwd: string;
  readonly fixture: Fixture;
  readonly move: (...flags: string[]) => Promise<CliResult>;
}

/** A folder with ContextForge's database. */
async function movingFolder(
  version: FixtureVersion,
  upstreams: OrganisationUpstreams,
): Promise<MovingFolder> {
  const cwd = await Deno.makeTempDir({ prefix: "sluice_moving_" });
  return {
    cwd,
    fixture: await loadFixture(version, `${cwd}/mcp.db`, upstreams.all),
    move: (...flags) => runCli(["import", "contextforge", "mcp.db", ...flags], { cwd, env: ENV }),
    [Symbol.asyncDispose]: () => Deno.remove(cwd, { recursive: true }),
  };
}

function changeSource(path: string, statements: string): void {
  const database = new DatabaseSync(path);
  try {
    database.exec(`PRAGMA foreign_keys = OFF; ${statements}`);
  } finally {
    database.close();
  }
}

async function exists(path: string): Promise<boolean> {
  return await Deno.stat(path).then(() => true, () => false);
}
