// Tries an upgrade and the way back on one database: a former version, this one, and the former again.
//
//   deno run -A scripts/upgrade.ts FORMER [--postgres] [--rolling] [--program ./sluice]
//
// FORMER is an executable, or a commit whose source runs. The database is SQLite, or a PostgreSQL that is started for it. --program is the
// executable of this version; without it, this source runs. With --rolling a replica of the former version serves on until the new one has
// started. Exit code 1 where something is lost, or upgrade or way back are not as the manual says (`sluice help backup`).

import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { parseArgs } from "@std/cli/parse-args";
import { interruptible } from "../bench/interruptible.ts";
import { printedCommands, runCli } from "../tests/support/cli.ts";
import { FastUpstream } from "../tests/support/fast_upstream.ts";
import { inSession, openSession, post, toolCall } from "../tests/support/mcp_post.ts";
import { POSTGRES_PASSWORD, PostgresServer } from "../tests/support/postgres.ts";
import { Sluice } from "../tests/support/sluice.ts";
import { known, unknown } from "../tests/support/two_replicas.ts";

const CALL = toolCall("time-convert-time", {
  time: "2026-01-15T09:00",
  source_timezone: "Europe/Berlin",
  target_timezone: "Europe/Dublin",
});

/** The database, its backup from before the upgrade, and how it comes back. */
interface Store {
  readonly env: Readonly<Record<string, string>>;
  readonly backUp: () => Promise<void>;
  readonly restore: () => Promise<void>;
}

async function main(): Promise<number> {
  const { _: operands, program, postgres, rolling, ...mistaken } = parseArgs(Deno.args, {
    boolean: ["postgres", "rolling"],
    string: ["program", "_"],
  });
  const [former] = operands;
  if (former === undefined || operands.length > 1 || Object.keys(mistaken).length > 0) {
    console.error("Usage: scripts/upgrade.ts FORMER [--postgres] [--rolling] [--program ./sluice]");
    return 2;
  }
  await using stack = new AsyncDisposableStack();
  const folder = await Deno.makeTempDir({ prefix: "sluice_upgrade_" });
  stack.defer(() => Deno.remove(folder, { recursive: true }));
  const cwd = `${folder}/gateway`;
  await Deno.mkdir(cwd);
  const before = await executableOf(former, folder, stack);
  const upstream = stack.use(FastUpstream.start());
  const store = postgres ? await postgresStore(before, folder, stack) : sqliteStore(before, cwd);
  const secrets = { JWT_SECRET_KEY: secret(), AUTH_ENCRYPTION_SECRET: secret() };
  const start = (program: string | undefined) =>
    Sluice.start({ program, cwd, env: { ...secrets, ...store.env, LOG_LEVEL: "INFO" } });

  let session = "";
  {
    await using gateway = await start(before);
    await gateway.registerUpstream("time", upstream.url, { auth_type: "bearer", auth_token: "kept-secret" });
    const made = await gateway.api("POST", "/servers", { server: { id: "some", name: "Some" } });
    assertEquals(made.status, 201);
    session = await openSession(gateway);
    await called(gateway, session);
    console.log(`former version: an upstream, a virtual server, a session`);
  }
  await store.backUp();
  let steps = 0;
  {
    await using old = rolling ? await start(before) : null;
    await using gateway = await start(program && await Deno.realPath(program));
    if (old !== null) await replaced(old, gateway, upstream.url);
    await called(gateway, session);
    await called(gateway, await openSession(gateway));
    assertEquals((await gateway.api("GET", "/servers/some")).body.name, "Some");
    await gateway.registerUpstream("later", upstream.url);
    const migrated = gateway.log().filter(({ event }) => event === "database migrated");
    steps = migrated.length;
    console.log(`this version: ${steps === 0 ? "the same schema" : JSON.stringify(migrated)}; all is there`);
  }
  if (steps > 0) {
    const refused = await Sluice.spawn({ program: before, cwd, env: { ...secrets, ...store.env } });
    const code = await refused.exit();
    const said = refused.stderr.tail() + refused.stdout.tail();
    await refused[Symbol.asyncDispose]();
    assert(code !== 0, said);
    assertMatch(said, /written by a newer Sluice/);
    console.log(`former version again: refused, exit code ${code}: ${said.trim().split("\n").at(-1)}`);
    await store.restore();
  }
  await using gateway = await start(before);
  await called(gateway, steps > 0 ? await openSession(gateway) : session);
  const names = (await gateway.api("GET", "/gateways")).body.map(({ name }: { name: string }) => name).sort();
  assertEquals(names, steps > 0 ? ["time"] : ["later", "time"]);
  console.log(`former version, ${steps > 0 ? "with the backup restored" : "as it was"}: it serves`);
  return 0;
}

/** Two replicas on one database: each serves what the other registers, until the other deletes it. The new one then takes over sessions. */
async function replaced(former: Sluice, present: Sluice, upstream: string): Promise<void> {
  const session = await openSession(former);
  const later = await openSession(present);
  for (const [writer, reader, name] of [[former, present, "former"], [present, former, "present"]] as const) {
    const { id } = await writer.registerUpstream(name, upstream);
    await known(reader, `${name}-convert-time`);
    await writer.api("DELETE", `/gateways/${id}`);
    await unknown(reader, `${name}-convert-time`);
  }
  for (const [asked, id] of [[present, session], [former, later]] as const) {
    const { status, body } = await post(asked, CALL, { headers: inSession(id) });
    console.log(`both versions: a session of the other is answered ${status} ${JSON.stringify(body)}`);
  }
  await former.stop();
  for (const id of [session, later]) await called(present, id);
}

async function called(gateway: Sluice, session: string): Promise<void> {
  const { body } = await post(gateway, CALL, { headers: inSession(session) });
  assertStringIncludes(JSON.stringify(body), "2026-01-15T08:00:00");
}

/** A path that starts the former version. A commit's source is checked out beside it. */
async function executableOf(former: string, folder: string, stack: AsyncDisposableStack): Promise<string> {
  if (await Deno.stat(former).then(({ isFile }) => isFile, () => false)) return await Deno.realPath(former);
  const source = `${folder}/former`;
  await run("git", "worktree", "add", "--detach", source, former);
  stack.defer(() => run("git", "worktree", "remove", "--force", source));
  const words = [Deno.execPath(), "run", "-A", "--quiet", "--config", `${source}/deno.json`];
  const path = `${folder}/former.sh`;
  await Deno.writeTextFile(path, `#!/bin/sh\nexec ${words.join(" ")} ${source}/src/main.ts "$@"\n`, {
    mode: 0o755,
  });
  return path;
}

function sqliteStore(program: string, cwd: string): Store {
  const backup = `${cwd}/../before.backup`;
  const inFolder = async (...args: string[]) => {
    const { success, stderr } = await new Deno.Command(program, { args, cwd, stdin: "null" }).output();
    if (!success) throw new Error(`${args.join(" ")}: ${new TextDecoder().decode(stderr)}`);
  };
  return {
    env: {},
    backUp: () => inFolder("backup", backup),
    restore: () => inFolder("restore", backup, "--force"),
  };
}

/** By the commands that each version prints: the backup by the former, the way back by this one. */
async function postgresStore(program: string, folder: string, stack: AsyncDisposableStack): Promise<Store> {
  const server = stack.use(await PostgresServer.start());
  const env = { DATABASE_URL: server.url(await server.takeDatabase()) };
  const runPrinted = async (said: string) => {
    const commands = printedCommands(said);
    await run("sh", "-ec", `cd ${folder}; export PGPASSWORD="$0"\n${commands}`, POSTGRES_PASSWORD);
    console.log(`ran:\n${commands}`);
  };
  const ask = { cwd: folder, env };
  return {
    env,
    backUp: async () => {
      const { stderr } = await new Deno.Command(program, { args: ["backup", "dump"], ...ask }).output();
      await runPrinted(new TextDecoder().decode(stderr));
    },
    restore: async () => await runPrinted((await runCli(["restore", "dump"], ask)).err),
  };
}

async function run(command: string, ...args: string[]): Promise<void> {
  const { success, stdout, stderr } = await new Deno.Command(command, { args, stdin: "null" }).output();
  const said = [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes)).join("");
  if (!success) throw new Error(`${command} ${args[0]} failed:\n${said}`);
}

function secret(): string {
  return crypto.getRandomValues(new Uint8Array(48)).toBase64();
}

Deno.exit(await interruptible(main));
