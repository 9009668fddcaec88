// The store on a real PostgreSQL, directly and through a real PgBouncer: the contract of every driver, and the pool.
import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { isError, SluiceError } from "../../src/base/errors.ts";
import { migrate } from "../../src/store/sql/migrate.ts";
import { MIGRATIONS } from "../../src/store/sql/migrations.ts";
import { databaseWarning, openDatabase } from "../../src/store/open_database.ts";
import { ConstraintError, type Database, sql } from "../../src/store/sql/sql.ts";
import { PgBouncer } from "../support/pgbouncer.ts";
import { PostgresServer } from "../support/postgres.ts";
import {
  type FreshPostgres,
  freshPostgres,
  open,
  type Settings,
  settingsOf,
} from "../support/postgres_database.ts";
import { assertWithin, paced } from "../support/pace.ts";
import { canLeaveOut } from "../support/programs.ts";
import { StallingRelay } from "../support/stalling_relay.ts";
import { storeContract } from "../support/store_contract.ts";
import { waitFor } from "../support/wait_for.ts";

const missing = ["initdb", "pgbouncer"].filter(canLeaveOut);
if (missing.length > 0) console.error(`The tests of PostgreSQL are left out: no ${missing.join(", ")}`);

let server: PostgresServer;
let pgbouncer: PgBouncer;
let sessionPgbouncer: PgBouncer;

if (missing.length === 0) {
  Deno.test.beforeAll(async () => {
    server = await PostgresServer.start();
    // Few server connections, which change with each transaction: whatever needs a session of its own fails.
    pgbouncer = await PgBouncer.start(server.port, {
      settings: {
        default_pool_size: "3",
        server_login_retry: "1",
        client_idle_timeout: "120",
        stats_users: "sluice",
      },
    });
    sessionPgbouncer = await PgBouncer.start(server.port, {
      poolMode: "session",
      settings: { server_login_retry: "1" },
    });
  });
  Deno.test.afterAll(async () => {
    await sessionPgbouncer[Symbol.asyncDispose]();
    await pgbouncer[Symbol.asyncDispose]();
    await server[Symbol.asyncDispose]();
  });
  storeContract("PostgreSQL", (mayBeMigrated) => freshPostgres(server, undefined, {}, mayBeMigrated)).forEach(
    (each) => Deno.test(each),
  );
  storeContract(
    "PostgreSQL through PgBouncer",
    (mayBeMigrated) => freshPostgres(server, pgbouncer.port, {}, mayBeMigrated),
  ).forEach((each) => Deno.test(each));
}

/** A test with a database of its own. */
function test(
  name: string,
  run: (fresh: FreshPostgres) => Promise<void>,
  { port, settings }: { port?: () => number; settings?: Settings } = {},
): void {
  Deno.test({
    name,
    ignore: missing.length > 0,
    fn: async () => {
      const fresh = await freshPostgres(server, port?.(), settings);
      try {
        await run(fresh);
      } finally {
        await fresh.dispose();
      }
    },
  });
}

/** Keeps a connection busy until `end()`. */
function hold(database: Database) {
  const inside = Promise.withResolvers<void>();
  const goOn = Promise.withResolvers<void>();
  const held = database.transaction(async (tx) => {
    await tx.query(sql`SELECT 1`);
    inside.resolve();
    await goOn.promise;
  }, { readOnly: true });
  held.catch(inside.reject);
  return { begun: inside.promise, end: () => (goOn.resolve(), held) };
}

/** The promise fails with STORE_UNAVAILABLE. @returns what the log says of it */
async function unavailable(promise: Promise<unknown>): Promise<string> {
  const error: SluiceError = await assertRejects(() => promise, SluiceError);
  assertEquals(error.code, "STORE_UNAVAILABLE");
  return (error.cause as Error).message;
}

test(
  "PostgreSQL: the pool has DB_POOL_SIZE + DB_MAX_OVERFLOW connections in a burst, and keeps DB_POOL_SIZE",
  async ({ name, database }) => {
    const holds = Array.from({ length: 5 }, () => hold(database));
    await Promise.all(holds.map(({ begun }) => begun));
    assertEquals(await server.connections(name), 5);
    const waiting = hold(database);
    const error = await assertRejects(() => waiting.begun, SluiceError, "pool limit reached");
    assertEquals([error.code, error.params], ["STORE_POOL_TIMEOUT", { limit: 5, timeoutMs: 2_000 }]);
    for (const { end } of holds) await end();
    await waitFor(async () => await server.connections(name) === 3, { what: "the overflow to be closed" });
    await Promise.all(Array.from({ length: 50 }, () => database.query(sql`SELECT pg_sleep(0.001)`)));
    await waitFor(async () => await server.connections(name) === 3, { what: "three connections" });
  },
  { settings: { DB_POOL_SIZE: "3", DB_MAX_OVERFLOW: "2", DB_POOL_TIMEOUT: "2" } },
);

test("PostgreSQL: DB_POOL_CLASS=null leaves no connection open", async ({ name, database }) => {
  await Promise.all(Array.from({ length: 10 }, () => database.query(sql`SELECT 1`)));
  await waitFor(async () => await server.connections(name) === 0, { what: "no connection" });
}, { settings: { DB_POOL_CLASS: "null", DB_POOL_SIZE: "2", DB_MAX_OVERFLOW: "0" } });

test("PostgreSQL: a connection is closed at the age of DB_POOL_RECYCLE", async ({ name, database }) => {
  assertEquals(await server.connections(name), 1);
  await waitFor(async () => await server.connections(name) === 0, { what: "it to be closed" });
  assertEquals((await database.query(sql`SELECT 1 AS x`)).length, 1);
}, { settings: { DB_POOL_RECYCLE: "3" } });

for (const prePing of ["false", "true"]) {
  test(
    `PostgreSQL: connections that the server closed are not used again (DB_POOL_PRE_PING=${prePing})`,
    async ({ name, database }) => {
      for (let round = 0; round < 3; round++) {
        await Promise.all(Array.from({ length: 4 }, () => database.query(sql`SELECT pg_sleep(0.01)`)));
        await server.endConnections(name);
        await waitFor(async () => await server.connections(name) === 0, { what: "all to be ended" });
        assertEquals(await database.query(sql`SELECT 1 AS x`), [{ x: 1 }]);
      }
    },
    { settings: { DB_POOL_PRE_PING: prePing } },
  );
}

test("PostgreSQL: DB_POOL_PRE_PING finds connections on which nothing comes through", async ({ name }) => {
  await using relay = new StallingRelay(server.port);
  const limitMs = Math.ceil(await paced(300));
  const limit = String(limitMs / 1_000);
  const settings = { DB_CONNECT_TIMEOUT: limit, DB_STATEMENT_TIMEOUT: limit };
  const url = server.url(name, { port: relay.port, query: "?sslmode=disable" });
  const pinging = await open(url, { ...settings, DB_POOL_PRE_PING: "true" });
  const trusting = await open(url, settings);
  relay.stall();
  assertEquals(await pinging.query(sql`SELECT 1 AS x`), [{ x: 1 }]);
  assertStringIncludes(
    await unavailable(trusting.query(sql`SELECT 1`)),
    `no answer within ${limitMs + 1_000} ms`,
  );
  assertEquals(await trusting.query(sql`SELECT 1 AS x`), [{ x: 1 }]);
  await pinging.close();
  await trusting.close();
});

test("PostgreSQL: a server that takes connections and says nothing is given up at DB_CONNECT_TIMEOUT", async ({ name }) => {
  await using relay = new StallingRelay(server.port);
  relay.stall({ later: false });
  for (const query of ["?sslmode=disable", "?connect_timeout=1"]) {
    const url = server.url(name, { port: relay.port, query });
    const error = await assertRejects(() => open(url, { DB_CONNECT_TIMEOUT: "0.2" }), SluiceError);
    assertEquals(error.code, "STORE_CANNOT_OPEN");
    assertStringIncludes(error.message, query.includes("connect_timeout") ? "1000 ms" : "200 ms");
  }
});

test("PostgreSQL: a statement that waits for a lock ends at DB_STATEMENT_TIMEOUT", async (fresh) => {
  const { database } = fresh;
  await database.run(sql`CREATE TABLE t (id INTEGER)`);
  const limit = String(Math.ceil(await paced(200)) / 1_000);
  const impatient = await fresh.another({ DB_STATEMENT_TIMEOUT: limit });
  await database.transaction(async (tx) => {
    await tx.run(sql`INSERT INTO t (id) VALUES (1)`);
    const waiting = impatient.transaction((other) => other.run(sql`INSERT INTO t (id) VALUES (2)`));
    assertStringIncludes(await unavailable(waiting), "statement timeout");
  });
  await impatient.transaction((tx) => tx.run(sql`INSERT INTO t (id) VALUES (3)`));
  assertEquals(await database.query(sql`SELECT id FROM t ORDER BY id`), [{ id: 1 }, { id: 3 }]);
});

test("PostgreSQL: a transaction in which a failure was hidden does not pass for committed", async ({ database }) => {
  await database.run(sql`CREATE TABLE t (id INTEGER PRIMARY KEY)`);
  const hiding = database.transaction(async (tx) => {
    await tx.run(sql`INSERT INTO t (id) VALUES (1)`);
    await assertRejects(() => tx.run(sql`INSERT INTO t (id) VALUES (1)`), ConstraintError);
  });
  await assertRejects(() => hiding, Error, "nothing was committed");
  assertEquals(await database.query(sql`SELECT id FROM t`), []);
});

test("PostgreSQL: a transaction whose connection is lost fails whole, and runs nothing on another one", async (fresh) => {
  const { name, database } = fresh;
  await database.run(sql`CREATE TABLE t (id INTEGER)`);
  const losing = database.transaction(async (tx) => {
    await tx.run(sql`INSERT INTO t (id) VALUES (1)`);
    await server.endConnections(name);
    for (const id of [2, 3]) await assertRejects(() => tx.run(sql`INSERT INTO t (id) VALUES (${id})`));
  });
  await unavailable(losing);
  assertEquals(await database.query(sql`SELECT id FROM t`), []);
});

test("PostgreSQL: starters by different ways run each migration once", async (fresh) => {
  const through = await open(server.url(fresh.name, { port: pgbouncer.port }));
  const ran = await Promise.all(
    [fresh.database, through, await fresh.another()].map((each) => migrate(each)),
  );
  assertEquals(ran.flat().sort(), MIGRATIONS.map(({ name }) => name).sort());
  await through.close();
});

test("PostgreSQL: a user who may not create tables, and tables of another program, are told in words", async ({ name, url }) => {
  await server.query("CREATE ROLE weak LOGIN PASSWORD 'hush'");
  await server.query(
    "REVOKE CREATE ON SCHEMA public FROM PUBLIC; GRANT USAGE ON SCHEMA public TO weak",
    name,
  );
  const weak = await open(url.replace(/\/\/[^@]*@/, "//weak:hush@"));
  const refused = await assertRejects(
    () => migrate(weak),
    SluiceError,
    "permission denied for schema public",
  );
  await server.query("CREATE TABLE gateways (id TEXT)", name);
  const database = await open(url);
  const taken = await assertRejects(
    () => migrate(database),
    SluiceError,
    "it is another program's database (it has the tables gateways)",
  );
  for (const { code, message } of [refused, taken]) {
    assertEquals(code, "STORE_CANNOT_OPEN");
    assertStringIncludes(message, "needs a database of its own");
  }
  await Promise.all([weak.close(), database.close()]);
  await server.query("DROP OWNED BY weak; DROP ROLE weak", name);
});

const ways: [name: string, port: () => number][] = [
  ["PostgreSQL", () => server.port],
  ["PostgreSQL through PgBouncer", () => pgbouncer.port],
  ["PostgreSQL through PgBouncer in session mode", () => sessionPgbouncer.port],
];
for (const [way, port] of ways) {
  test(
    `${way}: what was written is there when the server was restarted, without opening anew (timed)`,
    async (fresh) => {
      const { database } = fresh;
      await database.run(sql`CREATE TABLE t (id INTEGER)`);
      await database.run(sql`INSERT INTO t (id) VALUES (1)`);
      await server.stop();
      const since = performance.now();
      try {
        const reason = await unavailable(database.query(sql`SELECT id FROM t`));
        // PgBouncer lets statements and logins wait for its server: then it is our timeout that ends it.
        await assertWithin(performance.now() - since, 4_000, `The failure (${reason})`);
      } finally {
        await server.startAgain();
      }
      await waitFor(async () => (await database.query(sql`SELECT id FROM t`)).length === 1, {
        what: "the database to be back",
      });
    },
    { port, settings: { DB_CONNECT_TIMEOUT: "1", DB_STATEMENT_TIMEOUT: "1" } },
  );
}

test("PostgreSQL through PgBouncer: a restart of PgBouncer heals", async ({ database }) => {
  await database.query(sql`SELECT 1`);
  await pgbouncer.stop();
  await unavailable(database.query(sql`SELECT 1`));
  await pgbouncer.startAgain();
  assertEquals(await database.query(sql`SELECT 1 AS x`), [{ x: 1 }]);
}, { port: () => pgbouncer.port });

test("PostgreSQL through PgBouncer: more clients than server connections share them", async (fresh) => {
  await fresh.database.run(sql`CREATE TABLE t (id INTEGER)`);
  const databases = [fresh.database, await fresh.another(), await fresh.another()];
  await Promise.all(
    databases.flatMap((database) =>
      Array.from(
        { length: 30 },
        (_, i) =>
          i % 3 === 0
            ? database.transaction((tx) => tx.run(sql`INSERT INTO t (id) VALUES (${i})`))
            : database.query(sql`SELECT id FROM t WHERE id = ${i}`),
      )
    ),
  );
  assertEquals((await fresh.database.query(sql`SELECT id FROM t`)).length, 30);
  assert(await server.connections(fresh.name) <= 3);
}, { port: () => pgbouncer.port, settings: { DB_POOL_SIZE: "8" } });

test("databaseWarning() reports a DB_POOL_RECYCLE that is not below PgBouncer's timeout", async ({ name, url }) => {
  const through = (query = "") => server.url(name, { port: pgbouncer.port, query });
  const warning = (recycle: string, more: Settings = {}, at = through()) =>
    databaseWarning(at, settingsOf({ DB_POOL_RECYCLE: recycle, ...more }));
  assertStringIncludes((await warning("120"))!, "DB_POOL_RECYCLE is 120 s");
  assertStringIncludes(
    (await warning("120", { DB_POOL_CLASS: "queue" }, through("?pgbouncer=true")))!,
    "120 s",
  );
  assertEquals(await warning("119"), null);
  assertEquals(await warning("3600", { DB_POOL_CLASS: "null" }), null);
  assertEquals(await warning("3600", {}, url), null);
  assertEquals(await warning("3600", {}, server.url(name, { port: sessionPgbouncer.port })), null);
});

test("openDatabase() waits for a server that is not up yet, and says so", async ({ url }) => {
  await server.stop();
  const warnings: string[] = [];
  const told = Promise.withResolvers<void>();
  const opening = openDatabase(url, {
    settings: settingsOf({ DB_MAX_RETRIES: "5000", DB_RETRY_INTERVAL_MS: "20" }),
    warn: (message) => {
      warnings.push(message);
      told.resolve();
    },
  });
  await told.promise;
  await server.startAgain();
  const database = await opening;
  assertEquals(await database.query(sql`SELECT 1 AS x`), [{ x: 1 }]);
  await database.close();
  assertStringIncludes(warnings[0], "does not answer yet");
});

test("openDatabase() refuses a database that cannot keep every character", async ({ name, url }) => {
  await server.query("CREATE DATABASE latin1 TEMPLATE template0 ENCODING 'LATIN1' LOCALE 'C'");
  const error = await assertRejects(
    () => open(url.replace(name, "latin1")),
    SluiceError,
    "encoding is LATIN1",
  );
  assertEquals(error.code, "STORE_CANNOT_OPEN");
  await server.query("DROP DATABASE latin1");
});

test("openDatabase() gives up after DB_MAX_RETRIES, and at once where waiting cannot help", async ({ name, url }) => {
  const cases: [url: string, words: string][] = [
    [url.replace(/:[^:@]*@/, ":hush@"), "password authentication failed"],
    [url.replace(name, "absent"), 'database "absent" does not exist'],
    [`${url}?sslmode=require`, "does not support TLS"],
    [`${url}?sslrootcert=/absent.pem`, "/absent.pem"],
  ];
  for (const [wrong, words] of cases) {
    const error = await assertRejects(
      () => openDatabase(wrong, { settings: settingsOf() }),
      SluiceError,
      words,
    );
    assert(isError(error, "STORE_CANNOT_OPEN") && !error.message.includes("hush"), error.message);
  }
  const nobody = server.url(name, { port: 1 });
  const settings = settingsOf({ DB_MAX_RETRIES: "2", DB_RETRY_INTERVAL_MS: "5" });
  const warnings: string[] = [];
  await assertRejects(
    () => openDatabase(nobody, { settings, warn: (message) => void warnings.push(message) }),
    SluiceError,
    "tried 3 times",
  );
  assertEquals(warnings.length, 2);
});
