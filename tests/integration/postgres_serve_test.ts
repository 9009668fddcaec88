// The program on a real PostgreSQL through a real PgBouncer: registered, called, restarted, and still there.
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { MIGRATIONS } from "../../src/store/sql/migrations.ts";
import { FastUpstream } from "../support/fast_upstream.ts";
import { PgBouncer } from "../support/pgbouncer.ts";
import { PostgresServer } from "../support/postgres.ts";
import { canLeaveOut } from "../support/programs.ts";
import { Sluice } from "../support/sluice.ts";
import { waitFor } from "../support/wait_for.ts";

const ignore = canLeaveOut("initdb") || canLeaveOut("pgbouncer");
const AUTH_ENCRYPTION_SECRET = crypto.randomUUID().repeat(2);

async function echo(sluice: Sluice): Promise<string> {
  const { body } = await sluice.rpc("tools/call", { name: "demo-echo", arguments: { message: "hello" } });
  return body.result?.content[0].text ?? JSON.stringify(body);
}

Deno.test({
  name: "serve keeps what was registered in PostgreSQL, whatever is restarted",
  ignore,
  fn: async () => {
    await using server = await PostgresServer.start();
    await using pgbouncer = await PgBouncer.start(server.port, {
      settings: { server_login_retry: "1", client_idle_timeout: "120", stats_users: "sluice" },
    });
    const name = await server.takeDatabase();
    const env = {
      DATABASE_URL: server.url(name, { port: pgbouncer.port }),
      AUTH_ENCRYPTION_SECRET,
      DB_POOL_SIZE: "2",
      DB_MAX_OVERFLOW: "1",
      LOG_LEVEL: "INFO",
    };
    const upstream = FastUpstream.start();
    try {
      {
        await using sluice = await Sluice.start({ env });
        await sluice.registerUpstream("demo", upstream.url);
        assertStringIncludes(await echo(sluice), "hello");
        const warnings = sluice.log().map(({ warning }) => String(warning));
        assert(
          warnings.some((warning) => warning.includes("client_idle_timeout of 120 s")),
          warnings.join("\n"),
        );
        assert(![...sluice.stdout.lines, ...sluice.stderr.lines].join("\n").includes("pass/word"));
      }
      // What both workers hold goes with the process; PgBouncer keeps its own.
      await pgbouncer.stop();
      await waitFor(async () => await server.connections(name) === 0, { what: "no connection" });
      await pgbouncer.startAgain();

      await using sluice = await Sluice.start({ env: { ...env, DATABASE_URL: server.url(name) } });
      assertStringIncludes(await echo(sluice), "hello");
      assert(await server.connections(name) <= 2 * 3, "more connections than 2 workers x (2 + 1)");

      await server.stop();
      assertStringIncludes(await echo(sluice), "hello"); // from the snapshot
      const refused = await sluice.api("POST", "/gateways", {
        name: "other",
        url: `${upstream.url}?other`,
        transport: "STREAMABLEHTTP",
      });
      assertEquals(refused.status, 503);
      await server.startAgain();
      await waitFor(async () => (await sluice.api("GET", "/gateways")).body.length === 1, {
        what: "it to heal",
      });
      await sluice.registerUpstream("other", `${upstream.url}?other`);
    } finally {
      await upstream.close();
    }
  },
});

Deno.test({
  name: "serve: two that start at once on PostgreSQL migrate it once",
  ignore,
  fn: async () => {
    await using server = await PostgresServer.start();
    const name = await server.takeDatabase();
    const env = {
      DATABASE_URL: server.url(name),
      JWT_SECRET_KEY: crypto.randomUUID().repeat(2),
      AUTH_ENCRYPTION_SECRET,
      LOG_LEVEL: "INFO",
      WORKERS: "1",
    };
    const both = await Promise.all([Sluice.start({ env }), Sluice.start({ env })]);
    try {
      // The first to ask may have run all of them.
      const every = MIGRATIONS.map(({ name }) => name);
      const applied = both.flatMap((sluice) => sluice.log())
        .flatMap(({ event, applied, schemaVersion }) =>
          event === "database migrated"
            ? applied
            : event === "database created"
            ? every.slice(0, schemaVersion as number)
            : []
        );
      assertEquals(applied.sort(), every.sort());
      const [{ amount }] = await server.query("SELECT COUNT(*)::int AS amount FROM schema_migrations", name);
      assert(Number(amount) > 0);
    } finally {
      for (const sluice of both) await sluice[Symbol.asyncDispose]();
    }
  },
});

Deno.test("serve on PostgreSQL names both secrets where one is missing", async () => {
  await using sluice = await Sluice.spawn({ env: { DATABASE_URL: "postgresql://u:hush@127.0.0.1:1/mcp" } });
  assertEquals(await sluice.exit(), 2);
  const text = sluice.stdout.tail() + sluice.stderr.tail();
  assertStringIncludes(text, "JWT_SECRET_KEY and AUTH_ENCRYPTION_SECRET must both be set");
  assertEquals(text.includes("hush"), false);
});
