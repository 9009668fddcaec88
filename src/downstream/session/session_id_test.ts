import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { isBoundTo, SessionIds, type SessionOwner } from "./session_id.ts";

const NOW_MS = 1_700_000_000_000;
const EXPIRES_AT = NOW_MS / 1000 + 60;

const sealed = fc.record({
  replica: fc.integer({ min: 0, max: 0xffffffff }),
  worker: fc.integer({ min: 0, max: 0xffff }),
  expiresAt: fc.integer({ min: EXPIRES_AT, max: 0xffffffff }),
  owner: fc.record<SessionOwner>({
    issuer: fc.option(fc.string()),
    subject: fc.string(),
    reach: fc.string(),
    serverId: fc.option(fc.string()),
  }),
});

const ANN: SessionOwner = { issuer: "i", subject: "ann", reach: "", serverId: null };

const seal = (ids: SessionIds, owner = ANN) =>
  ids.seal({ replica: 1, worker: 2, expiresAt: EXPIRES_AT, owner });

Deno.test("SessionIds.open() gives what seal() was told, to any worker with the same secret", () => {
  const [one, other] = [new SessionIds("secret"), new SessionIds("secret")];
  fc.assert(fc.property(sealed, (given) => {
    const id = one.seal(given);
    for (const ids of [one, other]) {
      const claims = ids.open(id, NOW_MS)!;
      assertEquals([claims.replica, claims.worker, claims.expiresAt], [
        given.replica,
        given.worker,
        given.expiresAt,
      ]);
      assert(isBoundTo(claims, given.owner));
    }
  }));
});

Deno.test("SessionIds.seal() writes at most 128 letters, digits and dashes", () => {
  const ids = new SessionIds("secret");
  fc.assert(fc.property(sealed, (given) => /^[A-Za-z0-9-]{1,128}$/.test(ids.seal(given))));
});

Deno.test("SessionIds.seal() gives every session a name of its own", () => {
  const ids = new SessionIds("secret");
  const names = Array.from({ length: 1_000 }, () => ids.open(seal(ids), NOW_MS)!.name);
  assertEquals(new Set(names).size, names.length);
});

Deno.test("SessionIds.open() refuses an id with any one character changed", () => {
  const ids = new SessionIds("secret");
  const id = seal(ids);
  const alphabet = "abcdefghijklmnopqrstuvwxyz234567ABCDEFGHIJKLMNOPQRSTUVWXYZ0189-= ";
  for (let at = 0; at < id.length; at++) {
    for (const character of alphabet) {
      if (character === id[at]) continue;
      assertEquals(ids.open(id.slice(0, at) + character + id.slice(at + 1), NOW_MS), null);
    }
  }
});

Deno.test("SessionIds.open() refuses an id that was lengthened or shortened", () => {
  const ids = new SessionIds("secret");
  const id = seal(ids);
  for (const more of ["a", "7", "aa", "aaaaaaaa", "=", " "]) {
    assertEquals(ids.open(id + more, NOW_MS), null, `${id}${more}`);
    assertEquals(ids.open(more + id, NOW_MS), null);
  }
  for (let length = 0; length < id.length; length++) {
    assertEquals(ids.open(id.slice(0, length), NOW_MS), null);
  }
});

Deno.test("SessionIds.open() refuses what anybody makes up", () => {
  const ids = new SessionIds("secret");
  const { length } = seal(ids);
  const base32 = fc.string({
    unit: fc.constantFrom(..."abcdefghijklmnopqrstuvwxyz234567"),
    minLength: length,
    maxLength: length,
  });
  fc.assert(
    fc.property(
      fc.oneof(fc.string(), base32, fc.string({ minLength: length, maxLength: length })),
      (id) => ids.open(id, NOW_MS) === null,
    ),
  );
});

Deno.test("SessionIds.open() refuses two genuine ids' halves put together", () => {
  const ids = new SessionIds("secret");
  const [one, other] = [seal(ids), seal(ids, { ...ANN, subject: "bob" })];
  for (let at = 1; at < one.length; at++) {
    const mixed = one.slice(0, at) + other.slice(at);
    if (mixed !== one && mixed !== other) assertEquals(ids.open(mixed, NOW_MS), null);
  }
});

Deno.test("SessionIds.open() refuses an id of another secret", () => {
  const id = seal(new SessionIds("secret"));
  for (let i = 0; i < 600; i++) assertEquals(new SessionIds(`other ${i}`).open(id, NOW_MS), null);
});

Deno.test("SessionIds.open() refuses an id from its expiry on, also one that it has opened before", () => {
  const ids = new SessionIds("secret");
  const id = seal(ids);
  assert(ids.open(id, EXPIRES_AT * 1000 - 1) !== null);
  assertEquals(ids.open(id, EXPIRES_AT * 1000), null);
});

Deno.test("isBoundTo() tells every other issuer, subject, token limits and server, also ones that look alike when joined", () => {
  const ids = new SessionIds("secret");
  const owner = { issuer: "a", subject: "b", reach: "r", serverId: "c" };
  const claims = ids.open(seal(ids, owner), NOW_MS)!;
  const others: SessionOwner[] = [
    { ...owner, issuer: "x" },
    { ...owner, subject: "x" },
    { ...owner, reach: "x" },
    { ...owner, serverId: "x" },
    { ...owner, serverId: null },
    { ...owner, issuer: null },
    { ...owner, issuer: "ab", subject: "" },
    { ...owner, issuer: 'a","b', subject: "" },
  ];
  for (const other of others) assertEquals(isBoundTo(claims, other), false);
  assertEquals(isBoundTo(claims, owner), true);
});
