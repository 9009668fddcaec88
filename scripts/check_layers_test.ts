import { assertEquals } from "@std/assert";
import { findCycles, findFaults, type Graph } from "./check_layers.ts";

function graph(edges: Readonly<Record<string, readonly string[]>>): Graph {
  return new Map(Object.entries(edges));
}

Deno.test("findFaults() is content with lower ranks and the same folder", () => {
  const imports = graph({
    "src/main.ts": ["src/cli/flags.ts", "src/version.ts", "src/base/errors.ts"],
    "src/cli/flags.ts": ["src/base/errors.ts", "src/cli/nearest.ts"],
    "src/cli/nearest.ts": [],
    "src/upstream/http1/read.ts": ["src/upstream/head.ts", "src/mcp/sse.ts"],
    "src/upstream/head.ts": [],
    "src/version.ts": ["src/mcp/revisions.ts"],
    "src/mcp/sse.ts": [],
  });
  assertEquals(findFaults(imports), []);
});

Deno.test("findFaults() names an import of a higher rank, a sibling, what is outside src, and an unknown folder", () => {
  const imports = graph({
    "src/base/a.ts": ["src/config/load.ts"],
    "src/store/a.ts": ["src/cache/redis.ts"],
    "src/http/a.ts": ["tests/support/x.ts"],
    "src/services/a.ts": [],
    "src/mcp/a.ts": ["src/version.ts"],
  });
  assertEquals(findFaults(imports), [
    "src/base/a.ts imports src/config/load.ts: base [0] must not import config [1]",
    "src/store/a.ts imports src/cache/redis.ts: store [2] must not import cache [2]",
    "src/http/a.ts imports tests/support/x.ts: src imports nothing outside src",
    "src/mcp/a.ts imports src/version.ts: mcp [1] must not import version.ts [1.5]",
    "src/services has no rank in scripts/check_layers.ts",
  ]);
});

Deno.test("findCycles() finds a cycle once, a file that imports itself, and none in a diamond", () => {
  assertEquals(findCycles(graph({ a: ["b"], b: ["c"], c: ["b"], d: ["a"] })), [["b", "c", "b"]]);
  assertEquals(findCycles(graph({ a: ["a"] })), [["a", "a"]]);
  assertEquals(findCycles(graph({ a: ["b", "c"], b: ["d"], c: ["d"], d: [] })), []);
});
