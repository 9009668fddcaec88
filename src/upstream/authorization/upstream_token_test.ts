import { assertEquals } from "@std/assert";
import { isDue, isReplaceable, isUsable } from "./upstream_token.ts";

/** @param lifeS null: the server did not say @returns usable, due and replaceable after so many seconds */
function after(lifeS: number | null, seconds: number): [boolean, boolean, boolean] {
  const token = { obtainedAt: 1_000, expiresAt: lifeS === null ? null : 1_000 + lifeS * 1_000 };
  const now = 1_000 + seconds * 1_000;
  return [isUsable(token, now), isDue(token, now), isReplaceable(token, now)];
}

Deno.test("A token is renewed before its end, and not sent in the last moments of its life", () => {
  assertEquals(after(3_600, 3_539), [true, false, true]);
  assertEquals(after(3_600, 3_541), [true, true, true]);
  assertEquals(after(3_600, 3_597), [true, true, true]);
  assertEquals(after(3_600, 3_598), [false, true, true]);
  // A short life leaves time to renew as well.
  assertEquals(after(6, 2.9), [true, false, false]);
  assertEquals(after(6, 3.1), [true, true, true]);
  assertEquals(after(6, 4.6), [false, true, true]);
  assertEquals(after(0, 0), [false, true, true]);
});

Deno.test("A fresh token that is refused is not replaced, an old one is", () => {
  assertEquals(after(null, 9), [true, false, false]);
  assertEquals(after(null, 11), [true, false, true]);
});
