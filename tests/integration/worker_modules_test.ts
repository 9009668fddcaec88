// What each worker carries from its start: npm packages take megabytes of each, so those that few calls need are loaded on use.
import { assertEquals } from "@std/assert";

interface Graph {
  readonly roots: readonly string[];
  readonly modules: readonly {
    readonly specifier: string;
    readonly dependencies?: readonly {
      readonly isDynamic?: boolean;
      readonly code?: { readonly specifier?: string };
    }[];
  }[];
}

Deno.test("A worker loads no other npm package than jose at its start", async () => {
  const entry = new URL("../../src/worker/main.ts", import.meta.url).pathname;
  const { stdout } = await new Deno.Command(Deno.execPath(), { args: ["info", "--json", entry] }).output();
  const { roots, modules }: Graph = JSON.parse(new TextDecoder().decode(stdout));
  const dependencies = new Map(modules.map((module) => [module.specifier, module.dependencies ?? []]));
  const reached = new Set(roots);
  for (const specifier of reached) {
    for (const { isDynamic, code } of dependencies.get(specifier) ?? []) {
      if (!isDynamic && code?.specifier !== undefined) reached.add(code.specifier);
    }
  }
  const packages = [...reached].filter((specifier) => specifier.startsWith("npm:"));
  assertEquals(packages.map((specifier) => specifier.replace(/^npm:\/?(.+)@.*$/, "$1")), ["jose"]);
});
