import { assertEquals, assertRejects } from "@std/assert";
import { SharedReads } from "./shared_reads.ts";

Deno.test("SharedReads reads once within a second, and forgets failures at once", async () => {
  let [now, reads] = [0, 0];
  const shared = new SharedReads(() => now);
  const ask = (path: string) => shared.read(path, () => Promise.resolve(++reads));
  assertEquals(await Promise.all([ask("/settings"), ask("/settings"), ask("/logs")]), [1, 1, 2]);
  now = 999;
  assertEquals(await ask("/settings"), 1);
  now = 1_000;
  assertEquals(await ask("/settings"), 3);
  await assertRejects(() => shared.read("/other", () => Promise.reject(new Error("down"))), Error, "down");
  assertEquals(await ask("/other"), 4);
});
