import { assert, assertEquals, assertRejects, assertStringIncludes, assertThrows } from "@std/assert";
import { DatabaseSync } from "node:sqlite";
import { SluiceError } from "../../base/errors.ts";
import { VERSION } from "../../version.ts";
import { createRegistry } from "../registry/registry.ts";
import { migrate } from "../sql/migrate.ts";
import { MIGRATIONS } from "../sql/migrations.ts";
import { sql } from "../sql/sql.ts";
import { readBackup, restoreDatabase, restoreSecrets, writeBackup } from "./backup_file.ts";
import { openSqlite } from "./sqlite.ts";

const SECRETS = "JWT_SECRET_KEY=hunter2hunter2hunter2hunter2hunter2\n";

async function withFolder(test: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "sluice_backup_" });
  try {
    await test(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** A gateway's database with revoked tokens of these ids, open as a gateway has it. */
async function openGateway(path: string, ...revoked: string[]) {
  const database = await openSqlite(path, { busyTimeoutMs: 1_000 });
  await migrate(database);
  const { revokedTokens } = createRegistry(database);
  for (const jti of revoked) {
    await revokedTokens.revoke({ jti, reason: null, revokedBy: null, expiresAt: null });
  }
  return database;
}

async function revokedIn(path: string): Promise<string[]> {
  const database = await openSqlite(path, { busyTimeoutMs: 1_000 });
  try {
    return (await database.query<{ jti: string }>(sql`SELECT jti FROM revoked_tokens ORDER BY jti`)).map((
      { jti },
    ) => jti);
  } finally {
    await database.close();
  }
}

const names = (folder: string) => [...Deno.readDirSync(folder)].map(({ name }) => name).sort();
const mode = (path: string) => (Deno.statSync(path).mode! & 0o777).toString(8);
const holds = (path: string, text: string) =>
  new TextDecoder("latin1").decode(Deno.readFileSync(path)).includes(text);

function reasonOfRestoring(file: string): string {
  const error = assertThrows(() => readBackup(file), SluiceError);
  assertEquals(error.code, "CANNOT_RESTORE");
  return String(error.params.reason);
}

Deno.test("writeBackup() copies an open database and the secrets into one private file", () =>
  withFolder(async (folder) => {
    const database = await openGateway(`${folder}/mcp.db`, "a", "b");
    await writeBackup(`${folder}/mcp.db`, `${folder}/backup.db`, SECRETS);
    const { createdAt, ...said } = readBackup(`${folder}/backup.db`);
    assertEquals(said, { madeBy: VERSION, secrets: SECRETS, upstreams: 0, tools: 0, servers: 0 });
    assert(Math.abs(Date.parse(createdAt) - Date.now()) < 60_000, createdAt);
    assertEquals(mode(`${folder}/backup.db`), "600");
    await writeBackup(`${folder}/mcp.db`, `${folder}/backup.db`, null);
    assertEquals(readBackup(`${folder}/backup.db`).secrets, null);
    await database.close();
    assertEquals(names(folder), ["backup.db", "mcp.db"]);
  }));

Deno.test("restoreDatabase() makes a database, replaces one, and leaves no secret in it", () =>
  withFolder(async (folder) => {
    await (await openGateway(`${folder}/mcp.db`, "a")).close();
    await writeBackup(`${folder}/mcp.db`, `${folder}/backup.db`, SECRETS);
    assert(holds(`${folder}/backup.db`, "hunter2"));
    await Deno.mkdir(`${folder}/new`);
    for (let time = 0; time < 2; time++) {
      await restoreDatabase(`${folder}/backup.db`, `${folder}/new/mcp.db`);
      restoreSecrets(`${folder}/backup.db`, SECRETS, `${folder}/new/mcp.db.secrets`);
      assertEquals(names(`${folder}/new`), ["mcp.db", "mcp.db.secrets"]);
      assertEquals([mode(`${folder}/new/mcp.db`), mode(`${folder}/new/mcp.db.secrets`)], ["600", "600"]);
      assertEquals(await Deno.readTextFile(`${folder}/new/mcp.db.secrets`), SECRETS);
      assertEquals(holds(`${folder}/new/mcp.db`, "hunter2"), false);
      assertEquals(await revokedIn(`${folder}/new/mcp.db`), ["a"]);
      await (await openGateway(`${folder}/new/mcp.db`, "later")).close();
    }
  }));

Deno.test("restoreDatabase() refuses while the database is open, and changes nothing", () =>
  withFolder(async (folder) => {
    const database = await openGateway(`${folder}/mcp.db`, "a");
    await writeBackup(`${folder}/mcp.db`, `${folder}/backup.db`, SECRETS);
    await createRegistry(database).revokedTokens.revoke({
      jti: "b",
      reason: null,
      revokedBy: null,
      expiresAt: null,
    });
    const error = await assertRejects(
      () => restoreDatabase(`${folder}/backup.db`, `${folder}/mcp.db`),
      SluiceError,
    );
    assertEquals(error.code, "CANNOT_RESTORE");
    assertStringIncludes(error.message, "Stop it first");
    await database.close();
    assertEquals(await revokedIn(`${folder}/mcp.db`), ["a", "b"]);
    assertEquals(names(folder), ["backup.db", "mcp.db"]);
  }));

Deno.test("restoreDatabase() replaces a database that is damaged", () =>
  withFolder(async (folder) => {
    await (await openGateway(`${folder}/mcp.db`, "a")).close();
    await writeBackup(`${folder}/mcp.db`, `${folder}/backup.db`, SECRETS);
    const whole = await Deno.readFile(`${folder}/mcp.db`);
    const holed = whole.slice().fill(0xff, 4_096, 8_192);
    for (
      const broken of [new TextEncoder().encode("nothing"), whole.slice(0, 5_000), holed, new Uint8Array()]
    ) {
      await Deno.writeFile(`${folder}/mcp.db`, broken);
      await restoreDatabase(`${folder}/backup.db`, `${folder}/mcp.db`);
      assertEquals(await revokedIn(`${folder}/mcp.db`), ["a"]);
    }
  }));

Deno.test("readBackup() refuses what is no backup, what is damaged, and a schema that it does not know", () =>
  withFolder(async (folder) => {
    await (await openGateway(`${folder}/mcp.db`)).close();
    const file = `${folder}/backup.db`;
    const noBackup = "it is not a backup made by `sluice backup`";
    assertEquals(reasonOfRestoring(file), "there is no such file. Correct the path, or put the file there");
    await Deno.writeTextFile(file, "nothing ".repeat(1_000));
    assertEquals(reasonOfRestoring(file), noBackup);
    assertEquals(reasonOfRestoring(`${folder}/mcp.db`), noBackup);
    await writeBackup(`${folder}/mcp.db`, file, SECRETS);
    const whole = await Deno.readFile(file);
    await Deno.writeFile(file, whole.slice(0, whole.length - 4_096));
    assertStringIncludes(reasonOfRestoring(file), "it is damaged");
    await Deno.writeFile(file, whole.slice().fill(0xff, whole.length - 4_096));
    assertStringIncludes(reasonOfRestoring(file), "it is damaged");
    await Deno.writeFile(file, whole);
    const database = new DatabaseSync(file);
    database.exec(`INSERT INTO schema_migrations VALUES (${MIGRATIONS.length + 1}, 'next', '')`);
    database.close();
    assertStringIncludes(reasonOfRestoring(file), `its schema is version ${MIGRATIONS.length + 1}`);
    assertEquals(names(folder), ["backup.db", "mcp.db"]);
  }));

Deno.test("writeBackup() says in words why it cannot write, and leaves nothing", () =>
  withFolder(async (folder) => {
    await (await openGateway(`${folder}/mcp.db`)).close();
    const refused = async (file: string) => {
      const error = await assertRejects(() => writeBackup(`${folder}/mcp.db`, file, null), SluiceError);
      assertEquals(error.code, "CANNOT_BACK_UP");
      return error.params.reason;
    };
    assertEquals(await refused(`${folder}/none/b.db`), `there is no folder ${folder}/none. Create it`);
    await Deno.mkdir(`${folder}/b.db`);
    assertEquals(await refused(`${folder}/b.db`), "it is a directory");
    assertEquals(names(folder), ["b.db", "mcp.db"]);
  }));
