// `sluice backup` and `sluice restore`, and what a plain copy of the database holds.
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { DatabaseSync } from "node:sqlite";
import { migrate } from "../../src/store/sql/migrate.ts";
import { latestBackup, noteBackup } from "../../src/store/sqlite/backup_file.ts";
import { printedCommands, runCli } from "../support/cli.ts";
import { SERVERS_MISSING } from "../support/cluster_servers.ts";
import { CounterUpstream } from "../support/counter_upstream.ts";
import { POSTGRES_PASSWORD } from "../support/postgres.ts";
import { open } from "../support/postgres_database.ts";
import { sharedServers } from "../support/shared_servers.ts";
import { Sluice } from "../support/sluice.ts";
import { waitFor } from "../support/wait_for.ts";

/** The secrets file is used, and no secret from the environment. */
const OWN_SECRETS = { JWT_SECRET_KEY: "" };

async function withFolders(test: (old: string, fresh: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "sluice_backup_" });
  try {
    await Deno.mkdir(`${folder}/old`);
    await Deno.mkdir(`${folder}/fresh`);
    await test(`${folder}/old`, `${folder}/fresh`);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

async function mint(cwd: string): Promise<string> {
  const { code, out, err } = await runCli(["token", "--admin"], { cwd });
  assertEquals(code, 0, err);
  return out.trim();
}

Deno.test("A backup of a running gateway, restored in an empty folder, has registry, credentials, tokens and revocations", () =>
  withFolders(async (cwd, fresh) => {
    await using upstream = CounterUpstream.start();
    upstream.requireBearer("hunter2");
    const file = `${fresh}/backup.db`;
    let [valid, revoked] = ["", ""];
    {
      await using sluice = await Sluice.start({ cwd, env: OWN_SECRETS });
      [valid, revoked] = [await mint(cwd), await mint(cwd)];
      const registration = { name: "counter", url: upstream.url, auth_type: "bearer", auth_token: "hunter2" };
      assertEquals((await sluice.api("POST", "/gateways", registration, valid)).status, 200);
      assertEquals((await runCli(["token", "revoke", revoked], { cwd })).code, 0);
      const { code, out, err } = await runCli(["backup", file], { cwd });
      assertEquals([code, err], [0, ""]);
      // `sluice doctor` tells its age, here of nine days.
      assertEquals(latestBackup(`${cwd}/mcp.db`)! > Date.now() - 60_000, true);
      noteBackup(`${cwd}/mcp.db`, new Date(Date.now() - 9 * 24 * 60 * 60 * 1000));
      assertStringIncludes((await runCli(["doctor", "--json"], { cwd })).out, "mcp.db is 9 days old.");
      assertStringIncludes(out, "1 upstream, 3 tools, 0 virtual servers");
      assertStringIncludes(out, "The backup holds the secrets file");
      assertEquals(
        (await sluice.api(
          "DELETE",
          `/gateways/${(await sluice.api("GET", "/gateways", undefined, valid)).body[0].id}`,
          undefined,
          valid,
        )).status,
        200,
      );
    }
    assertEquals((Deno.statSync(file).mode! & 0o777).toString(8), "600");
    const restored = await runCli(["restore", file], { cwd: fresh });
    assertEquals([restored.code, restored.err], [0, ""]);
    assertStringIncludes(restored.out, `Restored ${fresh}/mcp.db.secrets`);
    await using sluice = await Sluice.start({ cwd: fresh, env: OWN_SECRETS });
    const { status, body } = await sluice.rpc("counter-increment", {}, valid);
    assertEquals([status, body.result?.content[0].text], [200, "1"], JSON.stringify(body));
    assertEquals((await sluice.rpc("counter-increment", {}, revoked)).status, 401);
    assertEquals((await sluice.rpc("counter-increment", {}, await mint(fresh))).status, 200);
  }));

Deno.test("Backups made while the registry is written are whole, and none goes back", () =>
  withFolders(async (cwd, fresh) => {
    await using sluice = await Sluice.start({ cwd });
    let going = true;
    const writing = (async () => {
      for (let i = 0; going; i++) {
        const { status } = await sluice.api("POST", "/servers", { server: { id: `s${i}`, name: `S ${i}` } });
        assert(status < 300, `${status}`);
      }
    })();
    const counts: number[] = [];
    for (let i = 0; i < 4; i++) {
      const before = (await sluice.api("GET", "/servers?limit=0")).body.length;
      // The command checks the file that it has written, every page and reference.
      const { code, out, err } = await runCli(["backup", `${fresh}/${i}.db`], { cwd });
      assertEquals(code, 0, err);
      counts.push(Number(/(\d+) virtual server/.exec(out)![1]));
      assert(counts[i]! >= before, `${counts[i]} of ${before}`);
    }
    going = false;
    await writing;
    assertEquals(counts, counts.toSorted((a, b) => a - b));
    assertEquals((await runCli(["restore", `${fresh}/0.db`, "--force"], { cwd })).code, 1);
    assertEquals(await sluice.stop(), 0);
    assertEquals((await runCli(["restore", `${fresh}/0.db`, "--force"], { cwd })).code, 0);
    await using again = await Sluice.start({ cwd, env: { JWT_SECRET_KEY: sluice.secret } });
    assertEquals((await again.api("GET", "/servers?limit=0")).body.length, counts[0]);
  }));

Deno.test("backup and restore replace nothing without --force, and say what they cannot do", () =>
  withFolders(async (cwd, fresh) => {
    const run = async (cwd: string, ...args: string[]) => {
      const { code, err } = await runCli(args, { cwd });
      return [code, err.trim().replace(/^sluice: /, "")];
    };
    const file = `${fresh}/b.db`;
    const [code, words] = await run(cwd, "backup", file);
    assertEquals(code, 1);
    assertStringIncludes(String(words), `Cannot open the database ${cwd}/mcp.db: there is no such file`);
    await (await Sluice.start({ cwd, env: OWN_SECRETS }))[Symbol.asyncDispose]();
    assertEquals(await run(cwd, "backup", file), [0, ""]);
    assertEquals(await run(cwd, "backup", file), [
      1,
      `Cannot back up to ${file}: it exists. Use --force to replace it`,
    ]);
    assertEquals(await run(cwd, "backup", file, "--force"), [0, ""]);
    assertEquals(await run(cwd, "backup", "mcp.db", "--force"), [
      1,
      "Cannot back up to mcp.db: it belongs to the database itself",
    ]);
    assertEquals(await run(cwd, "restore", file), [
      1,
      `Cannot restore ${file}: ${cwd}/mcp.db and ${cwd}/mcp.db.secrets would be replaced. Back up what you need, then use --force`,
    ]);
    assertEquals(await run(cwd, "restore", `${fresh}/none.db`), [
      1,
      `Cannot restore ${fresh}/none.db: there is no such file. Correct the path, or put the file there`,
    ]);
    assertEquals((await run(cwd, "restore"))[0], 2);
    assertEquals(await run(fresh, "restore", file), [0, ""]);
  }));

Deno.test("backup and restore print the commands for PostgreSQL without its password, and fail", async () => {
  const env = { DATABASE_URL: "postgresql://ann:hunter2@db.example:5433/gateway" };
  for (
    const [command, line] of [
      [
        "backup",
        "pg_dump --format=custom --file=b.dump --host=db.example --port=5433 --username=ann --dbname=gateway",
      ],
      [
        "restore",
        "pg_restore --no-owner --single-transaction --host=db.example --port=5433",
      ],
    ]
  ) {
    const { code, out, err } = await runCli([command!, "b.dump"], { cwd: Deno.cwd(), env });
    assertEquals([code, out], [1, ""]);
    assertStringIncludes(err, line!);
    assertEquals(err.includes("hunter2"), false);
  }
});

Deno.test({
  name: "the printed commands put a PostgreSQL database back, also below tables of a newer version",
  ignore: SERVERS_MISSING,
  fn: async () => {
    const { postgres } = await sharedServers();
    const name = await postgres.takeDatabase();
    const env = { DATABASE_URL: postgres.url(name) };
    const database = await open(env.DATABASE_URL);
    await migrate(database);
    await database.close();
    const cwd = await Deno.makeTempDir({ prefix: "sluice_backup_" });
    const runPrinted = async (command: string) => {
      const { err } = await runCli([command, "b.dump"], { cwd, env });
      const commands = printedCommands(err);
      const { code, stderr } = await new Deno.Command("sh", {
        args: ["-ec", commands],
        cwd,
        env: { PGPASSWORD: POSTGRES_PASSWORD },
      }).output();
      assertEquals(code, 0, commands + new TextDecoder().decode(stderr));
    };
    await postgres.query(
      "INSERT INTO leases (name, holder, expires_at, term) VALUES ('kept', 'h', 1, 1)",
      name,
    );
    await runPrinted("backup");
    await postgres.query("DELETE FROM leases; CREATE TABLE later (id TEXT REFERENCES gateways (id))", name);
    await runPrinted("restore");
    assertEquals(await postgres.query("SELECT name FROM leases", name), [{ name: "kept" }]);
    assertEquals(await postgres.query("SELECT to_regclass('later')::text AS later", name), [{ later: null }]);
    await postgres.giveBackDatabase(name);
    await Deno.remove(cwd, { recursive: true });
  },
});

Deno.test("A plain copy of the database file holds the registry a moment after it was written", async () => {
  await using sluice = await Sluice.start();
  const servers = () => {
    Deno.copyFileSync(`${sluice.cwd}/mcp.db`, `${sluice.cwd}/copy.db`);
    const copy = new DatabaseSync(`${sluice.cwd}/copy.db`);
    try {
      return copy.prepare("SELECT name FROM servers").all().map(({ name }) => name);
    } finally {
      copy.close();
      Deno.removeSync(`${sluice.cwd}/copy.db`);
    }
  };
  for (const names of [["One"], ["One", "Two"]]) {
    const server = { id: names.at(-1)!.toLowerCase(), name: names.at(-1) };
    assertEquals((await sluice.api("POST", "/servers", { server })).status, 201);
    const copied = await waitFor(() => {
      const found = servers();
      return found.length === names.length && found;
    }, { what: "the copy to be complete" });
    assertEquals(copied, names);
  }
});
