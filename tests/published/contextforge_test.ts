// Moving in from the real ContextForge, which makes its database in the test: on SQLite and on PostgreSQL.
import { assertEquals, assertStringIncludes } from "@std/assert";
import { runCli } from "../support/cli.ts";
import {
  ADMIN,
  ContextForge,
  ENCRYPTION_SECRET,
  JWT_SECRET,
  populate,
} from "../support/contextforge_program.ts";
import { answersOf, assertAlike, OrganisationUpstreams } from "../support/moved_organisation.ts";
import { PostgresServer } from "../support/postgres.ts";
import { contextForgePython } from "../support/published_programs.ts";
import { Sluice } from "../support/sluice.ts";
import { waitFor } from "../support/wait_for.ts";

for (const dialect of ["SQLite", "PostgreSQL"]) {
  Deno.test(`what the real ContextForge has made on ${dialect} is answered alike after the move`, async () => {
    const cwd = await Deno.makeTempDir({ prefix: "sluice_moving_" });
    await using upstreams = new OrganisationUpstreams();
    await using postgres = dialect === "PostgreSQL" ? await PostgresServer.start() : null;
    const source = postgres === null
      ? `sqlite:///${cwd}/mcp.db`
      : postgres.url(await postgres.takeDatabase());
    const { command: python, env } = contextForgePython();
    const program = await ContextForge.start({ python, env, cwd, databaseUrl: source });
    const made = await populate(program, upstreams.all);
    const there = await answersOf(program.ask, made);
    await program[Symbol.asyncDispose]();

    const settings = {
      DATABASE_URL: "sqlite:///./sluice.db",
      JWT_SECRET_KEY: JWT_SECRET,
      AUTH_ENCRYPTION_SECRET: ENCRYPTION_SECRET,
      PLATFORM_ADMIN_EMAIL: ADMIN,
      SSRF_ALLOW_LOCALHOST: "true",
    };
    const move = (...flags: string[]) =>
      runCli(["import", "contextforge", source, "--apply", ...flags], { cwd, env: settings });
    const first = await move();
    assertEquals([first.code, first.err], [0, ""]);
    await using sluice = await Sluice.start({ cwd, env: settings });
    await waitFor(
      async () =>
        (await sluice.api("GET", "/gateways")).body.every(({ reachable }: { reachable: boolean }) =>
          reachable
        ),
      { what: "the imported upstreams to be listed" },
    );
    assertAlike(await answersOf((...request) => sluice.api(...request), made), there);
    const second = await move("--conflict", "update");
    assertStringIncludes(second.out, "Nothing");
    await Deno.remove(cwd, { recursive: true });
  });
}
