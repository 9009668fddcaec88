import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { SluiceError } from "../../base/errors.ts";
import { PasswordHashes } from "./password_hash.ts";
import { passwordFault } from "./password_rules.ts";

const hashes = (given: Partial<ConstructorParameters<typeof PasswordHashes>[0]> = {}) =>
  new PasswordHashes({
    cost: { ln: 10, r: 8, p: 1 },
    maxAtOnce: 2,
    maxWaiting: 2,
    verifyArgon2: () => Promise.resolve(false),
    ...given,
  });

Deno.test("PasswordHashes.verify() accepts the password of a hash, and no other", async () => {
  const made = hashes();
  const [one, other] = [await made.make("correct horse"), await made.make("correct horse")];
  assertMatch(one, /^\$scrypt\$ln=10,r=8,p=1\$[\w+/]{22}\$[\w+/]{43}$/);
  assert(one !== other && made.isCurrent(one));
  assertEquals(await made.verify("correct horse", one), true);
  assertEquals(await made.verify("correct horsE", one), false);
  // "é" as one character and as two.
  assertEquals(await made.verify("caf\u00e9 au lait", await made.make("cafe\u0301 au lait")), true);
  for (const stored of [null, "", "$scrypt$", "plain", one.replace("ln=10", "ln=30"), one.slice(0, 40)]) {
    assertEquals(await made.verify("correct horse", stored), false, String(stored));
  }
});

Deno.test("PasswordHashes.verify() leaves argon2id hashes to their verifier, and counts them as old", async () => {
  const seen: string[] = [];
  const made = hashes({ verifyArgon2: (password, hash) => Promise.resolve(seen.push(password, hash) > 0) });
  const stored = "$argon2id$v=19$m=65536,t=3,p=1$c2FsdA$aGFzaA";
  assertEquals([await made.verify("pw", stored), made.isCurrent(stored), seen], [true, false, [
    "pw",
    stored,
  ]]);
});

Deno.test("PasswordHashes makes few hashes at a time, and refuses more than may wait", async () => {
  const started: (() => void)[] = [];
  const made = hashes({
    verifyArgon2: () => new Promise((resolve) => started.push(() => resolve(true))),
  });
  const all = Array.from({ length: 4 }, () => made.verify("pw", "$argon2id$x"));
  await assertRejects(() => made.verify("pw", "$argon2id$x"), SluiceError, "capacity");
  for (let i = 0; i < 4; i++) {
    assert(started.length <= 2);
    started.shift()!();
    await Promise.race(all.splice(0, 1));
  }
});

Deno.test("PasswordHashes leaves the event loop to others while it hashes", async () => {
  const made = hashes({ cost: undefined });
  let turns = 0;
  const timer = setInterval(() => turns++, 1);
  await Promise.all([made.make("correct horse"), made.make("battery staple")]);
  clearInterval(timer);
  assert(turns >= 5, String(turns));
});

Deno.test("passwordFault() refuses short passwords, monotonous ones, and the address", () => {
  const refused = ["short", "aaaaaaaaaaaa", "ababababababab", "ann.miller-ann.miller", "x".repeat(1_025)];
  for (const password of refused) assert(passwordFault(password, "ann.miller@x", 12) !== null, password);
  for (
    const password of [
      "correct horse battery",
      "ann.miller likes green tea",
      "пароль из слов",
      "12345 678 90ab",
    ]
  ) {
    assertEquals(passwordFault(password, "ann.miller@x", 12), null, password);
  }
  for (const address of ["ann.miller@example.com", "al@example.com"]) {
    for (const password of [address, address.toUpperCase(), `${address}1`, `${address} ${address}`]) {
      assert(passwordFault(password, address, 12) !== null, password);
    }
    assertEquals(passwordFault(`${address} likes tea`, address, 12), null);
  }
});
