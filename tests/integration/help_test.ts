// The manual at a shell: piped, and in a terminal with a pager.

import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { FROM_SOURCE, runCli, shellWords, Terminal } from "../support/cli.ts";

const ROOT = new URL("../../", import.meta.url).pathname;
const cwd = Deno.makeTempDirSync({ prefix: "sluice_help_" });
globalThis.addEventListener("unload", () => Deno.removeSync(cwd));

const BOLD = "\x1b[1m";

Deno.test("a failure in a terminal names the place in the manual, which is there", async () => {
  await using terminal = new Terminal(shellWords(...FROM_SOURCE, "import", "absent.json"), { cwd });
  assertEquals(await terminal.ended(), 1);
  const [, place] = /What to do: sluice help (\S+)$/m.exec(terminal.text) ?? [];
  assertEquals(place, "errors#config_file_unusable");
  assertEquals((await runCli(["help", place!], { cwd })).code, 0);
});

Deno.test("a terminal of 80 columns breaks no word of a failure; a pipe gets it in one line", async () => {
  const args = ["connect", "nobody"];
  await using terminal = new Terminal(shellWords(...FROM_SOURCE, ...args), { cwd });
  assertEquals(await terminal.ended(), 2);
  const lines = terminal.text.split("\n").filter((line) => line.startsWith("sluice: "));
  assertEquals(lines.filter((line) => line.length > 80), []);
  const piped = (await runCli(args, { cwd })).err.trim().split("\n");
  assertEquals(piped.length, 2);
  const words = (shown: readonly string[]) => shown.join(" ").replaceAll("sluice: ", "");
  assertEquals(words(lines), words(piped));
});

Deno.test("a search shows whole words", async () => {
  const { out } = await runCli(["help", "--search", "certificate"], { cwd });
  const known = new Set(
    (await Promise.all(["upstreams", "network", "settings", "errors", "api", "security"].map(
      async (topic) => (await runCli(["help", topic], { cwd })).out,
    ))).join(" ").split(/[^\p{L}\p{N}_]+/u),
  );
  const ends = [...out.matchAll(/^ {4}…([\p{L}_]+)|([\p{L}_]+)…$/gmu)].map(([, first, last]) =>
    first ?? last!
  );
  assertEquals(ends.length > 5, true);
  assertEquals(ends.filter((word) => !known.has(word)), []);
});

Deno.test("serve and its workers load no page of the manual, and no parser of pages, before somebody reads", async () => {
  for (const main of ["src/cli/serve.ts", "src/worker/main.ts"]) {
    const { stdout } = await new Deno.Command(Deno.execPath(), { args: ["info", "--json", main], cwd: ROOT })
      .output();
    const { modules, roots } = JSON.parse(new TextDecoder().decode(stdout));
    const loaded = new Set<string>(roots);
    for (const specifier of loaded) {
      const { dependencies = [] } = modules.find((each: { specifier: string }) =>
        each.specifier === specifier
      ) ?? {};
      for (const { isDynamic, code } of dependencies) {
        if (!isDynamic && code?.specifier) loaded.add(code.specifier);
      }
    }
    assertEquals(
      [...loaded].filter((specifier) => /marked|src\/help\/.*\.md|src\/help\/page/.test(specifier)),
      [],
    );
    assertEquals(loaded.size > 100, true);
  }
});

/** What a terminal shows of `sluice help …`, and the exit code. */
async function inTerminal(args: readonly string[], env: Record<string, string>): Promise<[number, string]> {
  await using terminal = new Terminal(shellWords(...FROM_SOURCE, "help", ...args), { cwd, env });
  return [await terminal.ended(), terminal.text];
}

Deno.test("sluice, --help and help show the commands and the topics; without a command the exit code is 2", async () => {
  const bare = await runCli([], { cwd });
  assertEquals([bare.code, bare.out], [2, ""]);
  for (const args of [["--help"], ["-h"], ["help"]]) {
    assertEquals([args, (await runCli(args, { cwd })).out], [args, bare.err]);
  }
  assertStringIncludes(bare.err, "\n  help TOPIC ");
  assertStringIncludes(bare.err, " troubleshooting, security\n");
});

Deno.test("sluice help prints topics, sections and commands as plain text into a pipe", async () => {
  const help = async (...args: string[]) => await runCli(["help", ...args], { cwd });
  const { code, out } = await help("security");
  assertEquals([code, out.startsWith("SECURITY\n\n  This page "), out.includes("\x1b")], [0, true, false]);
  assertMatch((await help("security#limits")).out, /^Limits\n\n/);
  assertMatch((await help("token", "revoke")).out, /^Usage: sluice token revoke /);
  assertMatch((await help("backup")).out, /\nFlags of the command: sluice backup --help\n$/);
  assertMatch((await help("--list")).out, /\n {2}tokens +give people access/);
});

Deno.test("sluice help --search shows topic, heading, place and the command that opens it", async () => {
  const found = await runCli(["help", "--search", "upstream_circuit_open"], { cwd });
  assertEquals(found.code, 0);
  assertStringIncludes(
    found.out,
    "errors: UPSTREAM_CIRCUIT_OPEN\n  Read it: sluice help errors#upstream_circuit_open\n",
  );
  assertMatch(
    found.out,
    /\nsecurity: Limits\n {4}.*UPSTREAM_CIRCUIT_OPEN.*\n {2}Read it: sluice help security#limits\n/,
  );
  const nothing = await runCli(["help", "--search", "frobnicate", "twice"], { cwd });
  assertEquals([nothing.code, nothing.out], [1, ""]);
  assertStringIncludes(nothing.err, 'the manual has no place with "frobnicate" and "twice"');
});

Deno.test("sluice help suggests topics, commands and sections near an unknown one, and names all", async () => {
  const { code, out, err } = await runCli(["help", "securty"], { cwd });
  assertEquals([code, out], [2, ""]);
  assertStringIncludes(err, 'no topic or command "securty"; did you mean security?');
  assertStringIncludes(err, " contextforge,");
  const word = await runCli(["help", "UPSTREAM_TIMEOUT"], { cwd });
  assertEquals(word.code, 2);
  assertMatch(word.err, /Sections that have it:\nsluice: {3}sluice help errors#upstream_timeout\n/);
  assertStringIncludes(word.err, "All places: sluice help --search UPSTREAM_TIMEOUT\n");
  const section = await runCli(["help", "security#limit"], { cwd });
  assertEquals(section.code, 2);
  assertStringIncludes(section.err, 'the topic security has no section "limit"; did you mean limits?');
});

Deno.test("sluice help in a terminal goes through the pager, with bold headings unless NO_COLOR is set", async () => {
  const paged = { TERM: "xterm", PAGER: "sed 's/^/paged: /'" };
  const [code, text] = await inTerminal(["security#replicas"], { ...paged, NO_COLOR: "" });
  assertEquals(code, 0);
  assertStringIncludes(text, `paged: ${BOLD}Replicas`);
  assertEquals((await inTerminal(["security#replicas"], paged))[1].includes(BOLD), false);
  // A pager that is not there, one that stops reading, and a terminal that can do nothing.
  const all = await Promise.all([
    inTerminal(["security"], { ...paged, PAGER: "no-such-pager" }),
    inTerminal(["security"], { ...paged, PAGER: "head -n 1" }),
    inTerminal(["security"], { ...paged, TERM: "dumb" }),
  ]);
  assertEquals(all.map(([exitCode]) => exitCode), [0, 0, 0]);
  assertEquals(all.map(([, shown]) => [shown.includes("SECURITY"), shown.includes("Reporting a weakness")]), [
    [true, true],
    [true, false],
    [true, true],
  ]);
});
