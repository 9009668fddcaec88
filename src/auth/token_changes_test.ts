import { assertEquals, assertStrictEquals } from "@std/assert";
import { versionsAt } from "../../tests/support/catalog_rows.ts";
import { NO_TOKEN_CHANGES } from "./token_changes.ts";

/** The versions as of a change of tokens, where nothing else is ever changed. */
const at = (tokens: number) => versionsAt(tokens, { tokens });

Deno.test("TokenChanges tells which tokens were read before they changed", () => {
  const first = NO_TOKEN_CHANGES.with({ versions: at(5), tokenChanges: [] });
  assertEquals(first.isOutdated({ id: "a", readAt: at(5) }), false);
  const second = first.with({
    versions: at(7),
    tokenChanges: [{ id: "a", change: 6 }, { id: "b", change: 7 }],
  });
  const outdated = (id: string, tokens: number) => second.isOutdated({ id, readAt: at(tokens) });
  assertEquals([outdated("a", 5), outdated("a", 6), outdated("b", 6), outdated("c", 5)], [
    true,
    false,
    true,
    false,
  ]);
  assertEquals(first.isOutdated({ id: "a", readAt: at(5) }), false);
  assertStrictEquals(second.with({ versions: versionsAt(8, { tokens: 7 }), tokenChanges: [] }), second);
  const third = second.with({ versions: at(8), tokenChanges: [{ id: "a", change: 8 }] });
  assertEquals(third.isOutdated({ id: "a", readAt: at(7) }), true);
});

Deno.test("TokenChanges keeps a thousand changes, and takes every token that was read before the others for outdated", () => {
  const tokenChanges = Array.from({ length: 1_500 }, (_, i) => ({ id: `t${i}`, change: i + 1 }));
  const changes = NO_TOKEN_CHANGES.with({ versions: at(1_500), tokenChanges });
  const outdated = (id: string, tokens: number) => changes.isOutdated({ id, readAt: at(tokens) });
  assertEquals([outdated("elsewhere", 499), outdated("elsewhere", 500)], [true, false]);
  assertEquals([outdated("t400", 400), outdated("t1400", 1_400), outdated("t1400", 1_401)], [
    true,
    true,
    false,
  ]);
});

Deno.test("TokenChanges takes every token for outdated that was read before the database lost writes", () => {
  const lost = { tokens: 9, write: "lost" };
  const before = NO_TOKEN_CHANGES.with({ versions: at(5), tokenChanges: [] });
  const after = before.with({ versions: at(7), tokenChanges: null });
  const outdated = (readAt: ReturnType<typeof at>) => after.isOutdated({ id: "a", readAt });
  assertEquals([outdated(at(5)), outdated(at(6)), outdated(at(7))], [true, true, false]);
  assertEquals([6, 7, 8].map((catalog) => outdated(versionsAt(catalog, lost))), [true, true, true]);
  const later = after.with({ versions: at(8), tokenChanges: [] });
  assertEquals([5, 7, 8].map((read) => later.isOutdated({ id: "a", readAt: at(read) })), [
    true,
    false,
    false,
  ]);
  // The last look tells tokens of lost writes from others.
  const much = later.with({ versions: at(20), tokenChanges: [] });
  assertEquals(
    [before, after].map(({ look }) => much.isOutdated({ id: "a", readAt: versionsAt(9, lost) }, look)),
    [true, false],
  );
});

Deno.test("TokenChanges takes no token for outdated that was read from later writes than those of the snapshot", () => {
  const changes = NO_TOKEN_CHANGES.with({ versions: at(5), tokenChanges: [] });
  assertEquals(changes.isOutdated({ id: "a", readAt: at(6) }), false);
  const later = changes.with({ versions: at(7), tokenChanges: null }).with({
    versions: at(8),
    tokenChanges: [],
  });
  assertEquals(later.isOutdated({ id: "a", readAt: at(9) }), false);
});
