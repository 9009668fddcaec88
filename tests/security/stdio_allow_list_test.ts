// STDIO_ALLOWED_COMMANDS: an administrator who may only start listed programs cannot make them run other code by variables or by
// a working directory.
import { assert, assertEquals, assertRejects } from "@std/assert";
import { existsSync } from "node:fs";
import { Sluice } from "../support/sluice.ts";
import { counterLaunch, processesWith } from "../support/stdio_upstream.ts";

const newMark = () => `mark-${crypto.randomUUID()}`;

/** A folder with a program `wrapper`, which is a bash script around a server. */
async function wrapperFolder(mark: string): Promise<{ folder: string; wrapper: string }> {
  const folder = await Deno.makeTempDir({ prefix: "sluice_allow_list_" });
  const { command, args } = counterLaunch(mark);
  await writeProgram(`${folder}/wrapper`, `#!/bin/bash\nexec ${[command, ...args].join(" ")}\n`);
  return { folder, wrapper: `${folder}/wrapper` };
}

async function writeProgram(path: string, text: string): Promise<void> {
  await Deno.writeTextFile(path, text);
  await Deno.chmod(path, 0o755);
}

const STDIO = { WORKERS: "1", STDIO_ENABLED: "true" };

Deno.test("With an allow list of commands, a registration sets only variables of STDIO_ALLOWED_VARIABLES", async () => {
  const mark = newMark();
  const { folder, wrapper } = await wrapperFolder(mark);
  const ran = `${folder}/ran`;
  const allowed = { STDIO_ALLOWED_COMMANDS: wrapper, STDIO_ALLOWED_VARIABLES: "API_KEY" };
  await using sluice = await Sluice.start({ env: { ...STDIO, ...allowed } });
  const register = (name: string, env: Record<string, string>) =>
    sluice.api("POST", "/gateways", { name, transport: "STDIO", command: wrapper, env });
  const refused: readonly Record<string, string>[] = [
    { BASH_ENV: `$(touch ${ran})` },
    { API_KEY: "k", BASH_ENV: `$(touch ${ran})` },
    { NODE_OPTIONS: "--import=data:text/javascript,process.exit()" },
    { api_key: "k" },
  ];
  for (const env of refused) {
    const { status, body } = await register("evil", env);
    assertEquals([env, status], [env, 403], JSON.stringify(body));
    assert(JSON.stringify(body).includes("STDIO_ALLOWED_VARIABLES"), JSON.stringify(body));
  }
  assertEquals([existsSync(ran), processesWith(mark)], [false, []]);

  const { status, body } = await register("good", { API_KEY: "k" });
  assertEquals(status, 200, JSON.stringify(body));
  const changed = await sluice.api("PUT", `/gateways/${body.id}`, { env: { BASH_ENV: `$(touch ${ran})` } });
  assertEquals(changed.status, 403, JSON.stringify(changed.body));
  assertEquals(existsSync(ran), false);
  await sluice.stop();
  await Deno.remove(folder, { recursive: true });
});

Deno.test("A registration from before the allow list is not started with its variables", async () => {
  const mark = newMark();
  const { folder, wrapper } = await wrapperFolder(mark);
  const [ran, cwd] = [`${folder}/ran`, `${folder}/gateway`];
  await Deno.mkdir(cwd);
  {
    await using sluice = await Sluice.start({ cwd, env: STDIO });
    const env = { BASH_ENV: `$(touch ${ran})` };
    const { status } = await sluice.api("POST", "/gateways", {
      name: "up",
      transport: "STDIO",
      command: wrapper,
      env,
    });
    assertEquals([status, existsSync(ran)], [200, true], "without an allow list, variables are free");
  }
  await Deno.remove(ran);
  await using sluice = await Sluice.start({ cwd, env: { ...STDIO, STDIO_ALLOWED_COMMANDS: wrapper } });
  const { body } = await sluice.rpc("tools/call", { name: "up-increment", arguments: {} });
  assert(body.error.message.includes("STDIO_ALLOWED_VARIABLES"), JSON.stringify(body));
  assertEquals(existsSync(ran), false);
  await sluice.stop();
  await Deno.remove(folder, { recursive: true });
});

Deno.test("A relative path in STDIO_ALLOWED_COMMANDS stops the start", async () => {
  for (const STDIO_ALLOWED_COMMANDS of ["bin/server", "./server", "/bin/sh,../server"]) {
    const start = async () => {
      await using _ = await Sluice.start({ env: { ...STDIO, STDIO_ALLOWED_COMMANDS } });
    };
    const { message } = await assertRejects(start, Error);
    assert(message.includes("absolute paths"), message);
  }
});

Deno.test("An allowed name is looked up in the gateway's PATH, never in the working directory", async () => {
  const mark = newMark();
  const { folder } = await wrapperFolder(mark);
  const cwd = `${folder}/theirs`;
  await Deno.mkdir(cwd);
  await writeProgram(`${cwd}/wrapper`, `#!/bin/sh\ntouch ${folder}/ran\n`);
  const PATH = `:.:${folder}:${Deno.env.get("PATH")}`;
  await using sluice = await Sluice.start({ env: { ...STDIO, PATH, STDIO_ALLOWED_COMMANDS: "wrapper" } });
  const registration = { name: "up", transport: "STDIO", command: "wrapper", cwd };
  const { status, body } = await sluice.api("POST", "/gateways", registration);
  assertEquals([status, existsSync(`${folder}/ran`)], [200, false], JSON.stringify(body));
  await sluice.stop();
  await Deno.remove(folder, { recursive: true });
});
