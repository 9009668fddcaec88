import { assert, assertEquals } from "@std/assert";
import { graphOf, prunedLock } from "./pruned_lock.ts";

Deno.test("prunedLock() keeps what the modules need, with what that needs", () => {
  const lock = {
    version: "5",
    specifiers: { "npm:a@1": "1.0.0", "npm:@x/b@2": "2.0.0_a@1.0.0", "npm:test@3": "3.0.0" },
    npm: { "a@1.0.0": {}, "@x/b@2.0.0_a@1.0.0": {}, "deep@1.0.0": {}, "test@3.0.0": {} },
    workspace: { dependencies: ["npm:test@3"] },
  };
  const npmPackages = {
    "a@1.0.0": { dependencies: [] },
    "@x/b@2.0.0_a@1.0.0": { dependencies: ["a@1.0.0", "deep@1.0.0"] },
    "deep@1.0.0": { dependencies: [] },
    "test@3.0.0": { dependencies: [] },
  };
  const modules = [{ kind: "esm" }, { kind: "npm", npmPackage: "@x/b@2.0.0_a@1.0.0" }];
  assertEquals(
    prunedLock(lock, [{ modules, npmPackages }]),
    {
      version: "5",
      specifiers: { "npm:a@1": "1.0.0", "npm:@x/b@2": "2.0.0_a@1.0.0" },
      npm: { "a@1.0.0": {}, "@x/b@2.0.0_a@1.0.0": {}, "deep@1.0.0": {} },
    } as unknown as typeof lock,
  );
});

Deno.test("prunedLock() leaves the packages of tests out of the executable", async () => {
  const root = new URL("../", import.meta.url).pathname;
  const lock = JSON.parse(await Deno.readTextFile(`${root}deno.lock`));
  const graphs = await Promise.all(["src/main.ts", "src/worker/main.ts"].map((path) => graphOf(root, path)));
  const names = Object.keys(prunedLock(lock, graphs).npm).join(" ");
  for (const name of ["jose@", "zod@", "hono@", "ioredis@"]) assert(names.includes(name), name);
  for (const name of ["playwright-core@", "axe-core@", "fast-check@", "express@"]) {
    assert(!names.includes(name), name);
  }
});
