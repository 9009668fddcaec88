import { assertEquals, assertStrictEquals } from "@std/assert";
import { NO_TOKEN_CHANGES, TokenChanges } from "./token_changes.ts";

Deno.test("TokenChanges tells which tokens were read before they changed", () => {
  const first = NO_TOKEN_CHANGES.with({ version: 5, changed: [] });
  assertEquals(first.isOutdated({ id: "a", readAt: 5 }), false);
  const second = first.with({ version: 7, changed: [{ id: "a", change: 6 }, { id: "b", change: 7 }] });
  const outdated = (id: string, readAt: number) => second.isOutdated({ id, readAt });
  assertEquals([outdated("a", 5), outdated("a", 6), outdated("b", 6), outdated("c", 5)], [
    true,
    false,
    true,
    false,
  ]);
  assertEquals(first.isOutdated({ id: "a", readAt: 5 }), false);
  assertStrictEquals(second.with({ version: 7, changed: [] }), second);
  assertEquals(
    second.with({ version: 8, changed: [{ id: "a", change: 8 }] }).isOutdated({ id: "a", readAt: 7 }),
    true,
  );
});

Deno.test("TokenChanges keeps a thousand changes, and takes every token that was read before the others for outdated", () => {
  const changed = Array.from({ length: 1_500 }, (_, i) => ({ id: `t${i}`, change: i + 1 }));
  const changes = new TokenChanges(0, new Map(), 0).with({ version: 1_500, changed });
  assertEquals(changes.isOutdated({ id: "elsewhere", readAt: 499 }), true);
  assertEquals(changes.isOutdated({ id: "elsewhere", readAt: 500 }), false);
  assertEquals(changes.isOutdated({ id: "t400", readAt: 400 }), true);
  assertEquals(changes.isOutdated({ id: "t1400", readAt: 1_400 }), true);
  assertEquals(changes.isOutdated({ id: "t1400", readAt: 1_401 }), false);
});
