// What each worker and `serve` load at their start. An npm package takes megabytes, so those that few calls need are loaded on use.
import { assert, assertEquals } from "@std/assert";

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

async function packagesAtStart(entry: string): Promise<string[]> {
  const path = new URL(`../../${entry}`, import.meta.url).pathname;
  const { stdout } = await new Deno.Command(Deno.execPath(), { args: ["info", "--json", path] }).output();
  const { roots, modules }: Graph = JSON.parse(new TextDecoder().decode(stdout));
  const dependencies = new Map(modules.map((module) => [module.specifier, module.dependencies ?? []]));
  const reached = new Set(roots);
  for (const specifier of reached) {
    for (const { isDynamic, code } of dependencies.get(specifier) ?? []) {
      if (!isDynamic && code?.specifier !== undefined) reached.add(code.specifier);
    }
  }
  return [...reached].filter((specifier) => specifier.startsWith("npm:"))
    .map((specifier) => specifier.replace(/^npm:\/?(.+)@.*$/, "$1"));
}

Deno.test("A worker loads no other npm package than jose at its start", async () => {
  assertEquals(await packagesAtStart("src/worker/main.ts"), ["jose"]);
});

Deno.test("serve loads the MCP SDK only with a demo upstream", async () => {
  const withoutDemo = await packagesAtStart("src/cli/serve.ts");
  assert(!withoutDemo.includes("@modelcontextprotocol/server"), withoutDemo.join(" "));
  const demo = await packagesAtStart("src/demo/time_server.ts");
  assert(demo.includes("@modelcontextprotocol/server"), demo.join(" "));
});
