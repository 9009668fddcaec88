// `sluice doctor` beside a new gateway, and with a real PostgreSQL, PgBouncer and Redis, each well and sick.
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { DatabaseSync } from "node:sqlite";
import { examineLoaded } from "../../src/cli/doctor/examination.ts";
import { loadConfig } from "../../src/config/load.ts";
import { sql } from "../../src/store/sql/sql.ts";
import { runCli } from "../support/cli.ts";
import { SERVERS_MISSING, startServers } from "../support/cluster_servers.ts";
import { freePort } from "../support/free_port.ts";
import { PgBouncer } from "../support/pgbouncer.ts";
import { POSTGRES_PASSWORD } from "../support/postgres.ts";
import { open } from "../support/postgres_database.ts";
import { Sluice } from "../support/sluice.ts";
import { waitFor } from "../support/wait_for.ts";

interface Report {
  readonly status: string;
  readonly examined: readonly string[];
  readonly findings: readonly { readonly id: string; readonly severity: string; readonly found: string }[];
}

/** Findings that depend on the machine that runs the test. */
const OF_THE_MACHINE = /^(machine\.|settings\.(no_tls|listen)|sqlite\.space)/;

async function examine(
  cwd: string,
  env: Record<string, string>,
): Promise<Report & { readonly ids: string[] }> {
  const { code, out, err } = await runCli(["doctor", "--json"], { cwd, env: { WORKERS: "2", ...env } });
  assertEquals(err, "");
  const report: Report = JSON.parse(out);
  assertEquals(report.status, ["well", "warnings", "errors"][code]);
  const ids = report.findings.map(({ id }) => id).filter((id) => !OF_THE_MACHINE.test(id));
  return { ...report, ids };
}

Deno.test("`sluice doctor` finds nothing beside a new gateway, names what is sick, and changes nothing", async () => {
  await using sluice = await Sluice.start({ env: { WORKERS: "2" } });
  const { cwd } = sluice;
  const before = [...Deno.readDirSync(cwd)].map(({ name }) => name).sort();
  const own = { JWT_SECRET_KEY: sluice.secret };
  assertEquals((await examine(cwd, own)).ids, []);
  assertEquals([...Deno.readDirSync(cwd)].map(({ name }) => name).sort(), before);

  await Deno.writeTextFile(`${cwd}/.env`, `KEY_FILE_PASSWORD=${crypto.randomUUID()}\n`, { mode: 0o644 });
  await Deno.chmod(`${cwd}/mcp.db.secrets`, 0o640);
  assertEquals((await examine(cwd, { ...own, DEV_MODE: "true" })).ids, [
    "settings.file_mode",
    "settings.dev_mode",
    "sqlite.mode",
  ]);
  assertEquals((await Deno.stat(`${cwd}/mcp.db.secrets`)).mode! & 0o777, 0o640);

  const text = await runCli(["doctor"], { cwd, env: { DATABASE_URL: "sqlite:////no/folder/mcp.db" } });
  assertEquals(text.code, 2);
  assertStringIncludes(text.out, "ERROR    No file can be made in /no/folder");
  assertMatch(
    text.out.replaceAll(/\s+/g, " "),
    / \d+ errors?, .*Examined: the settings, this machine, SQLite at \/no\/folder\/mcp.db\. $/,
  );

  // --fix writes what is certain, keeps the former file, and leaves the rest to the operator.
  const dotEnv = "DEV_MODE=true\nMAX_CALLS_PER_CALLER=900\nAUTH_REQUIRED=false\n";
  await Deno.writeTextFile(`${cwd}/.env`, dotEnv);
  const fixed = await runCli(["doctor", "--fix", "--json"], {
    cwd,
    env: { ...own, WORKERS: "1", HOST: "0.0.0.0" },
  });
  const now = "DEV_MODE=false\nMAX_CALLS_PER_CALLER=256\nAUTH_REQUIRED=false\n";
  assertEquals(await Deno.readTextFile(`${cwd}/.env`), now);
  const [, copy] = /the former file is (\.env\.\S+):\n/.exec(fixed.err) ?? [];
  assertEquals(await Deno.readTextFile(`${cwd}/${copy}`), dotEnv);
  assertStringIncludes(fixed.err, "-DEV_MODE=true\n+DEV_MODE=false\n");
  assertMatch(fixed.err, /\nLeft to you, each with its line in the report: .*settings\.anonymous/);
  const left = JSON.parse(fixed.out).findings.map(({ id }: { id: string }) => id);
  assert(left.includes("settings.anonymous") && !left.includes("settings.dev_mode"));
  await Deno.remove(`${cwd}/.env`);

  const mistaken = await examine(cwd, { PORT: "x", WORKRES: "2" });
  assertEquals([mistaken.status, mistaken.ids], ["errors", ["settings.invalid", "settings.invalid"]]);
  const notFixed = await runCli(["doctor", "--fix"], { cwd, env: { PORT: "x" } });
  assertEquals(notFixed.code, 2);
  assertMatch(notFixed.err, /^Nothing was written to \.env: .*\n {2}PORT/);
  assertStringIncludes(notFixed.out, "PORT");

  // What `serve` would refuse: the database of another program, a file of another kind, an address of another machine.
  const elsewhere = `${cwd}/elsewhere`;
  await Deno.mkdir(elsewhere);
  const foreign = new DatabaseSync(`${elsewhere}/mcp.db`);
  foreign.exec("CREATE TABLE alembic_version (version_num TEXT); CREATE TABLE tools (id TEXT)");
  foreign.close();
  await Deno.chmod(`${elsewhere}/mcp.db`, 0o600);
  const refused = await examine(elsewhere, own);
  assertEquals(refused.ids, ["sqlite.file"]);
  const words = "cannot be used: it is ContextForge's database (it has the tables tools).";
  assertStringIncludes(refused.findings.find(({ id }) => id === "sqlite.file")!.found, words);
  assertEquals([...Deno.readDirSync(elsewhere)].map(({ name }) => name), ["mcp.db"]);
  await Deno.writeTextFile(`${elsewhere}/mcp.db`, "no database at all");
  const { findings } = await examine(elsewhere, { ...own, HOST: "192.0.2.1" });
  const faults = findings.filter(({ severity }) => severity === "error").map(({ id }) => id);
  assertEquals(faults, ["settings.listen", "sqlite.file"]);
});

Deno.test({
  name: "`sluice doctor` examines PostgreSQL, PgBouncer and Redis",
  ignore: SERVERS_MISSING,
  fn: async () => {
    await using servers = await startServers({
      pgbouncer: { stats_users: "sluice", client_idle_timeout: "120", default_pool_size: "20" },
    });
    const { postgres, pgbouncer, redis } = servers;
    const name = await postgres.takeDatabase();
    const secret = () => crypto.getRandomValues(new Uint8Array(48)).toBase64();
    const well = {
      JWT_SECRET_KEY: secret(),
      AUTH_ENCRYPTION_SECRET: secret(),
      DATABASE_URL: postgres.url(name, { port: pgbouncer.port }),
      CACHE_TYPE: "redis",
      REDIS_URL: redis.url(),
      DB_POOL_RECYCLE: "60",
    };
    const cwd = await Deno.makeTempDir({ prefix: "sluice_doctor_" });
    const examined = async (settings: Record<string, string> = {}) => {
      const environment = { WORKERS: "2", ...well, ...settings };
      const loaded = loadConfig({ environment, dotEnv: null, dev: false, overrides: {}, cores: 2 });
      return await examineLoaded(loaded);
    };
    const ids = async (settings: Record<string, string> = {}) =>
      (await examined(settings)).findings.map(({ id }) => id).filter((id) => !OF_THE_MACHINE.test(id));
    try {
      // Connections of the gateway are no other program's: 2 x 28 of 57 are free beside four of them, and not beside four others.
      const close = { CACHE_TYPE: "database", DB_POOL_SIZE: "20", DB_MAX_OVERFLOW: "8" };
      for (
        const [query, finding] of [["", []], ["?application_name=other", ["postgres.connections"]]] as const
      ) {
        const opened = await Promise.all(
          Array.from({ length: 4 }, () => open(postgres.url(name, { query }))),
        );
        await Promise.all(opened.map((database) => database.query(sql`SELECT 1 AS x`)));
        assertEquals(await ids({ ...close, DATABASE_URL: postgres.url(name) }), finding);
        await Promise.all(opened.map((database) => database.close()));
      }

      // Before a gateway has made its tables, and beside one.
      assertEquals(await ids(), []);
      {
        await using sluice = await Sluice.start({ env: well });
        assertEquals((await sluice.api("GET", "/ready", undefined, null)).status, 200);
        const report = await examine(cwd, well);
        assertEquals(report.ids, []);
        assertEquals(report.examined, [
          "the settings",
          "this machine",
          `PostgreSQL at 127.0.0.1:${pgbouncer.port}/${name} through PgBouncer`,
          `Redis at 127.0.0.1:${redis.port}`,
          "0 upstreams",
          "1 replica",
        ]);
      }

      assertEquals(await ids({ DB_POOL_RECYCLE: "120" }), ["pgbouncer.client_idle_timeout"]);
      assertEquals(await ids({ DB_POOL_SIZE: "3000", DB_MAX_OVERFLOW: "0" }), ["pgbouncer.max_client_conn"]);
      const direct = { DATABASE_URL: postgres.url(name) };
      assertEquals(await ids({ ...direct, DB_POOL_SIZE: "30" }), ["postgres.connections"]);
      const gone = await examined({
        DATABASE_URL: postgres.url(name, { port: freePort() }),
        REDIS_URL: `redis://:hush-hush@127.0.0.1:${freePort()}`,
      });
      const faults = gone.findings.filter(({ severity }) => severity === "error");
      assertEquals(faults.map(({ id }) => id), ["postgres.unreachable", "redis.unreachable"]);
      assertStringIncludes(faults[0].found, "nothing listens there");
      assert(!JSON.stringify(gone).includes("pass/word") && !JSON.stringify(gone).includes("hush"));
      assertEquals(await ids({ DATABASE_URL: postgres.url("missing") }), ["postgres.unreachable"]);

      // A database that takes no writes, and a user without rights and connections.
      const empty = await postgres.takeDatabase();
      await postgres.query(`ALTER DATABASE ${empty} SET default_transaction_read_only = on`);
      assertEquals(await ids({ DATABASE_URL: postgres.url(empty) }), ["postgres.read_only"]);
      await postgres.query(`ALTER DATABASE ${empty} RESET default_transaction_read_only`);
      const others = await postgres.takeDatabase();
      await postgres.query("CREATE TABLE alembic_version (v text); CREATE TABLE tools (id text)", others);
      assertEquals(await ids({ DATABASE_URL: postgres.url(others) }), ["postgres.foreign"]);
      await postgres.query("CREATE ROLE shy LOGIN PASSWORD 'hush' CONNECTION LIMIT 8");
      const asShy = (database: string) => postgres.url(database).replace(/\/\/.*?@/, "//shy:hush@");
      const rights = ["postgres.connection_limit", "postgres.create"];
      assertEquals(await ids({ DATABASE_URL: asShy(empty) }), rights);
      await postgres.query("ALTER ROLE shy CONNECTION LIMIT -1");
      // Beside the tables of a gateway, without rights on them, with the right to read, and with all but to make tables.
      const ofShy = async () =>
        (await examined({ DATABASE_URL: asShy(name) })).findings.filter(({ id }) =>
          id.startsWith("postgres.")
        );
      const denied = await ofShy();
      assertEquals(denied.map(({ id }) => id), ["postgres.rights", "postgres.create"]);
      assertStringIncludes(denied[0].found, "has no right to SELECT, INSERT, UPDATE and DELETE on");
      await postgres.query("GRANT pg_read_all_data TO shy");
      assertStringIncludes((await ofShy())[0].found, "has no right to INSERT, UPDATE and DELETE on");
      await postgres.query("GRANT pg_write_all_data TO shy");
      const findings = await ofShy();
      // Beside the tables of a gateway it is the next version alone that needs the right.
      assertEquals(findings.filter(({ id }) => id === "postgres.create").map(({ severity }) => severity), [
        "note",
      ]);
      {
        await using least = await Sluice.start({ env: { ...well, DATABASE_URL: asShy(name) } });
        assertEquals((await least.api("GET", "/ready", undefined, null)).status, 200);
      }

      // A user without the role pg_read_all_stats counts the connections of others, and says what it does not see.
      await postgres.query("CREATE ROLE stranger LOGIN PASSWORD 'hush'");
      const strangers = postgres.url(name).replace(/\/\/.*?@/, "//stranger:hush@");
      const opened = await Promise.all(Array.from({ length: 4 }, () => open(strangers)));
      await Promise.all(opened.map((database) => database.query(sql`SELECT 1 AS x`)));
      assertEquals(await ids({ ...close, DATABASE_URL: asShy(name) }), [
        "postgres.connections",
        "postgres.create",
      ]);
      const ended = opened[0]!.transaction(async () => {
        assertEquals(await ids({ DATABASE_URL: asShy(name) }), ["postgres.create", "postgres.unseen"]);
        await postgres.query("GRANT pg_read_all_stats TO shy");
        assertEquals(await ids({ DATABASE_URL: asShy(name) }), ["postgres.create"]);
      });
      await ended;
      await Promise.all(opened.map((database) => database.close()));

      // A Redis that takes no writes: it follows another one, or cannot write its snapshot.
      await redis.use((client) => client.call("REPLICAOF", "127.0.0.1", "1"));
      assertEquals(await ids(), ["redis.replica"]);
      await redis.use((client) => client.call("REPLICAOF", "NO", "ONE"));
      const folder = (await redis.use((client) => client.config("GET", "dir")) as string[])[1]!;
      const save = async (mode: number, status: string) => {
        await Deno.chmod(folder, mode);
        await waitFor(() =>
          redis.use(async (client) => {
            await client.bgsave().catch(() => {});
            return (await client.info("persistence")).includes(`rdb_last_bgsave_status:${status}`);
          }), { what: `a snapshot's status ${status}`, everyMs: 100 });
      };
      await save(0o555, "err");
      assertEquals(await ids(), ["redis.persistence"]);
      await save(0o755, "ok");
      assertEquals(await ids(), []);

      // A user who may ask nothing: there is nothing to say then.
      await redis.use((client) =>
        client.call("ACL", ..."SETUSER shy on >hush ~* &* +@all -info -config -time -scan".split(" "))
      );
      assertEquals(await ids({ REDIS_URL: redis.url().replace("//", "//shy:hush@") }), []);
      // One who may not write, and what the finding says, in redis-cli.
      await redis.use((client) => client.call("ACL", ..."SETUSER other on >hush ~x:* &* +@all".split(" ")));
      const asOther = { REDIS_URL: redis.url().replace("//", "//other:hush@") };
      const refused = await examined(asOther);
      const finding = refused.findings.find(({ id }) => id === "redis.refused");
      assertStringIncludes(finding!.found, "NOPERM");
      const [command, ...words] = finding!.fix.split(" ");
      await redis.use((client) => client.call(command!, ...words));
      assertEquals(await ids(asOther), []);
      await redis.use((client) => client.config("SET", "min-replicas-to-write", "1"));
      assertEquals(await ids(), ["redis.refused"]);
      await redis.use((client) => client.config("SET", "min-replicas-to-write", "0"));
      await redis.use(async (client) => {
        await client.config("SET", "maxmemory", "100mb");
        await client.config("SET", "maxmemory-policy", "allkeys-lru");
        await client.config("SET", "maxclients", "4");
      });
      assertEquals(await ids({ WORKERS: "4" }), ["redis.eviction", "redis.maxclients"]);

      for (
        const [settings, poolMode, finding] of [
          [{ stats_users: "sluice", default_pool_size: "5" }, "session", ["pgbouncer.pool_mode"]],
          [{ stats_users: "sluice", default_pool_size: "90" }, "transaction", [
            "pgbouncer.server_connections",
          ]],
          [{ stats_users: "sluice" }, "statement", ["pgbouncer.pool_mode"]],
          [{ stats_users: "sluice", server_lifetime: "0", query_wait_timeout: "1" }, "transaction", [
            "pgbouncer.server_lifetime",
            "pgbouncer.query_wait_timeout",
          ]],
          [
            {
              ...{
                stats_users: "sluice",
                default_pool_size: "1",
                min_pool_size: "2",
                server_idle_timeout: "5",
              },
              ...{ reserve_pool_size: "1", reserve_pool_timeout: "0" },
            },
            "transaction",
            ["pgbouncer.min_pool_size", "pgbouncer.server_idle_timeout", "pgbouncer.reserve_pool_timeout"],
          ],
          [{ stats_users: "sluice", max_user_connections: "1" }, "transaction", ["pgbouncer.pool_size"]],
          [{}, "transaction", ["pgbouncer.untold"]],
        ] as const
      ) {
        await using other = await PgBouncer.start(postgres.port, { poolMode, settings });
        const settingsOfCache = {
          CACHE_TYPE: "database",
          DATABASE_URL: postgres.url(name, { port: other.port }),
        };
        assertEquals(await ids(settingsOfCache), finding);
      }

      // What the database and the user have of their own in PgBouncer, told by the console, or by the file.
      const ini = (line: string, pgbouncer: string) =>
        `[databases]\n${name} = host=127.0.0.1 port=${postgres.port} ${line}\n[pgbouncer]\nlisten_addr = 127.0.0.1\n` +
        `listen_port = PORT\nunix_socket_dir =\nauth_type = scram-sha-256\nauth_file = USERS\nmax_client_conn = 1000\n${pgbouncer}`;
      const users = `"sluice" "${POSTGRES_PASSWORD}"\n`;
      for (
        const [line, told, finding] of [
          ["pool_mode=session pool_size=5", "pool_mode = transaction\nstats_users = sluice", "pool_mode"],
          ["pool_size=90", "pool_mode = transaction\nstats_users = sluice", "server_connections"],
          ["pool_mode=session pool_size=5", "pool_mode = transaction", "pool_mode"],
          ["pool_mode=transaction", "pool_mode = statement", null],
        ] as const
      ) {
        await using other = await PgBouncer.start(postgres.port, { files: { ini: ini(line, told), users } });
        const path = `${cwd}/pgbouncer.ini`;
        await Deno.writeTextFile(path, ini(line, told));
        const settings = { CACHE_TYPE: "database", DATABASE_URL: postgres.url(name, { port: other.port }) };
        const isTold = told.includes("stats_users");
        const { code, out } = await runCli(
          ["doctor", "--json", ...(isTold ? [] : ["--pgbouncer-ini", path])],
          { cwd, env: { WORKERS: "2", ...well, ...settings } },
        );
        const found = (JSON.parse(out).findings as Report["findings"]).map(({ id }) => id);
        const expected = finding === null ? [] : [`pgbouncer.${finding}`];
        assertEquals([found.filter((id) => id.startsWith("pgbouncer.")), code < 2], [expected, true]);
      }
    } finally {
      await Deno.remove(cwd, { recursive: true });
    }
  },
});
