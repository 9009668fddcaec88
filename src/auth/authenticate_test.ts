import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { FakeClock } from "../../tests/support/fake_clock.ts";
import { principal } from "../../tests/support/fakes.ts";
import { grantOf, peopleOf, type TestRows, userOf } from "../../tests/support/people_rows.ts";
import { SluiceError } from "../base/errors.ts";
import { ANONYMOUS, Authenticator } from "./authenticate.ts";
import { NOBODY } from "./people.ts";
import { versionsAt } from "../../tests/support/catalog_rows.ts";
import type { KnownVersions } from "../store/sql/catalog_version.ts";
import type { TokenChange } from "../store/tokens/api_tokens.ts";
import { NO_TOKEN_CHANGES } from "./token_changes.ts";

function apiTokenOf(id: string, rows: ReadonlyMap<string, string | null>, readAt: KnownVersions) {
  const refusal = rows.get(id);
  return refusal === undefined ? null : { id, ownerId: `id-${id}`, teamId: null, readAt, refusal };
}

function setUp({ authRequired = true, maxCachedTokens = 10 } = {}) {
  const clock = new FakeClock();
  const validFrom = clock.now() + 1_000;
  const verified: string[] = [];
  const revoked = new Set<string>();
  let people = NOBODY;
  const changes = { now: NO_TOKEN_CHANGES, at: versionsAt(0) };
  /** Applies a write to tokens. @param tokenChanges null: the database has lost writes */
  const change = (catalog: number, tokenChanges: readonly TokenChange[] | null) => {
    changes.at = versionsAt(catalog, {
      tokens: catalog,
      ...(tokenChanges === null ? { write: "another" } : {}),
    });
    changes.now = changes.now.with({ versions: changes.at, tokenChanges });
  };
  /** API tokens by their id: why they are refused. */
  const rows = new Map<string, string | null>();
  const authenticator = new Authenticator({
    authRequired,
    clock,
    maxCachedTokens,
    revoked: () => revoked,
    people: () => people,
    tokenChanges: () => changes.now,
    verify: (token) => {
      verified.push(token);
      if (token.startsWith("bad")) {
        return Promise.reject(new SluiceError("UNAUTHENTICATED", { reason: "bad" }));
      }
      if (token === "early" && clock.now() < validFrom) {
        return Promise.reject(new SluiceError("UNAUTHENTICATED", { reason: "nbf", claim: "nbf" }));
      }
      return Promise.resolve(
        principal({
          subject: token,
          email: token,
          jti: token,
          teams: null,
          apiToken: apiTokenOf(token, rows, changes.at),
          expiresAt: token === "eternal" ? null : clock.now() + 1_000,
        }),
      );
    },
  });
  const authenticate = async (authorization?: string) =>
    await authenticator.authenticate(authorization ?? null);
  return {
    ...{ clock, verified, revoked, authenticator, authenticate, changes, change, rows },
    setPeople: (rows: Partial<TestRows>) => people = peopleOf(rows, { now: () => clock.now() }),
  };
}

Deno.test("Authenticator.authenticate() verifies a token once", async () => {
  const { verified, authenticate } = setUp();
  for (let i = 0; i < 3; i++) assertEquals((await authenticate("Bearer a")).subject, "a");
  assertEquals(verified, ["a"]);
});

Deno.test("Authenticator.authenticate() answers from its cache at once, without a promise", async () => {
  const { authenticator, authenticate } = setUp();
  await authenticate("Bearer a");
  assertEquals(
    authenticator.authenticate("Bearer a") instanceof Promise,
    false,
  );
});

Deno.test("Authenticator.authenticate() refuses a token from the moment that it expires", async () => {
  const { clock, authenticate } = setUp();
  await authenticate("Bearer a");
  await authenticate("Bearer eternal");
  await clock.tick(999);
  await authenticate("Bearer a");
  await clock.tick(1);
  await assertRejects(() => authenticate("Bearer a"), SluiceError, "expired");
  assertEquals((await authenticate("Bearer eternal")).subject, "eternal");
});

Deno.test("Authenticator.authenticate() does not remember a refusal", async () => {
  const { verified, authenticate } = setUp();
  for (let i = 0; i < 2; i++) await assertRejects(() => authenticate("Bearer bad"), SluiceError);
  assertEquals(verified, ["bad", "bad"]);
});

Deno.test("Authenticator.authenticate() forgets the oldest token when it holds too many", async () => {
  const { verified, authenticate } = setUp({ maxCachedTokens: 2 });
  for (const token of ["a", "b", "c", "b", "c", "a"]) await authenticate(`Bearer ${token}`);
  assertEquals(verified, ["a", "b", "c", "a"]);
});

Deno.test("Authenticator.authenticate() forgets the oldest tokens when they have more than 8 MiB together", async () => {
  const { verified, authenticate } = setUp({ maxCachedTokens: 10_000 });
  const long = (n: number) => `Bearer ${String(n).padEnd(8_000, "x")}`;
  for (let n = 0; n < 1_100; n++) await authenticate(long(n));
  await authenticate(long(1_099));
  assertEquals(verified.length, 1_100);
  await authenticate(long(0));
  assertEquals(verified.length, 1_101);
});

Deno.test("Authenticator.authenticate() wants a token where one is required", () => {
  assertThrows(() => setUp().authenticator.authenticate(null), SluiceError, "Authorization: Bearer");
});

Deno.test("Authenticator.authenticate() takes nobody for nobody where none is required, and a stranger for nobody too", async () => {
  const { authenticate } = setUp({ authRequired: false });
  assertEquals(await authenticate(), ANONYMOUS);
  assertEquals([ANONYMOUS.isAdmin, ANONYMOUS.teams], [false, []]);
  for (const value of ["Bearer bad", "Bearer bad", "Basic abc"]) {
    assertEquals(await authenticate(value), ANONYMOUS);
  }
  assertEquals((await authenticate("Bearer a")).subject, "a");
});

Deno.test("Authenticator.authenticate() understands Bearer only", async () => {
  const { verified, authenticate } = setUp();
  for (const value of ["Basic abc", "Bearer", "a", "Bearer a b", "XBearer a"]) {
    await assertRejects(() => authenticate(value), SluiceError, "Bearer");
  }
  assertEquals(verified, []);
  assertEquals((await authenticate("bearer  a")).subject, "a");
});

Deno.test("Authenticator.authenticate() refuses a revoked token, seen before or not, and no other", async () => {
  const { verified, revoked, authenticate } = setUp();
  await authenticate("Bearer a");
  await authenticate("Bearer b");
  revoked.add("a").add("c");
  for (const token of ["a", "a", "c", "c"]) {
    await assertRejects(() => authenticate(`Bearer ${token}`), SluiceError, "the token has been revoked");
  }
  assertEquals((await authenticate("Bearer b")).subject, "b");
  assertEquals(verified, ["a", "b", "c"]);
});

Deno.test("Authenticator.authenticate() where no token is required takes the bearer of a revoked one for nobody", async () => {
  const { revoked, authenticate } = setUp({ authRequired: false });
  assertEquals((await authenticate("Bearer a")).subject, "a");
  revoked.add("a");
  assertEquals(await authenticate("Bearer a"), ANONYMOUS);
});

Deno.test("Authenticator.authenticate() keeps one entry of a token, however its header is spelled", async () => {
  const { verified, authenticate } = setUp({ maxCachedTokens: 2 });
  await authenticate("Bearer other");
  const principals = new Set();
  for (const scheme of ["Bearer", "bearer", "BEARER", "bEaReR"]) {
    for (const blanks of [" ", "  ", " ".repeat(1_000)]) {
      principals.add(await authenticate(`${scheme}${blanks}a`));
    }
  }
  await authenticate("Bearer other");
  assertEquals([principals.size, verified], [1, ["other", "a"]]);
});

Deno.test("Authenticator.authenticate() refuses a token that is too long, unread", async () => {
  const { verified, authenticate } = setUp();
  await assertRejects(() => authenticate(`Bearer ${"a".repeat(8_193)}`), SluiceError, "longer than 8192");
  assertEquals(await setUp({ authRequired: false }).authenticate(`Bearer ${"a".repeat(8_193)}`), ANONYMOUS);
  assertEquals(verified, []);
  assertEquals((await authenticate(`Bearer ${"a".repeat(8_192)}`)).kind, "user");
});

Deno.test("Authenticator.authenticate() where no token is required lets foreign tokens displace no other", async () => {
  const { verified, authenticate } = setUp({ authRequired: false, maxCachedTokens: 2 });
  await authenticate("Bearer a");
  for (let i = 0; i < 3; i++) assertEquals(await authenticate(`Bearer bad${i}`), ANONYMOUS);
  await authenticate("Bearer bad2");
  await authenticate("Bearer a");
  assertEquals(verified, ["a", "bad0", "bad1", "bad2"]);
});

Deno.test("Authenticator.authenticate() where no token is required looks again at a token that is not valid yet", async () => {
  const { clock, authenticate } = setUp({ authRequired: false });
  assertEquals(await authenticate("Bearer early"), ANONYMOUS);
  await clock.tick(1_000);
  assertEquals((await authenticate("Bearer early")).subject, "early");
});

Deno.test("Authenticator.authenticate() finds the caller anew when its record has changed, and verifies nothing again", async () => {
  const { verified, authenticate, setPeople } = setUp();
  const first = await authenticate("Bearer a");
  setPeople({ users: [userOf("b")] });
  assertEquals([await authenticate("Bearer a") === first, first.grants], [true, null]);
  setPeople({ users: [userOf("a"), userOf("b")] });
  const known = await authenticate("Bearer a");
  assertEquals(known.grants?.everywhere.includes("tools.read"), true);
  setPeople({ users: [userOf("a")] });
  assertEquals(await authenticate("Bearer a") === known, true);
  setPeople({ users: [userOf("a", { isAdmin: true })] });
  assertEquals([(await authenticate("Bearer a")).isAdmin, known.isAdmin], [true, false]);
  setPeople({ users: [userOf("a", { isActive: false })] });
  for (const token of ["a", "a"]) {
    await assertRejects(async () => await authenticate(`Bearer ${token}`), SluiceError, "deactivated");
  }
  setPeople({ users: [userOf("a")] });
  assertEquals((await authenticate("Bearer a")).email, "a");
  assertEquals(verified, ["a"]);
});

Deno.test("Authenticator.authenticate() finds the caller anew when a role ends, and once only", async () => {
  const { clock, verified, authenticate, setPeople } = setUp();
  setPeople({
    users: [userOf("a"), userOf("eternal")],
    assignments: ["a", "eternal"].map((email) => grantOf(email, "viewer", "global", "", clock.now() + 500)),
  });
  for (const token of ["a", "eternal"]) {
    const before = await authenticate(`Bearer ${token}`);
    assertEquals(before.grants?.everywhere.includes("tools.execute"), true);
    assertEquals(await authenticate(`Bearer ${token}`) === before, true);
  }
  await clock.tick(500);
  for (const token of ["a", "eternal"]) {
    const after = await authenticate(`Bearer ${token}`);
    assertEquals(after.grants?.everywhere.includes("tools.execute"), false);
    assertEquals(await authenticate(`Bearer ${token}`) === after, true);
  }
  await clock.tick(500);
  await assertRejects(() => authenticate("Bearer a"), SluiceError, "expired");
  assertEquals([(await authenticate("Bearer eternal")).subject, verified], ["eternal", ["a", "eternal"]]);
});

Deno.test("Authenticator.authenticate() where no token is required takes a user who is deactivated for nobody", async () => {
  const { authenticate, setPeople } = setUp({ authRequired: false });
  setPeople({ users: [userOf("a", { isActive: false })] });
  assertEquals(await authenticate("Bearer a"), ANONYMOUS);
});

Deno.test("Authenticator.authenticate() looks an API token up again after it has changed, and no other", async () => {
  const { verified, authenticate, authenticator, change, rows, setPeople } = setUp();
  setPeople({ users: [userOf("a"), userOf("b")] });
  rows.set("a", null).set("b", null);
  for (const token of ["a", "b", "a", "b"]) await authenticate(`Bearer ${token}`);
  assertEquals(verified, ["a", "b"]);
  rows.set("a", "the API token is switched off");
  change(1, [{ id: "a", change: 1 }]);
  for (let i = 0; i < 2; i++) {
    await assertRejects(() => authenticate("Bearer a"), SluiceError, "switched off");
  }
  await authenticate("Bearer b");
  assertEquals(verified, ["a", "b", "a"]);
  rows.set("a", null);
  change(2, [{ id: "a", change: 2 }]);
  await authenticate("Bearer a");
  assertEquals(authenticator.authenticate("Bearer a") instanceof Promise, false);
  assertEquals(verified, ["a", "b", "a", "a"]);
});

Deno.test("Authenticator.authenticate() looks every API token up again after the database has lost writes", async () => {
  const { verified, authenticate, change, rows, setPeople } = setUp();
  setPeople({ users: [userOf("a")] });
  rows.set("a", null);
  change(7, []);
  await authenticate("Bearer a");
  rows.set("a", "the API token is switched off");
  // The write that has switched it on is lost, and another one has its version.
  change(7, null);
  await assertRejects(() => authenticate("Bearer a"), SluiceError, "switched off");
  assertEquals(verified, ["a", "a"]);
});

Deno.test("Authenticator.authenticate() looks an API token of lost writes up again, however late the token comes", async () => {
  const { verified, authenticate, change, changes, rows, setPeople } = setUp();
  setPeople({ users: [userOf("a")] });
  rows.set("a", null);
  change(7, []);
  changes.at = versionsAt(9, { tokens: 9, write: "lost" });
  await authenticate("Bearer a");
  rows.set("a", "the API token is switched off");
  change(8, null);
  change(10, []);
  await assertRejects(() => authenticate("Bearer a"), SluiceError, "switched off");
  assertEquals(verified, ["a", "a"]);
});

Deno.test("Authenticator.authenticate() accepts a look-up that is newer than the catalog", async () => {
  const { verified, authenticate, change, changes, rows, setPeople } = setUp();
  setPeople({ users: [userOf("a")] });
  rows.set("a", null);
  change(7, []);
  changes.at = versionsAt(9, { tokens: 9 });
  for (let i = 0; i < 3; i++) await authenticate("Bearer a");
  change(9, []);
  await authenticate("Bearer a");
  assertEquals(verified, ["a"]);
});
