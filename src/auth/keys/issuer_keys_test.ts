import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { type CryptoKey, exportJWK, generateKeyPair, type JWK, type JWTHeaderParameters } from "jose";
import { FakeClock, settled } from "../../../tests/support/fake_clock.ts";
import { SluiceError } from "../../base/errors.ts";
import type { Log } from "../../telemetry/log.ts";
import { IssuerKeys, usableKeys } from "./issuer_keys.ts";

const { publicKey } = await generateKeyPair("ES256", { extractable: true });
const { publicKey: rsa } = await generateKeyPair("RS256", { extractable: true });

async function jwk(kid: string, more: Partial<JWK> = {}, key: CryptoKey = publicKey): Promise<JWK> {
  return { ...await exportJWK(key), kid, ...more };
}

const setOf = (...keys: unknown[]) => JSON.stringify({ keys });
const header = (kid?: string): JWTHeaderParameters => ({
  alg: "ES256",
  ...(kid === undefined ? {} : { kid }),
});

const TTL_MS = 60_000;
const GRACE_MS = 600_000;

/** A provider whose answers a test sets, and the keys that are read from it. */
function setUp() {
  const clock = new FakeClock();
  const provider = { reads: 0, answer: () => Promise.reject<string>(new Error("it is down")) };
  const outcomes: string[] = [];
  const warnings: unknown[] = [];
  const log = {
    info: () => {},
    warning: (_: string, fields: unknown) => warnings.push(fields),
  } as unknown as Log;
  const keys = new IssuerKeys({
    ...{ issuer: "https://idp", algorithms: ["ES256"], clock, log, ttlMs: TTL_MS, graceMs: GRACE_MS },
    read: () => {
      provider.reads++;
      return provider.answer();
    },
    count: (outcome) => outcomes.push(outcome),
  });
  const found = async (kid?: string) => (await keys.keysFor(header(kid))).length;
  const publish = async (...kids: string[]) => {
    const text = setOf(...await Promise.all(kids.map((kid) => jwk(kid))));
    provider.answer = () => Promise.resolve(text);
  };
  return { clock, provider, outcomes, warnings, keys, found, publish };
}

Deno.test("IssuerKeys reads once for all who wait, keeps the keys, and reads again when they are old", async () => {
  const { clock, provider, found, publish } = setUp();
  await publish("a");
  assertEquals(await Promise.all([found("a"), found("a"), found()]), [1, 1, 1]);
  await clock.tick(TTL_MS - 1);
  assertEquals([await found("a"), provider.reads], [1, 1]);
  await publish("b");
  await clock.tick(1);
  assertEquals([await found("a"), await found("b"), provider.reads], [0, 1, 2]);
});

Deno.test("IssuerKeys finds a new key at once, and reads at most every 10 s for keys that do not exist", async () => {
  const { clock, provider, found, publish } = setUp();
  await publish("a");
  await found("a");
  await clock.tick(10_000);
  await publish("a", "b");
  assertEquals([await found("b"), provider.reads], [1, 2]);
  for (let i = 0; i < 1_000; i++) await found(`random ${i}`);
  assertEquals(provider.reads, 2);
  await clock.tick(10_000);
  await Promise.all(Array.from({ length: 100 }, (_, i) => found(`more ${i}`)));
  assertEquals(provider.reads, 3);
});

Deno.test("IssuerKeys reads again after the clock was set back, so that a key that is taken back ends", async () => {
  const { clock, provider, found, publish } = setUp();
  await publish("a");
  await found("a");
  await publish("b");
  clock.set(clock.now() - 86_400_000);
  assertEquals([await found("a"), await found("b"), provider.reads], [0, 1, 2]);
  for (let i = 0; i < 100; i++) await found(`random ${i}`);
  assertEquals(provider.reads, 2);
});

Deno.test("IssuerKeys uses former keys while the provider is down, until the grace is over", async () => {
  const { clock, provider, outcomes, warnings, found, publish } = setUp();
  await publish("a");
  await found("a");
  provider.answer = () => Promise.reject(new Error("it is down"));
  await clock.tick(TTL_MS + GRACE_MS - 1);
  assertEquals(await found("a"), 1);
  await clock.tick(10_000);
  const error = await assertRejects(() => found("a"), SluiceError);
  assertEquals([error.code, outcomes], ["TOKEN_KEYS_UNAVAILABLE", ["success", "failure", "failure"]]);
  const formerKeysUntil = new Date(1_700_000_000_000 + TTL_MS + GRACE_MS).toISOString();
  assertEquals(warnings[0], { issuer: "https://idp", reason: "it is down", formerKeysUntil });
  await publish("a");
  await clock.tick(10_000);
  assertEquals(await found("a"), 1);
});

Deno.test("IssuerKeys answers at once after a failed first read, and keeps former keys against a broken answer", async () => {
  const { clock, provider, found, publish } = setUp();
  for (let i = 0; i < 5; i++) {
    await assertRejects(() => found("a"), SluiceError, "No keys of the token's issuer");
  }
  assertEquals(provider.reads, 1);
  await clock.tick(10_000);
  await publish("a");
  assertEquals(await found("a"), 1);
  for (const answer of ["", "[]", "{}", '{"keys":[]}', setOf({ kty: "oct", k: "c2VjcmV0" })]) {
    provider.answer = () => Promise.resolve(answer);
    await clock.tick(TTL_MS);
    assertEquals([answer, await found("a")], [answer, 1]);
  }
});

Deno.test("IssuerKeys: a request that waits for a slow provider ends with the read", async () => {
  const { provider, found } = setUp();
  const { promise, reject } = Promise.withResolvers<string>();
  provider.answer = () => promise;
  const waiting = Promise.allSettled([found("a"), found("b")]);
  await settled();
  reject(new Error("no answer within 5000 ms"));
  assertEquals((await waiting).map(({ status }) => status), ["rejected", "rejected"]);
  assertEquals(provider.reads, 1);
});

Deno.test("usableKeys() leaves out keys that are no public keys for these algorithms, or too weak, large or odd", async () => {
  const good = await jwk("good");
  const { n } = await exportJWK(rsa);
  const bytes = (length: number) => new Uint8Array(length).fill(0xff).toBase64({ alphabet: "base64url" });
  const bad: [unknown, string][] = [
    [{ kty: "oct", k: "c2VjcmV0", kid: "good" }, "is not a public key"],
    [{ ...good, d: "AQAB" }, "is not a public key"],
    [{ ...good, use: "enc" }, "is not for signatures"],
    [{ ...good, crv: "secp256k1" }, "is neither RSA"],
    [{ ...good, crv: "__proto__" }, "is neither RSA"],
    [{ ...good, alg: "HS256" }, "is for none of the algorithms"],
    [{ ...good, alg: "none" }, "is for none of the algorithms"],
    [{ kty: "OKP", crv: "Ed25519", x: bytes(32) }, "is for none of the algorithms"],
    [{ kty: "RSA", n: bytes(128), e: "AQAB" }, "has 1024 bits"],
    [{ kty: "RSA", n: bytes(4_096), e: "AQAB" }, "has 32768 bits"],
    [{ kty: "RSA", n: "A".repeat(400) + bytes(128), e: "AQAB" }, "has 1024 bits"],
    [{ kty: "RSA", n: 7, e: "AQAB" }, "has 0 bits"],
    [{ kty: "RSA", n, e: "AQ" }, "has an unsafe exponent"],
    [{ kty: "RSA", n, e: "Aw" }, "has an unsafe exponent"],
    [{ kty: "RSA", n, e: "AQAA" }, "has an unsafe exponent"],
    [{ kty: "RSA", n, e: bytes(256) }, "has an unsafe exponent"],
    ["key", "is no object"],
    [null, "is no object"],
  ];
  for (const [key, words] of bad) {
    const { keys, leftOut } = usableKeys(setOf(key, good), ["ES256", "RS256"]);
    assertEquals(
      [keys.length, leftOut.length, leftOut[0].includes(words)],
      [1, 1, true],
      `${leftOut} / ${words}`,
    );
  }
  assertThrows(() => usableKeys(setOf(...Array(101).fill(good)), ["ES256"]), Error, "more than 100 keys");
  const { keys: [kept] } = usableKeys(setOf({ ...good, x5c: ["x".repeat(1_000)] }), ["ES256"]);
  assertEquals(Object.keys(kept).sort(), ["crv", "kid", "kty", "x", "y"]);
});

Deno.test("IssuerKeys tries each key of a kid that is there twice", async () => {
  const { provider, found } = setUp();
  const other = await generateKeyPair("ES256", { extractable: true });
  const text = setOf(await jwk("a"), await jwk("a", {}, other.publicKey), await jwk("b"));
  provider.answer = () => Promise.resolve(text);
  assertEquals([await found("a"), await found("b"), await found()], [2, 1, 3]);
});
