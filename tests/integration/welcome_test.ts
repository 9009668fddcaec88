// The next steps that `sluice serve` shows in a terminal, followed as they are shown.
import { assertEquals, assertStringIncludes } from "@std/assert";
import { follow, FROM_SOURCE, shellWords, Terminal } from "../support/cli.ts";
import { freePort } from "../support/free_port.ts";
import { canLeaveOut } from "../support/programs.ts";
import { Sluice } from "../support/sluice.ts";
import { waitFor } from "../support/wait_for.ts";

const ROOT = new URL("../../", import.meta.url).pathname;

const STARTS = [
  { how: "serve", command: shellWords(...FROM_SOURCE, "serve"), cwd: null, program: "deno run --no-prompt " },
  {
    how: "serve --demo",
    command: shellWords(...FROM_SOURCE, "serve", "--demo"),
    cwd: null,
    program: "deno run --no-prompt ",
  },
  {
    how: "the task serve",
    command: shellWords(Deno.execPath(), "task", "--quiet", "serve"),
    cwd: ROOT,
    program: "deno task --quiet sluice",
  },
];

for (const { how, command, cwd, program } of STARTS) {
  Deno.test({
    name: `The next steps that a terminal shows work as they are shown: ${how}`,
    ignore: canLeaveOut("script") || canLeaveOut("curl"),
    fn: async () => {
      const folder = await Deno.makeTempDir({ prefix: "sluice_welcome_" });
      // The task runs in the project's folder, which is to stay clean.
      const database: Record<string, string> = cwd === null
        ? {}
        : { DATABASE_URL: `sqlite:///${folder}/mcp.db` };
      const at = { cwd: cwd ?? folder, env: database };
      const env = { ...database, HOST: "127.0.0.1", PORT: String(freePort()), WORKERS: "1" };
      {
        await using terminal = new Terminal(command, { ...at, env });
        await waitFor(() => terminal.text.includes("--help"), { what: "the next steps" });
        assertStringIncludes(terminal.text, `http://127.0.0.1:${env.PORT} with 1 worker.`);
        assertStringIncludes(terminal.text, program);
        const { result } = await follow(terminal.text, at);
        if (how === "serve") assertEquals(result.tools, []);
        else assertEquals(JSON.parse(result.content[0].text).time_difference, "-1.0h");
      }
      await Deno.remove(folder, { recursive: true });
    },
  });
}

Deno.test("serve shows no next steps where standard error is no terminal", async () => {
  await using sluice = await Sluice.start({ args: ["--dev"] });
  await waitFor(() => sluice.log().some(({ event }) => event === "demo upstream registered"), {
    what: "the demo upstream",
  });
  assertEquals(await sluice.stop(), 0);
  assertEquals(sluice.stderr.lines, []);
});
