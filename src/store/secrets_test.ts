import { DatabaseSync } from "node:sqlite";
import { assertEquals, assertMatch, assertRejects } from "@std/assert";
import { CONTEXTFORGE_TABLES } from "../../tests/support/contextforge_database.ts";
import { SluiceError } from "../base/errors.ts";
import { loadOrCreateSecrets, readSecrets, rotateTokenSecret } from "./secrets.ts";

async function withDirectory(run: (path: string, databaseUrl: string) => Promise<void>): Promise<void> {
  const directory = await Deno.makeTempDir();
  await run(`${directory}/mcp.db.secrets`, `sqlite:///${directory}/mcp.db`);
  await Deno.remove(directory, { recursive: true });
}

Deno.test("loadOrCreateSecrets() makes secrets that only the owner may read, and finds them again", () =>
  withDirectory(async (path, databaseUrl) => {
    const secrets = await loadOrCreateSecrets(databaseUrl);
    assertMatch(secrets.jwtSecretKey, /^[\w-]{64}$/);
    assertMatch(secrets.authEncryptionSecret, /^[\w-]{64}$/);
    assertEquals(secrets.jwtSecretKey === secrets.authEncryptionSecret, false);
    assertEquals((await Deno.stat(path)).mode! & 0o777, 0o600);
    assertEquals(await loadOrCreateSecrets(databaseUrl), secrets);
  }));

Deno.test("loadOrCreateSecrets() makes none beside ContextForge's database", () =>
  withDirectory(async (path, databaseUrl) => {
    const database = new DatabaseSync(path.replace(".secrets", ""));
    for (const text of CONTEXTFORGE_TABLES) database.exec(text);
    database.close();
    await assertRejects(() => loadOrCreateSecrets(databaseUrl), SluiceError, "it is ContextForge's database");
    assertEquals(Array.from(Deno.readDirSync(path.replace(/\/[^/]*$/, "")), ({ name }) => name), ["mcp.db"]);
  }));

Deno.test("loadOrCreateSecrets() gives starters that come at the same time the same secrets", () =>
  withDirectory(async (path, databaseUrl) => {
    const [first, ...others] = await Promise.all(
      Array.from({ length: 8 }, () => loadOrCreateSecrets(databaseUrl)),
    );
    for (const other of others) assertEquals(other, first);
    const left = Array.from(Deno.readDirSync(path.replace(/\/[^/]*$/, "")), ({ name }) => name);
    assertEquals(left, ["mcp.db.secrets"]);
  }));

Deno.test("loadOrCreateSecrets() closes a file that others may read, and says so", () =>
  withDirectory(async (path, databaseUrl) => {
    await loadOrCreateSecrets(databaseUrl);
    await Deno.chmod(path, 0o644);
    const warnings: string[] = [];
    await loadOrCreateSecrets(databaseUrl, { warn: (message) => void warnings.push(message) });
    assertEquals((await Deno.stat(path)).mode! & 0o777, 0o600);
    assertEquals(warnings, [`${path} was open to other users (mode 644); it is now 600`]);
  }));

Deno.test("loadOrCreateSecrets() never makes up half of a file", () =>
  withDirectory(async (path, databaseUrl) => {
    const rows: [text: string, wrong: string][] = [
      [
        `JWT_SECRET_KEY=${"a".repeat(32)}\n`,
        "it has no AUTH_ENCRYPTION_SECRET that can be used (at least 32 characters",
      ],
      ["JWT_SECRET_KEY=abc\n", "it has no JWT_SECRET_KEY and AUTH_ENCRYPTION_SECRET that can be used"],
      ["", "it has no JWT_SECRET_KEY and AUTH_ENCRYPTION_SECRET that can be used"],
    ];
    for (const [text, wrong] of rows) {
      await Deno.writeTextFile(path, text, { mode: 0o600 });
      const error = await assertRejects(() => loadOrCreateSecrets(databaseUrl), SluiceError, wrong);
      assertEquals(error.code, "SECRETS_UNUSABLE");
      assertEquals(await Deno.readTextFile(path), text);
    }
  }));

Deno.test("readSecrets() reads what a start has made, and makes nothing itself", () =>
  withDirectory(async (path, databaseUrl) => {
    assertEquals(await readSecrets(databaseUrl), null);
    assertEquals(Array.from(Deno.readDirSync(path.replace(/\/[^/]*$/, ""))), []);
    const made = await loadOrCreateSecrets(databaseUrl);
    assertEquals(await readSecrets(databaseUrl), made);
    await assertRejects(() => readSecrets("postgresql://u:hush@db/mcp"), SluiceError, "must both be set");
  }));

Deno.test("rotateTokenSecret() makes another key, keeps the former one if it is told to, and everything else", () =>
  withDirectory(async (path, databaseUrl) => {
    assertEquals(await rotateTokenSecret(databaseUrl, true), false);
    const { jwtSecretKey: first, authEncryptionSecret } = await loadOrCreateSecrets(databaseUrl);
    const rotated = async (keepsFormer: boolean) => {
      assertEquals(await rotateTokenSecret(databaseUrl, keepsFormer), true);
      const secrets = await readSecrets(databaseUrl);
      assertEquals(secrets!.authEncryptionSecret, authEncryptionSecret);
      return secrets!;
    };
    const second = await rotated(true);
    assertEquals([second.jwtSecretKeyPrevious, second.jwtSecretKey === first], [first, false]);
    const third = await rotated(true);
    assertEquals(third.jwtSecretKeyPrevious, second.jwtSecretKey);
    assertEquals((await rotated(false)).jwtSecretKeyPrevious, null);
    const text = await Deno.readTextFile(path);
    for (const { jwtSecretKey } of [second, third]) assertEquals(text.includes(jwtSecretKey), false);
    assertMatch(text, /^# Made by Sluice/);
    assertEquals((await Deno.stat(path)).mode! & 0o777, 0o600);
  }));

Deno.test("loadOrCreateSecrets() names the file that it cannot make", () =>
  withDirectory(async (path, databaseUrl) => {
    const error = await assertRejects(
      () => loadOrCreateSecrets(databaseUrl.replace("mcp.db", "absent/mcp.db")),
      SluiceError,
    );
    assertEquals(error.params.path, path.replace("mcp.db", "absent/mcp.db"));
  }));

Deno.test("loadOrCreateSecrets() names both secrets that PostgreSQL needs given, and no password", async () => {
  const error = await assertRejects(
    () => loadOrCreateSecrets("postgresql://u:hush@db/mcp"),
    SluiceError,
    "JWT_SECRET_KEY and AUTH_ENCRYPTION_SECRET must both be set",
  );
  assertEquals([error.code, error.message.includes("hush")], ["SETTINGS_INVALID", false]);
});
