import { basename } from "node:path";
import { assertEquals } from "@std/assert";
import { importedModules, MODULE_FILES, moduleFile } from "./thread_modules.ts";

const ROOT = "file:///project/";

function module(path: string, ...dependencies: { code?: { specifier: string }; isDynamic?: boolean }[]) {
  return { specifier: ROOT + path, dependencies };
}

function imports(specifier: string) {
  return { code: { specifier: specifier.includes(":") ? specifier : ROOT + specifier } };
}

Deno.test("importedModules() follows the imports of values, without those on use, packages and the file itself", () => {
  const modules = [
    module("src/worker/main.ts", imports("src/b/one.ts"), imports("src/worker/worker_modules.js"), {}),
    module("src/worker/worker_modules.js", imports("src/c/gone_from_the_worker.ts")),
    module("src/b/one.ts", imports("src/a/two.ts"), imports("npm:ws@8"), {
      ...imports("src/a/on_use.ts"),
      isDynamic: true,
    }),
    module("src/a/two.ts", imports("src/b/one.ts")),
    module("src/a/on_use.ts"),
  ];
  assertEquals(importedModules(modules, ROOT, "src/worker/main.ts"), ["src/a/two.ts", "src/b/one.ts"]);
});

Deno.test("moduleFile() imports each path from a folder of src", () => {
  const text = moduleFile(["src/a/two.ts", "src/version.ts"]);
  assertEquals(text.split("\n").slice(2, 4), ['import "../a/two.ts";', 'import "../version.ts";']);
});

Deno.test("Threads import their modules' file before all others", async () => {
  for (const [entry, file] of Object.entries(MODULE_FILES)) {
    const source = await Deno.readTextFile(new URL(`../../${entry}`, import.meta.url));
    const [first] = source.split("\n").filter((line) => line.startsWith("import "));
    assertEquals(first, `import "./${basename(file)}";`);
  }
});
