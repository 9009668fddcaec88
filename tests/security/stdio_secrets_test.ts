// A stdio upstream is a program that may be a stranger's: it must not come by the gateway's secrets, or the start says that it can.
import { assert, assertEquals, assertRejects } from "@std/assert";
import { Sluice, type SluiceOptions } from "../support/sluice.ts";

const THIEF = new URL("../support/stdio_thief.sh", import.meta.url).pathname;
const IS_ROOT = Deno.uid() === 0;
const STDIO = { WORKERS: "1", STDIO_ENABLED: "true" };

/** The user that Linux has for programs without any rights. */
const nobody = () => {
  const line = Deno.readTextFileSync("/etc/passwd").split("\n").find((each) => each.startsWith("nobody:"))!;
  const [, , uid, gid, , home] = line.split(":");
  return { uid: Number(uid), gid: Number(gid), home: home! };
};

/** A folder for a gateway, with a copy of the thief that every user can start. */
async function folderOf(user: { uid: number; gid: number } | null) {
  const folder = await Deno.makeTempDir({ prefix: "sluice_secrets_" });
  await Deno.chmod(folder, 0o755);
  await Deno.copyFile(THIEF, `${folder}/thief.sh`);
  await Deno.chmod(`${folder}/thief.sh`, 0o755);
  if (user !== null) await Deno.chown(folder, user.uid, user.gid);
  return { folder, [Symbol.asyncDispose]: () => Deno.remove(folder, { recursive: true }) };
}

/** What root uses to start a gateway that is not root. That one capability is for Deno's modules, which may be in a folder of root. */
function asNobody(): readonly string[] {
  const { uid, gid } = nobody();
  const capability = ["--inh-caps", "-all,+dac_read_search", "--ambient-caps", "-all,+dac_read_search"];
  const user = ["--reuid", String(uid), "--regid", String(gid), "--clear-groups"];
  // Without this bit, access(2) leaves capabilities aside.
  return ["setpriv", ...user, ...capability, "--securebits", "+no_setuid_fixup", "--"];
}

/** Options of a gateway that makes its own secrets file, and is given a variable that is a secret. */
const optionsIn = (cwd: string, env: Record<string, string>): SluiceOptions => ({
  cwd,
  env: { ...STDIO, ...env },
});

interface Loot {
  readonly environ: string;
  readonly mem: string;
  readonly secretsFile: string;
  readonly user: string[];
}

async function steal(sluice: Sluice): Promise<Loot> {
  const registration = {
    name: "thief",
    transport: "STDIO",
    command: `${sluice.cwd}/thief.sh`,
    args: [`${sluice.cwd}/mcp.db.secrets`],
  };
  const { status, body } = await sluice.api("POST", "/gateways", registration);
  assertEquals(status, 200, JSON.stringify(body));
  const called = await sluice.rpc("tools/call", { name: "thief-steal", arguments: {} });
  const [environ, mem, secretsFile, ...user] = called.body.result.content[0].text.split(" ");
  return { environ, mem, secretsFile, user };
}

const warnings = (sluice: Sluice) =>
  sluice.log().filter(({ event }) => event === "stdio secrets").map(({ warning }) => String(warning));

Deno.test("The environment and memory of a gateway that is not root are closed to its stdio upstreams; the start names what is not", async () => {
  await using place = await folderOf(IS_ROOT ? nobody() : null);
  const launcher = IS_ROOT ? asNobody() : [];
  await using sluice = await Sluice.start({ ...optionsIn(place.folder, {}), launcher });
  const { environ, mem, secretsFile } = await steal(sluice);
  assertEquals([environ, mem, secretsFile], ["closed", "closed", "readable"]);
  const [warning, ...more] = warnings(sluice);
  assert(warning?.includes(`in ${place.folder}/mcp.db.secrets.`), warning);
  assert(warning.includes("STDIO_USER"), warning);
  assertEquals(more, []);
});

Deno.test("STDIO_USER needs an existing user, and the right to become that user", async () => {
  const refusals: readonly [string, readonly string[]][] = [
    ["no-such-user", []],
    ["nobody", IS_ROOT ? ["setpriv", "--bounding-set", "-setuid", "--inh-caps", "-all", "--"] : []],
  ];
  for (const [STDIO_USER, launcher] of refusals) {
    const start = async () => {
      await using _ = await Sluice.start({ env: { ...STDIO, STDIO_USER }, launcher });
    };
    const { message } = await assertRejects(start, Error);
    assert(message.includes(`STDIO_USER=${STDIO_USER}: `), message);
  }
});

const NEEDS_ROOT = IS_ROOT ? "" : " (left out: only root can start processes as another user)";

Deno.test({
  name: `STDIO_USER runs stdio upstreams as a user that can read no secret of the gateway${NEEDS_ROOT}`,
  ignore: !IS_ROOT,
  async fn() {
    await using place = await folderOf(null);
    await using sluice = await Sluice.start(optionsIn(place.folder, { STDIO_USER: "nobody" }));
    const { environ, mem, secretsFile, user } = await steal(sluice);
    assertEquals([environ, mem, secretsFile], ["closed", "closed", "closed"]);
    const { uid, gid, home } = nobody();
    assertEquals(user, [String(uid), String(gid), home]);
    assertEquals(warnings(sluice), []);
  },
});

Deno.test({
  name: `The start warns of files with secrets that STDIO_USER can read${NEEDS_ROOT}`,
  ignore: !IS_ROOT,
  async fn() {
    await using place = await folderOf(null);
    const dotEnv = `${place.folder}/.env`;
    await Deno.writeTextFile(dotEnv, `AUTH_ENCRYPTION_SECRET=${crypto.randomUUID().repeat(2)}\n`);
    await Deno.chmod(dotEnv, 0o644);
    await using sluice = await Sluice.start(optionsIn(place.folder, { STDIO_USER: "nobody" }));
    const [warning] = warnings(sluice);
    assert(warning?.includes(`in ${dotEnv}.`) && warning.includes("nobody (STDIO_USER)"), warning);
  },
});

Deno.test({
  name: `The start of a gateway that is root warns that its stdio upstreams are root too${NEEDS_ROOT}`,
  ignore: !IS_ROOT,
  async fn() {
    await using sluice = await Sluice.start({ env: STDIO });
    const [warning, ...more] = warnings(sluice);
    assert(warning?.includes(`/proc/${sluice.pid}/environ`), warning);
    assert(warning.includes("Set STDIO_USER to another user than root"), warning);
    assertEquals(more, []);
    await using without = await Sluice.start({ env: { ...STDIO, STDIO_ENABLED: "false" } });
    assertEquals(warnings(without), []);
  },
});
