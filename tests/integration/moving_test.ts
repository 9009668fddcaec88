// Moving in from ContextForge: `sluice import contextforge` with databases that the real program has made (scripts/contextforge_fixture.ts).
import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { DatabaseSync } from "node:sqlite";
import { type CliResult, runCli } from "../support/cli.ts";
import { type Fixture, type FixtureVersion, loadFixture } from "../support/contextforge_fixture.ts";
import { ADMIN, ENCRYPTION_SECRET, JWT_SECRET } from "../support/contextforge_program.ts";
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
  assertStringIncludes(JSON.stringify(audit), "importContextForge");
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

async function exists(path: string): Promise<boolean> {
  return await Deno.stat(path).then(() => true, () => false);
}
