import { assert, assertEquals } from "@std/assert";
import { DatabaseSync } from "node:sqlite";
import { FakeClock } from "../../tests/support/fake_clock.ts";
import { WalCheckpoints } from "./wal_checkpoints.ts";

async function withDatabase(
  test: (given: { path: string; database: DatabaseSync; rowsInCopy: () => number }) => void | Promise<void>,
): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "sluice_wal_" });
  const path = `${folder}/mcp.db`;
  const database = new DatabaseSync(path);
  database.exec("PRAGMA journal_mode = WAL; CREATE TABLE t (x); PRAGMA wal_checkpoint(TRUNCATE)");
  const rowsInCopy = () => {
    Deno.copyFileSync(path, `${folder}/copy.db`);
    const copy = new DatabaseSync(`${folder}/copy.db`);
    const { rows } = copy.prepare("SELECT COUNT(*) AS rows FROM t").get() as { rows: number };
    copy.close();
    return rows;
  };
  try {
    await test({ path, database, rowsInCopy });
  } finally {
    database.close();
    await Deno.remove(folder, { recursive: true });
  }
}

const warned: unknown[] = [];
const log = { warning: (event: string) => void warned.push(event) };

Deno.test("WalCheckpoints puts what is committed into the file a moment after a change", () =>
  withDatabase(async ({ path, database, rowsInCopy }) => {
    const clock = new FakeClock();
    const checkpoints = new WalCheckpoints({ path, clock, log });
    for (let row = 0; row < 3; row++) {
      database.exec("INSERT INTO t VALUES (1)");
      checkpoints.changed();
    }
    assertEquals(rowsInCopy(), 0);
    await clock.tick(200);
    assertEquals(rowsInCopy(), 3);
    database.exec("INSERT INTO t VALUES (1)");
    checkpoints.changed();
    checkpoints.stop();
    checkpoints.changed();
    await clock.tick(1_000);
    assertEquals([rowsInCopy(), warned], [3, []]);
  }));

Deno.test("WalCheckpoints tries again while a reader holds an older state", () =>
  withDatabase(async ({ path, database, rowsInCopy }) => {
    const clock = new FakeClock();
    const checkpoints = new WalCheckpoints({ path, clock, log });
    const reader = new DatabaseSync(path);
    reader.exec("BEGIN; SELECT * FROM t");
    database.exec("INSERT INTO t VALUES (1)");
    checkpoints.changed();
    await clock.tick(200);
    assertEquals(rowsInCopy(), 0);
    reader.exec("COMMIT");
    await clock.tick(200);
    assertEquals(rowsInCopy(), 1);
    reader.close();
    checkpoints.stop();
  }));

Deno.test("WalCheckpoints copies what others write regularly, and begins the log again so that no writer has to sync it", () =>
  withDatabase(async ({ path, database, rowsInCopy }) => {
    const clock = new FakeClock();
    const checkpoints = new WalCheckpoints({ path, clock, log });
    checkpoints.start();
    await clock.tick(1_200);
    // How often the log has begun again; its first salt counts it.
    const begun = () => new DataView(Deno.readFileSync(`${path}-wal`).buffer).getUint32(16);
    database.exec("INSERT INTO t VALUES (1)");
    const before = begun();
    database.exec("INSERT INTO t VALUES (1)");
    await clock.tick(1_200);
    assertEquals([rowsInCopy(), begun()], [2, before + 1]);
    database.exec("INSERT INTO t VALUES (1)");
    assertEquals(begun(), before + 1);
    checkpoints.stop();
    await clock.tick(5_000);
    assertEquals([rowsInCopy(), warned], [2, []]);
  }));

Deno.test("WalCheckpoints opens the database when it starts, while there are descriptors", () =>
  withDatabase(({ path }) => {
    const openFiles = () =>
      [...Deno.readDirSync("/proc/self/fd")].filter(({ name }) => {
        try {
          return Deno.readLinkSync(`/proc/self/fd/${name}`).startsWith(path);
        } catch {
          // The folder's own descriptor is closed again.
          return false;
        }
      }).length;
    const before = openFiles();
    const checkpoints = new WalCheckpoints({ path, clock: new FakeClock(), log });
    checkpoints.start();
    assert(openFiles() > before);
    checkpoints.stop();
    assertEquals(warned, []);
  }));
