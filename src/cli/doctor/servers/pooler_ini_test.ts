import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { SluiceError } from "../../../base/errors.ts";
import { readPoolerIni } from "./pooler_ini.ts";

const TARGET = { database: "mcp", user: "sluice", port: 6432 };

const INI = `; the guide's
[databases]
mcp = host=db port=5432 dbname=mcp pool_size=50 password='it''s = secret' pool_mode='session' max_db_connections = 40
* = host=db pool_size=3

[users]
sluice = max_user_connections=30

[pgbouncer]
listen_port = 6432
max_client_conn=5000
# pool_mode = statement
pool_mode = transaction
%include more.ini
`;

Deno.test("readPoolerIni() reads what applies to the database and the user, and PgBouncer's own values for the rest", async () => {
  const folder = await Deno.makeTempDir({ prefix: "sluice_ini_" });
  const path = `${folder}/pgbouncer.ini`;
  await Deno.writeTextFile(path, INI);
  await Deno.writeTextFile(
    `${folder}/more.ini`,
    "[pgbouncer]\nreserve_pool_size = 5\n",
  );
  const { settings, overruled } = readPoolerIni(TARGET, path);
  const names = [
    ...["pool_mode", "default_pool_size", "max_db_connections", "max_user_connections", "max_client_conn"],
    ...["reserve_pool_size", "min_pool_size"],
  ];
  assertEquals(names.map((name) => settings?.[name]), ["session", "50", "40", "30", "5000", "5", "0"]);
  assertEquals(overruled, {
    pool_mode: "[databases]",
    default_pool_size: "[databases]",
    max_db_connections: "[databases]",
    max_user_connections: "[users]",
  });
  // A database without a line of its own has that of all others.
  assertEquals(readPoolerIni({ ...TARGET, database: "other" }, path).settings?.default_pool_size, "3");
  const error = assertThrows(() => readPoolerIni(TARGET, `${folder}/missing.ini`), SluiceError);
  assertEquals(error.code, "CONFIG_FILE_UNUSABLE");
  // The file that cannot be read is named, not the one that includes it.
  await Deno.remove(`${folder}/more.ini`);
  assertStringIncludes(assertThrows(() => readPoolerIni(TARGET, path), SluiceError).message, "/more.ini");
  await Deno.remove(folder, { recursive: true });
});
