import { assertAlmostEquals, assertEquals } from "@std/assert";
import { idleShareBetween } from "./idle_share.ts";

const stat = (...ticks: number[]) => `cpu  ${ticks.join(" ")}\ncpu0 1 1 1 1 1 1 1 1 0 0\nintr 5\n`;

Deno.test("idleShareBetween() is what was neither used nor stolen, of what passed", () => {
  const before = stat(100, 10, 50, 1_000, 5, 1, 2, 3, 0, 0);
  assertAlmostEquals(idleShareBetween(before, stat(130, 10, 70, 1_040, 10, 1, 2, 8, 0, 0)), 0.45);
  assertEquals(idleShareBetween(before, stat(200, 10, 50, 1_000, 5, 1, 2, 3, 90, 90)), 0);
  assertEquals(idleShareBetween(before, stat(100, 10, 50, 1_100, 5, 1, 2, 3, 0, 0)), 1);
});

Deno.test("idleShareBetween() takes a machine that tells nothing for a busy one", () => {
  assertEquals([idleShareBetween("", ""), idleShareBetween("", "cpu0 1 2 3 4\n")], [0, 0]);
});
