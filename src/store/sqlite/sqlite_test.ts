import { DatabaseSync } from "node:sqlite";
import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { isError, SluiceError } from "../../base/errors.ts";
import { type FreshDatabase, storeContract } from "../../../tests/support/store_contract.ts";
import { type Database, sql } from "../sql/sql.ts";
import { OUR_TABLES } from "../sql/foreign_database.ts";
import { migrate } from "../sql/migrate.ts";
import { CONTEXTFORGE_TABLES } from "../../../tests/support/contextforge_database.ts";
import { modeWarning } from "./file_mode.ts";
import { openSqlite } from "./sqlite.ts";

storeContract("SQLite", openFresh).forEach((each) => Deno.test(each));

Deno.test("openSqlite() sets WAL, foreign keys, NORMAL synchronisation, and leaves checkpoints to the supervisor", async () => {
  const { database, dispose } = await openFresh();
  const pragma = async (name: string) =>
    Object.values((await database.query<object>({ parts: [`PRAGMA ${name}`], values: [] }))[0])[0];
  assertEquals(
    [
      await pragma("journal_mode"),
      await pragma("foreign_keys"),
      await pragma("synchronous"),
      await pragma("wal_autocheckpoint"),
    ],
    ["wal", 1, 1, 16_384],
  );
  await dispose();
});

Deno.test("openSqlite() makes files that their owner alone can read, and changes no mode", async () => {
  const directory = await Deno.makeTempDir();
  const modes = () =>
    Array.from(Deno.readDirSync(directory), ({ name }) => name).sort()
      .map((name) => [name, (Deno.statSync(`${directory}/${name}`).mode! & 0o777).toString(8)]);
  const path = `${directory}/x.db`;
  const database = await openSqlite(path, { busyTimeoutMs: 100 });
  await migrate(database);
  assertEquals(modes(), [["x.db", "600"], ["x.db-shm", "600"], ["x.db-wal", "600"]]);
  assertEquals(modeWarning(path), null);
  await database.close();
  await Deno.chmod(path, 0o640);
  await (await openSqlite(path, { busyTimeoutMs: 100 })).close();
  assertEquals(modes(), [["x.db", "640"]]);
  assertEquals(
    modeWarning(path),
    `${path} is open to other users (mode 640); let its owner run: chmod 600 ${path} ${path}-wal ${path}-shm`,
  );
  await Deno.remove(directory, { recursive: true });
});

Deno.test("openSqlite() says which path it cannot open, and why", async () => {
  const directory = await Deno.makeTempDir();
  await Deno.writeTextFile(`${directory}/garbage.db`, "no database ".repeat(100));
  const cases: [path: string, reason: string][] = [
    [
      `${directory}/absent/x.db`,
      `there is no folder ${directory}/absent. Create it, or change DATABASE_URL`,
    ],
    [
      `${directory}/garbage.db/x.db`,
      `${directory}/garbage.db is not a folder. Make it one, or change DATABASE_URL`,
    ],
    [directory, "it is a directory. Name a file in DATABASE_URL"],
    [
      `${directory}/garbage.db`,
      "it is not a SQLite database. Move the file away, or change DATABASE_URL",
    ],
  ];
  for (const [path, reason] of cases) {
    const error = await assertRejects(() => openSqlite(path, { busyTimeoutMs: 100 }), SluiceError);
    assertEquals([error.code, error.params], ["STORE_CANNOT_OPEN", { path, reason }]);
  }
  await Deno.remove(directory, { recursive: true });
});

for (const mode of ["delete", "wal"]) {
  Deno.test(`openSqlite() leaves ContextForge's file in journal mode ${mode} as it is, and nothing beside it`, async () => {
    const { directory, path } = await contextForgeFile(mode);
    const before = await Deno.readFile(path);
    const error = await assertRejects(() => openSqlite(path, { busyTimeoutMs: 100 }), SluiceError);
    assertStringIncludes(error.message, "it is ContextForge's database");
    assertEquals(await Deno.readFile(path), before);
    assertEquals(Array.from(Deno.readDirSync(directory), ({ name }) => name), ["mcp.db"]);
    await Deno.remove(directory, { recursive: true });
  });
}

Deno.test("openSqlite() recognizes ContextForge's file while ContextForge writes to it", async () => {
  const { directory, path } = await contextForgeFile("wal", []);
  const writer = new DatabaseSync(path);
  for (const text of CONTEXTFORGE_TABLES) writer.exec(text);
  await assertRejects(() => openSqlite(path, { busyTimeoutMs: 100 }), SluiceError, "it is ContextForge's");
  assertEquals(writer.prepare("SELECT COUNT(*) AS n FROM sqlite_master WHERE type = 'table'").get()!.n, 7);
  writer.close();
  await Deno.remove(directory, { recursive: true });
});

Deno.test("OUR_TABLES are the tables that the migrations make", async () => {
  const { database, dispose } = await openFresh();
  await migrate(database);
  const rows = await database.query<{ name: string }>(
    sql`SELECT name FROM sqlite_master WHERE type = 'table'`,
  );
  const made = new Set(rows.map(({ name }) => name));
  const earlier = ["session_records"];
  assertEquals([...made].filter((name) => !OUR_TABLES.includes(name)), ["schema_migrations"]);
  assertEquals(OUR_TABLES.filter((name) => !made.has(name)), earlier);
  await dispose();
});

Deno.test({
  name: "openSqlite() refuses a file that it may not write",
  ignore: Deno.uid() === 0, // root can write to every file
  fn: async () => {
    const { path, dispose } = await openFresh();
    await Deno.chmod(path, 0o400);
    const error = await assertRejects(() => openSqlite(path, { busyTimeoutMs: 100 }), SluiceError);
    assertStringIncludes(String(error.params.reason), "it is read-only");
    await dispose();
  },
});

Deno.test("Database.run() waits for another connection's lock, and reads go on meanwhile", async () => {
  const { database, another, dispose } = await openFresh();
  await database.run(sql`CREATE TABLE t (id INTEGER)`);
  const other = await another();
  const inside = Promise.withResolvers<void>();
  const goOn = Promise.withResolvers<void>();
  const holding = other.transaction(async (tx) => {
    await tx.run(sql`INSERT INTO t (id) VALUES (1)`);
    inside.resolve();
    await goOn.promise;
  });
  await inside.promise;
  const waiting = database.transaction((tx) => tx.run(sql`INSERT INTO t (id) VALUES (2)`));
  assertEquals(await database.query(sql`SELECT id FROM t`), []);
  goOn.resolve();
  await Promise.all([holding, waiting]);
  assertEquals((await database.query(sql`SELECT id FROM t`)).length, 2);
  await dispose();
});

Deno.test("Database.run() gives up a lock at the busy timeout with the path in the cause", async () => {
  const { path, another, dispose } = await openFresh();
  const holder = await another();
  const database = await openSqlite(path, { busyTimeoutMs: 20 });
  await holder.transaction(async () => {
    const error = await assertRejects(() => database.run(sql`CREATE TABLE t (id INTEGER)`), SluiceError);
    assertEquals(error.code, "STORE_UNAVAILABLE");
    const { message } = error.cause as Error;
    assertStringIncludes(
      message,
      `${path}: another program keeps it locked for longer than DB_SQLITE_BUSY_TIMEOUT`,
    );
  });
  await database.close();
  await dispose();
});

Deno.test("Database.close() ends every further statement with STORE_UNAVAILABLE", async () => {
  const { database, dispose } = await openFresh();
  await database.close();
  await database.close();
  const error = await assertRejects(() => database.query(sql`SELECT 1`));
  assertEquals(isError(error, "STORE_UNAVAILABLE"), true);
  await dispose();
});

Deno.test("Database.transaction() refuses statements that come after its end", async () => {
  const { database, dispose } = await openFresh();
  let escaped: Database | undefined;
  await database.transaction(async (tx) => void (escaped = tx));
  await assertRejects(() => escaped!.query(sql`SELECT 1`), Error, "has ended");
  await dispose();
});

async function openFresh(): Promise<FreshDatabase & { path: string }> {
  const directory = await Deno.makeTempDir();
  const path = `${directory}/test.db`;
  const opened: Database[] = [];
  const another = async () => {
    const database = await openSqlite(path, { busyTimeoutMs: 5000 });
    opened.push(database);
    return database;
  };
  return {
    path,
    database: await another(),
    another,
    dispose: async () => {
      for (const database of opened) await database.close();
      await Deno.remove(directory, { recursive: true });
    },
  };
}

async function contextForgeFile(mode: string, tables = CONTEXTFORGE_TABLES) {
  const directory = await Deno.makeTempDir();
  const path = `${directory}/mcp.db`;
  const database = new DatabaseSync(path);
  database.exec(`PRAGMA journal_mode = ${mode}`);
  for (const text of tables) database.exec(text);
  database.close();
  return { directory, path };
}
