import { assertEquals } from "@std/assert";
import { findCrowdedFolders, findCycles, findFaults, findSharedNames, type Graph } from "./check_layers.ts";

function graph(edges: Readonly<Record<string, readonly string[]>>): Graph {
  return new Map(Object.entries(edges));
}

Deno.test("findFaults() is content with lower floors, lower rooms and the same room", () => {
  const imports = graph({
    "src/main.ts": ["src/cli/serve.ts", "src/version.ts", "src/base/errors.ts"],
    "src/cli/serve.ts": ["src/base/errors.ts", "src/cli/command_line/flags.ts"],
    "src/cli/command_line/flags.ts": ["src/cli/command_line/help.ts"],
    "src/cli/command_line/help.ts": [],
    "src/upstream/session/open.ts": ["src/upstream/pool/lease.ts", "src/mcp/sse.ts"],
    "src/upstream/pool/lease.ts": [],
    "src/version.ts": ["src/mcp/revisions.ts"],
    "src/mcp/sse.ts": [],
  });
  assertEquals(findFaults(imports), []);
});

Deno.test("findFaults() names an import of a higher floor, a sibling, what is outside src, and an unknown folder", () => {
  const imports = graph({
    "src/base/a.ts": ["src/config/load.ts"],
    "src/store/b.ts": ["src/cache/redis.ts"],
    "src/http/c.ts": ["tests/support/x.ts"],
    "src/services/d.ts": [],
    "src/mcp/e.ts": ["src/version.ts"],
  });
  assertEquals(findFaults(imports), [
    "src/base/a.ts imports src/config/load.ts: config does not rank below base",
    "src/store/b.ts imports src/cache/redis.ts: cache does not rank below store",
    "src/http/c.ts imports tests/support/x.ts: src imports nothing outside src",
    "src/services has no rank in FLOORS of scripts/check_layers.ts",
    "src/mcp/e.ts imports src/version.ts: version.ts does not rank below mcp",
  ]);
});

Deno.test("findFaults() names an import of a higher room, of the folder's own files, and an unknown room", () => {
  const imports = graph({
    "src/upstream/pool/lease.ts": ["src/upstream/session/open.ts"],
    "src/upstream/session/open.ts": ["src/upstream/upstreams.ts"],
    "src/upstream/upstreams.ts": [],
    "src/upstream/cellar/wine.ts": [],
    "src/mcp/attic/old.ts": [],
  });
  assertEquals(findFaults(imports), [
    "src/upstream/pool/lease.ts imports src/upstream/session/open.ts: session does not rank below pool",
    "src/upstream/session/open.ts imports src/upstream/upstreams.ts: . does not rank below session",
    "src/upstream/cellar has no rank in ROOMS of scripts/check_layers.ts",
    "src/mcp/attic has no rank in ROOMS of scripts/check_layers.ts",
  ]);
});

Deno.test("findCycles() finds a cycle once, a file that imports itself, and none in a diamond", () => {
  assertEquals(findCycles(graph({ a: ["b"], b: ["c"], c: ["b"], d: ["a"] })), [["b", "c", "b"]]);
  assertEquals(findCycles(graph({ a: ["a"] })), [["a", "a"]]);
  assertEquals(findCycles(graph({ a: ["b", "c"], b: ["d"], c: ["d"], d: [] })), []);
});

Deno.test("findCrowdedFolders() names a folder with more than 15 files at one level", () => {
  const files = (count: number, folder: string) =>
    Array.from({ length: count }, (_, i) => `${folder}/f${i}.ts`);
  assertEquals(findCrowdedFolders([...files(15, "src/http"), ...files(15, "src/http/limits")]), []);
  assertEquals(findCrowdedFolders(files(16, "src/http")), [
    "src/http has 16 files; at most 15: give some of them a room",
  ]);
});

Deno.test("findSharedNames() names files of one name, entry points aside", () => {
  assertEquals(findSharedNames(["src/main.ts", "src/worker/main.ts", "src/store/open.ts"]), []);
  assertEquals(findSharedNames(["src/cache/open.ts", "src/store/open.ts"]), [
    "src/cache/open.ts and src/store/open.ts have one name",
  ]);
});
