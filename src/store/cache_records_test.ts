import { assertEquals } from "@std/assert";
import { agedBy, cacheContract } from "../../tests/support/cache_contract.ts";
import { CacheRecords } from "./cache_records.ts";
import { migrate } from "./sql/migrate.ts";
import { MIGRATIONS } from "./sql/migrations.ts";
import { sql } from "./sql/sql.ts";
import { openSqlite } from "./sqlite/sqlite.ts";

cacheContract("SQLite", async () => {
  const directory = await Deno.makeTempDir();
  const open = () => openSqlite(`${directory}/test.db`, { busyTimeoutMs: 1000 });
  const [database, another] = [await open(), await open()];
  await migrate(database);
  return {
    cache: new CacheRecords(database),
    other: new CacheRecords(another),
    pass: (ms) => agedBy(database, ms),
    dispose: async () => {
      await database.close();
      await another.close();
      await Deno.remove(directory, { recursive: true });
    },
  };
}).forEach((each) => Deno.test(each));

Deno.test("migrate() keeps the session records that an older version wrote", async () => {
  const directory = await Deno.makeTempDir();
  const database = await openSqlite(`${directory}/test.db`, { busyTimeoutMs: 1000 });
  const step = MIGRATIONS.findIndex(({ name }) => name === "cache records");
  await migrate(database, MIGRATIONS.slice(0, step));
  const expiresAt = Date.now() + 60_000;
  await database.run(
    sql`INSERT INTO session_records (id, record, expires_at) VALUES (${"s1"}, ${"{}"}, ${expiresAt})`,
  );
  await migrate(database);
  assertEquals(await new CacheRecords(database).list(""), [{ key: "session:s1", value: "{}" }]);
  await database.close();
  await Deno.remove(directory, { recursive: true });
});
