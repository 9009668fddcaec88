import { assert, assertEquals, assertRejects } from "@std/assert";
import { FakeClock, settled } from "../../../tests/support/fake_clock.ts";
import { SluiceError } from "../../base/errors.ts";
import { MemoryCache } from "../../cache/memory_cache.ts";
import type { UserRow } from "../../store/people/person_rows.ts";
import type { LoginTokens } from "./login_tokens.ts";
import { LoginAttempts } from "./login_attempts.ts";
import { Logins } from "./logins.ts";
import type { PasswordHashes } from "./password_hash.ts";

const MINUTE_MS = 60_000;

/** Hashes that are the passwords themselves. */
const PLAIN = {
  checked: [] as (string | null)[],
  verify(password: string, stored: string | null) {
    this.checked.push(stored);
    return Promise.resolve(stored?.replace("old:", "") === password);
  },
  make: (password: string) => Promise.resolve(password),
  isCurrent: (stored: string) => !stored.startsWith("old:"),
};

function setUp({ perMinute = 1_000, failures = 3, user = {} as Partial<UserRow> } = {}) {
  const clock = new FakeClock();
  PLAIN.checked = [];
  const row = {
    email: "ann@x",
    passwordHash: "right",
    isActive: true,
    failedAttempts: 0,
    lockedUntil: null,
    ...user,
  };
  const users = {
    get: (email: string) => Promise.resolve(email === row.email ? { ...row } as UserRow : null),
    countFailure: () => Promise.resolve(++row.failedAttempts),
    noteLogin: (_: string, changes: Partial<UserRow>) => Promise.resolve(void Object.assign(row, changes)),
  };
  const outcomes: string[] = [];
  const logins = new Logins({
    users,
    hashes: PLAIN as unknown as PasswordHashes,
    tokens: { sign: () => Promise.resolve("token"), expiresInSeconds: 60 } as unknown as LoginTokens,
    attempts: new LoginAttempts({
      ...{ counters: new MemoryCache(clock), clock, perMinute },
      onLimited: () => outcomes.push("limited"),
    }),
    admits: () => true,
    clock,
    limits: { failures, longestLockMs: 5 * MINUTE_MS, failureMs: 1_000 },
    count: (outcome) => outcomes.push(outcome),
  });
  /** Resolves to the code of the refusal; "in" for a login. */
  const attempt = async (password: string, { email = "ann@x", address = "192.0.2.1" } = {}) => {
    const outcome = logins.login({ email, password, address }).then(
      () => "in",
      (error: SluiceError) => error.code,
    );
    await settled();
    await clock.tick(1_000);
    return await outcome;
  };
  return { clock, row, logins, attempt, outcomes };
}

Deno.test("Logins.login() counts wrong passwords, forgets them after a right one, and replaces an old hash", async () => {
  const { attempt, row } = setUp({ user: { passwordHash: "old:right" } });
  assertEquals([await attempt("wrong"), await attempt("wrong"), row.failedAttempts], [
    "LOGIN_FAILED",
    "LOGIN_FAILED",
    2,
  ]);
  assertEquals(await attempt("right"), "in");
  assertEquals([row.failedAttempts, row.passwordHash], [0, "right"]);
});

Deno.test("Logins.login() locks an account for a time that doubles up to its limit, and tells nobody", async () => {
  const { attempt, row, clock, outcomes } = setUp();
  const locks: number[] = [];
  for (let i = 0; i < 3; i++) assertEquals(await attempt("wrong"), "LOGIN_FAILED");
  for (let i = 0; i < 4; i++) {
    locks.push(Math.round((row.lockedUntil! - clock.now()) / MINUTE_MS));
    // Neither a right nor a wrong password changes anything.
    assertEquals([await attempt("right"), await attempt("wrong")], ["LOGIN_FAILED", "LOGIN_FAILED"]);
    await clock.tick(row.lockedUntil! - clock.now());
    assertEquals(await attempt("wrong"), "LOGIN_FAILED");
  }
  assertEquals(locks, [1, 2, 4, 5]);
  assert(outcomes.includes("locked"));
  await clock.tick(5 * MINUTE_MS);
  assertEquals(await attempt("right"), "in");
  assertEquals([row.failedAttempts, row.lockedUntil], [0, null]);
});

Deno.test("Logins.login() with MAX_FAILED_LOGIN_ATTEMPTS=0 locks no account", async () => {
  const { attempt } = setUp({ failures: 0 });
  for (let i = 0; i < 50; i++) assertEquals(await attempt("wrong"), "LOGIN_FAILED");
  assertEquals(await attempt("right"), "in");
});

Deno.test("Logins.login() answers unknown users, locked ones, wrong passwords and users without one alike, after the same time", async () => {
  const cases: [given: Partial<UserRow>, email: string, password: string][] = [
    [{}, "ann@x", "wrong"],
    [{}, "nobody@x", "right"],
    [{ passwordHash: null }, "ann@x", "right"],
    [{ isActive: false }, "ann@x", "right"],
    [{ lockedUntil: Infinity }, "ann@x", "right"],
  ];
  for (const [user, email, password] of cases) {
    const { logins, clock } = setUp({ user });
    const outcome = logins.login({ email, password, address: "a" }).then(
      () => null,
      (error: SluiceError) => error,
    );
    let isAnswered = false;
    void outcome.then(() => isAnswered = true);
    await settled();
    await clock.tick(999);
    assertEquals([isAnswered, PLAIN.checked.length], [false, 1]);
    await clock.tick(1);
    const error = await outcome;
    assertEquals([error?.code, error?.message], ["LOGIN_FAILED", "Wrong email or password"]);
  }
});

Deno.test("Logins.login() limits the attempts of an address and of an account in a minute", async () => {
  const { attempt, clock } = setUp({ perMinute: 2, failures: 0 });
  await clock.tick(MINUTE_MS - clock.now() % MINUTE_MS);
  const from = (address: string, email = "ann@x") => attempt("wrong", { address, email });
  assertEquals([await from("1"), await from("1"), await from("1")], [
    "LOGIN_FAILED",
    "LOGIN_FAILED",
    "RATE_LIMITED",
  ]);
  // The account is limited too, whatever the address; another account from another address is not.
  assertEquals([await from("2"), await from("3", "bob@x"), await from("1", "cid@x")], [
    ...["RATE_LIMITED", "LOGIN_FAILED", "RATE_LIMITED"],
  ]);
  await clock.tick(MINUTE_MS);
  assertEquals(await from("1"), "LOGIN_FAILED");
});

Deno.test("Logins.login() asks for another password first, where that is required", async () => {
  const { attempt, logins } = setUp({ user: { passwordChangeRequired: true } });
  assertEquals([await attempt("right"), await attempt("wrong")], [
    "PASSWORD_CHANGE_REQUIRED",
    "LOGIN_FAILED",
  ]);
  assertEquals((await logins.verify({ email: "ann@x", password: "right", address: "a" })).email, "ann@x");
});

Deno.test("Logins.login() works without counters of attempts", async () => {
  const { row } = setUp();
  const logins = new Logins({
    ...setUpDeps(row as unknown as UserRow),
    attempts: new LoginAttempts({
      counters: { add: () => Promise.reject(new SluiceError("CACHE_UNAVAILABLE", { reason: "gone" })) },
      ...{ clock: new FakeClock(), perMinute: 1, onLimited: () => {} },
    }),
  });
  assertEquals((await logins.login({ email: "ann@x", password: "right", address: "a" })).token, "token");
  await assertRejects(
    () => logins.login({ email: "ann@x", password: "wrong", address: "a" }),
    SluiceError,
    "Wrong",
  );
});

function setUpDeps(row: UserRow) {
  return {
    users: {
      get: () => Promise.resolve(row),
      countFailure: () => Promise.resolve(1),
      noteLogin: () => Promise.resolve(),
    },
    hashes: PLAIN as unknown as PasswordHashes,
    tokens: { sign: () => Promise.resolve("token"), expiresInSeconds: 60 } as unknown as LoginTokens,
    clock: new FakeClock(),
    admits: () => true,
    limits: { failures: 3, longestLockMs: MINUTE_MS, failureMs: 0 },
    count: () => {},
  };
}
