import { assertEquals } from "@std/assert";
import { Prng } from "../../../tests/support/prng.ts";
import { isGuessable, secretFault } from "./secret_quality.ts";

/** From ContextForge's quick start, guides, tests and CI, and from jwt.io. */
const SAMPLES = [
  "F4nRqW9kMpXzD1sVbYcL6eHjOuAtG2wC",
  "a-strong-enc-secret-that-is-long-enough-and-unique-xxxx",
  "a-strong-test-encryption-secret-32chars",
  "a-strong-test-secret-key-for-staging-32ch",
  "another-secure-test-secret-32-chars",
  "ci-playwright-smoke-auth-enc-secret-not-for-production",
  "ci-playwright-smoke-jwt-secret-not-for-production-use",
  "ci-rust-auth-encryption-secret-1234567890",
  "ci-rust-jwt-secret-DO-NOT-USE-IN-PRODUCTION-this-is-only-for-ci-pytest",
  "ci-test-enc-secret-DO-NOT-USE-IN-PRODUCTION-this-is-only-for-ci-pytest",
  "ci-test-jwt-secret-DO-NOT-USE-IN-PRODUCTION-this-is-only-for-ci-pytest",
  "ci-upgrade-validation-jwt-secret-DO-NOT-USE-IN-PRODUCTION",
  "coverage-test-auth-encryption-1234567890",
  "coverage-test-jwt-secret-key-1234567890",
  "doctest-enc-secret-DO-NOT-USE-IN-PRODUCTION-32plus",
  "doctest-jwt-secret-DO-NOT-USE-IN-PRODUCTION-32plus",
  "e2e-benchmark-secret-key-with-minimum-32-bytes",
  "e2e-search-jwt-secret-key-with-minimum-32-bytes",
  "e2e-test-jwt-secret-key-with-minimum-32-bytes",
  "eef5e9f70ca7fe6f9677ad2acaf4d32c55e9d98e9cb74299b33f5c5d1a3c8ef0",
  "integration-test-jwt-secret-key-with-minimum-32-bytes",
  "my-test-key-but-now-longer-than-32-bytes",
  "new-strong-key-that-is-long-enough-xxxxx",
  "same-value-you-set-in-fly-secrets",
  "secure-test-secret-32-characters-min",
  "strong-new-value-here-long-enough",
  "test-encryption-secret-32chars!!",
  "test-jwt-secret-DO-NOT-USE-IN-PRODUCTION-this-is-only-for-pytest-runs",
  "test-jwt-secret-key-with-minimum-32-bytes",
  "test-secret-key-for-testing-only",
  "test-secret-key-long-enough-32ch",
  "test-secret-key-with-minimum-32-bytes",
  "this-is-a-long-test-secret-key-32chars",
  "unit-test-jwt-secret-key-with-minimum-32-bytes",
  "x3Kp!mQ8rZvN2wLsA5dYfB7cEjGhTuIo",
  "<your-strong-jwt-key-at-least-32-chars>",
  "<your-strong-encryption-key-at-least-32-chars>",
  "a-string-secret-at-least-256-bits-long",
  "a-valid-string-secret-that-is-at-least-384-bits-long",
  "a-valid-string-secret-that-is-at-least-512-bits-long-which-is-very-long",
  "test-secret-key-for-unit-tests-only",
];

Deno.test("secretFault() refuses every published sample, in any case, and says how to make a secret", () => {
  for (const sample of [...SAMPLES, SAMPLES[0]!.toUpperCase()]) {
    const fault = "is a published sample, which everybody knows; make one by: openssl rand -base64 48";
    assertEquals([sample, secretFault(sample)], [sample, fault]);
  }
});

Deno.test("secretFault() refuses short secrets and placeholders", () => {
  const fault = "must be at least 32 characters, and not a placeholder; make one by: openssl rand -base64 48";
  for (const secret of ["", "x".repeat(31), "__REPLACE_ME__run_init-secrets_before_starting"]) {
    assertEquals(secretFault(secret), fault);
  }
  assertEquals(secretFault("x".repeat(32)), null);
});

Deno.test("isGuessable() finds words, sequences and repetitions", () => {
  const weak = [
    "x".repeat(64),
    "12345678901234567890123456789012",
    "0123456789abcdef0123456789abcdef",
    "qwertyuiopasdfghjklzxcvbnm123456",
    "abc123".repeat(8),
    "Hunter2Hunter2Hunter2Hunter2Hunter3",
    "changemechangemechangemechangeme1",
    "correct horse battery staple correct horse",
    "MyCompanySuperSecretProductionKey2024!",
    "thisismyverysecretkeyforthegateway",
    "dev-secret-key-change-in-production",
    "a secret of more than thirty-two bytes",
    "sluice-sluice-sluice-sluice-sluice",
  ];
  for (const secret of weak) assertEquals([secret, isGuessable(secret)], [secret, true]);
});

Deno.test("isGuessable() takes random secrets for random, in whatever alphabet", () => {
  const prng = new Prng(1);
  const random = (bytes: number) => prng.bytes(bytes);
  const uuid = () => [4, 2, 2, 2, 6].map((bytes) => random(bytes).toHex()).join("-");
  const kinds: Record<string, () => string> = {
    "openssl rand -base64 48": () => random(48).toBase64(),
    "openssl rand -base64 32": () => random(32).toBase64(),
    "openssl rand -hex 32": () => random(32).toHex(),
    "openssl rand -hex 16": () => random(16).toHex(),
    "a UUID": () => uuid(),
    "a UUID twice": () => uuid().repeat(2),
  };
  for (const [kind, make] of Object.entries(kinds)) {
    const guessable = Array.from({ length: 300 }, make).filter(isGuessable);
    assertEquals([kind, guessable], [kind, []]);
  }
});

Deno.test("isGuessable() judges a long secret in a moment, by its beginning", () => {
  assertEquals(isGuessable("ab".repeat(100_000)), true);
  assertEquals(isGuessable(new Prng(1).bytes(60_000).toBase64()), false);
});
