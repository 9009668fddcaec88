// The files that a gateway makes hold its secrets and its users' sessions: other users of the machine cannot read them.
import { assertEquals } from "@std/assert";
import { runCli } from "../support/cli.ts";
import { Sluice } from "../support/sluice.ts";
import { waitFor } from "../support/wait_for.ts";

/** Name and mode of every file in a folder. */
function modesIn(folder: string): [name: string, mode: string][] {
  return Array.from(Deno.readDirSync(folder), ({ name }) => name).sort()
    .map((name) => [name, (Deno.statSync(`${folder}/${name}`).mode! & 0o777).toString(8)]);
}

Deno.test("serve makes files that their owner alone can read, whatever the umask, and so does backup", async () => {
  const umask = Deno.umask(0);
  const cwd = await Deno.makeTempDir();
  try {
    await using sluice = await Sluice.start({ cwd, env: { WORKERS: "1", JWT_SECRET_KEY: "" } });
    assertEquals(
      (await runCli(["backup", `${cwd}/backup.db`], { cwd, env: { JWT_SECRET_KEY: "" } })).code,
      0,
    );
    const modes = modesIn(cwd);
    assertEquals(modes.filter(([, mode]) => mode !== "600"), []);
    const made = modes.map(([name]) => name).filter((name) => /^mcp\.db(-wal|-shm|\.secrets)?$/.test(name));
    assertEquals(made, ["mcp.db", "mcp.db-shm", "mcp.db-wal", "mcp.db.secrets"]);
    assertEquals(sluice.log().filter(({ warning }) => String(warning).includes("open to other users")), []);
  } finally {
    Deno.umask(umask);
    await Deno.remove(cwd, { recursive: true });
  }
});

Deno.test("serve warns of a database that other users can read", async () => {
  const cwd = await Deno.makeTempDir();
  try {
    await (await Sluice.start({ cwd, env: { WORKERS: "1" } }))[Symbol.asyncDispose]();
    await Deno.chmod(`${cwd}/mcp.db`, 0o644);
    await using sluice = await Sluice.start({ cwd, env: { WORKERS: "1", LOG_LEVEL: "WARNING" } });
    const warnings = await waitFor(
      () => sluice.log().filter(({ warning }) => String(warning).includes("chmod 600")),
      { what: "the warning" },
    );
    assertEquals(warnings.length, 1);
  } finally {
    await Deno.remove(cwd, { recursive: true });
  }
});
