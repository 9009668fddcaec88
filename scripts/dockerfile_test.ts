// The Dockerfile beside what it names: files to compile, the version of Deno, settings and commands.
import { assert, assertEquals } from "@std/assert";
import { parseInvocation } from "../src/cli/command_line/flags.ts";
import { SETTINGS } from "../src/config/schema.ts";

const ROOT = new URL("../", import.meta.url);
const DOCKERFILE = await Deno.readTextFile(new URL("Dockerfile", ROOT));

/** The arguments of each instruction, such as those of each COPY. */
function instructions(name: string): string[] {
  const lines = DOCKERFILE.replaceAll("\\\n", " ").split("\n");
  return lines.filter((line) => line.startsWith(`${name} `)).map((line) => line.slice(name.length + 1));
}

/** A module of scripts/, and those that it imports from there. */
async function modulesFrom(url: URL, found = new Set<string>()): Promise<Set<string>> {
  const path = url.href.slice(ROOT.href.length);
  if (found.has(path) || !path.startsWith("scripts/")) return found;
  found.add(path);
  for (const [, target] of (await Deno.readTextFile(url)).matchAll(/ from "(\.[^"]+)"/g)) {
    await modulesFrom(new URL(target!, url), found);
  }
  return found;
}

Deno.test("the image is built of every file that compiling needs", async () => {
  const copied = instructions("COPY").filter((words) => !words.startsWith("--from")).flatMap((words) =>
    words.split(/\s+/).slice(0, -1)
  );
  for (const path of copied) await Deno.stat(new URL(path, ROOT));
  const needed = await modulesFrom(new URL("scripts/compile.ts", ROOT));
  assertEquals(
    [...needed, "deno.json", "deno.lock", "src", "LICENSE"].filter((path) => !copied.includes(path)),
    [],
  );
});

Deno.test("the image is built by the Deno that the project is made for", async () => {
  const [, version] = /deno@([\d.]+)/.exec(await Deno.readTextFile(new URL("README.md", ROOT)))!;
  const [base] = instructions("FROM").filter((words) => words.endsWith("AS build"));
  assertEquals(base, `denoland/deno:debian-${version} AS build`);
});

Deno.test("images run commands and settings that there are", () => {
  for (const words of instructions("ENV").flatMap((line) => line.split(" "))) {
    const name = words.split("=")[0];
    assert(SETTINGS.some((setting) => setting.name === name), name);
  }
  for (const check of instructions("HEALTHCHECK")) {
    const [program, ...args] = JSON.parse(check.slice(check.indexOf("CMD ") + 4));
    assertEquals([program, parseInvocation(args).command], ["sluice", "health"]);
  }
  for (const words of instructions("CMD")) assertEquals(parseInvocation(JSON.parse(words)).command, "serve");
  assertEquals(new Set(instructions("EXPOSE")), new Set(["4444"]));
});
