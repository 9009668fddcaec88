import { assertEquals, assertRejects } from "@std/assert";
import { FakeClock } from "../../../tests/support/fake_clock.ts";
import { waitFor } from "../../../tests/support/wait_for.ts";
import { CurrentSecrets, Secrets } from "./named_secrets.ts";
import { SecretCommand } from "./secret_command.ts";
import { SecretFault } from "./secret_files.ts";

async function withProgram(
  script: (folder: string) => string,
  run: (folder: string, command: SecretCommand, clock: FakeClock) => Promise<void>,
): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    const program = `${folder}/program`;
    await Deno.writeTextFile(program, `#!/bin/sh\n${script(folder)}\n`);
    await Deno.chmod(program, 0o755);
    const clock = new FakeClock();
    const options = {
      program,
      timeoutMs: 600_000,
      ttlMs: 1_000,
      environment: () => Promise.resolve(Deno.env.toObject()),
      clock,
    };
    await run(folder, new SecretCommand(options), clock);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("forget() also forgets a run under way, which may have read what was there before", () =>
  withProgram(
    (folder) =>
      `cat ${folder}/secret; echo > ${folder}/read; while [ ! -e ${folder}/go ]; do sleep 0.05; done`,
    async (folder, command) => {
      await Deno.writeTextFile(`${folder}/secret`, "former");
      const former = command.read("name");
      await waitFor(() => Deno.stat(`${folder}/read`), { what: "the secret to be read" });
      await Deno.writeTextFile(`${folder}/secret`, "later");
      command.forget();
      const later = command.read("name");
      await Deno.writeTextFile(`${folder}/go`, "");
      assertEquals(await Promise.all([former, later]), ["former", "later"]);
      assertEquals(await command.read("name"), "later");
    },
  ));

Deno.test("a program that gives no answer in time ends with all that it has started", () =>
  withProgram(
    (folder) =>
      `sleep 300 & echo $! > ${folder}/started.part; mv ${folder}/started.part ${folder}/started; wait`,
    async (folder, command, clock) => {
      const failure = assertRejects(() => command.read("name"), SecretFault, "no answer within");
      const started = `${folder}/started`;
      await waitFor(() => Deno.stat(started), { what: "the program to be started" });
      const pid = Number(await Deno.readTextFile(started));
      await clock.tick(600_000);
      await failure;
      // A zombie waits for its new parent alone.
      const isGone = async () =>
        /^State:\s+Z/m.test(await Deno.readTextFile(`/proc/${pid}/status`).catch(() => "State: Z"));
      await waitFor(isGone, { what: "the end of what the program has started" });
    },
  ));

Deno.test("a printed secret is printed again after its time, and the former one stays if that fails", () =>
  withProgram((folder) => `cat ${folder}/secret`, async (folder, command, clock) => {
    const secrets = new Secrets({ directory: null, command, clock });
    const source = new CurrentSecrets(secrets, { token: "${secret:name}" }, "up");
    const write = (text: string) => Deno.writeTextFile(`${folder}/secret`, text);
    await write("one");
    const first = await source.current();
    await write("two");
    assertEquals([await source.current(), first], [first, { token: "one" }]);
    await clock.tick(1_000);
    assertEquals(await source.current(), { token: "two" });
    await Deno.remove(`${folder}/secret`);
    await clock.tick(1_000);
    assertEquals(await source.current(), { token: "two" });
    await write("three");
    assertEquals(await source.current(), { token: "two" });
    await clock.tick(30_000);
    assertEquals(await source.current(), { token: "three" });
  }));
