import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { createPublicKey, generateKeyPairSync } from "node:crypto";
import { decodeProtectedHeader, SignJWT } from "jose";
import { SluiceError } from "../../base/errors.ts";
import { KEY_PAIR_ALGORITHMS, type TokenAlgorithm } from "../../config/settings/token_keys.ts";
import {
  keysOfSecret,
  type OwnKeys,
  readOwnKeys,
  readTokenKeyPair,
  signToken,
  verifyingKeys,
} from "./own_keys.ts";
import { verifyToken } from "./verify.ts";

const PEM = {
  privateKeyEncoding: { type: "pkcs8", format: "pem" },
  publicKeyEncoding: { type: "spki", format: "pem" },
} as const;

interface KeyPair {
  readonly privateKey: string;
  readonly publicKey: string;
}

/** A pair as PEM texts. The types of node:crypto of some versions name key objects here. */
function pemPair(type: "rsa" | "ec" | "ed25519", options: Record<string, unknown> = {}): KeyPair {
  return generateKeyPairSync(type as "rsa", { ...options, ...PEM } as never) as unknown as KeyPair;
}

const rsa = (modulusLength: number) => pemPair("rsa", { modulusLength });
const RSA = rsa(2_048);
const curve = (namedCurve: string) => pemPair("ec", { namedCurve });
const ED25519 = pemPair("ed25519");
const PAIRS: Readonly<Record<string, KeyPair>> = {
  ES256: curve("P-256"),
  ES384: curve("P-384"),
  ES512: curve("P-521"),
  EdDSA: ED25519,
};

interface Files {
  readonly privateKey?: string;
  readonly publicKey?: string;
  readonly mode?: number;
}

/** Reads the pair from files. @returns the warnings too */
async function readPair(jwtAlgorithm: TokenAlgorithm, { privateKey, publicKey, mode = 0o600 }: Files) {
  const folder = await Deno.makeTempDir();
  try {
    const [jwtPrivateKeyPath, path] = [`${folder}/private.pem`, `${folder}/public.pem`];
    if (privateKey !== undefined) await Deno.writeTextFile(jwtPrivateKeyPath, privateKey, { mode });
    if (publicKey !== undefined) await Deno.writeTextFile(path, publicKey);
    const warnings: string[] = [];
    const jwtPublicKeyPath = publicKey === undefined ? null : path;
    const config = { jwtAlgorithm, jwtPrivateKeyPath, jwtPublicKeyPath };
    return { keys: await readTokenKeyPair(config, (warning) => warnings.push(warning)), warnings };
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

async function isAccepted(token: string, keys: OwnKeys): Promise<boolean> {
  return await verifyToken(token, verifyingKeys(keys)).then(() => true, () => false);
}

Deno.test("a key pair of each algorithm signs tokens that name their key, and verifies them", async () => {
  for (const algorithm of KEY_PAIR_ALGORITHMS) {
    const { keys, warnings } = await readPair(algorithm, PAIRS[algorithm] ?? RSA);
    const token = await signToken({ sub: "ann" }, keys);
    const { alg, kid } = decodeProtectedHeader(token);
    assertEquals([alg, kid, warnings], [algorithm, keys.publicKeys[0].kid, []]);
    assertEquals((await verifyToken(token, verifyingKeys(keys))).sub, "ann");
    const damaged = token.slice(0, -10) + (token.at(-10) === "A" ? "B" : "A") + token.slice(-9);
    assertEquals(await isAccepted(damaged, keys), false, algorithm);
  }
});

Deno.test("a key pair verifies tokens of other programs, under another kid or none, of its one algorithm", async () => {
  const { keys } = await readPair("RS256", RSA);
  const { importPKCS8 } = await import("jose");
  const sign = async (alg: string, kid?: string) =>
    await new SignJWT({ sub: "ann" }).setProtectedHeader({ alg, kid }).sign(
      await importPKCS8(RSA.privateKey, alg),
    );
  assertEquals([
    await isAccepted(await sign("RS256"), keys),
    await isAccepted(await sign("RS256", "mine"), keys),
  ], [
    true,
    true,
  ]);
  for (const alg of ["RS384", "PS256"]) assertEquals(await isAccepted(await sign(alg), keys), false, alg);
});

Deno.test("a public key is no HMAC secret, in none of its spellings, and a secret verifies no key pair's token", async () => {
  const { keys } = await readPair("RS256", RSA);
  const { publicKey } = RSA;
  const der = createPublicKey(publicKey).export({ type: "spki", format: "der" });
  const spellings = [
    publicKey,
    publicKey.trim(),
    JSON.stringify(keys.publicKeys[0]),
    der,
    keys.publicKeys[0].n!,
  ];
  for (const spelling of spellings) {
    const secret = typeof spelling === "string"
      ? new TextEncoder().encode(spelling)
      : new Uint8Array(spelling);
    for (const alg of ["HS256", "HS384", "HS512"]) {
      const forged = await new SignJWT({ sub: "ann" }).setProtectedHeader({ alg }).sign(secret);
      assertEquals(await isAccepted(forged, keys), false, `${alg} ${spelling}`);
    }
  }
  assertEquals(
    await isAccepted(await signToken({ sub: "ann" }, keys), keysOfSecret("HS256", "s".repeat(32))),
    false,
  );
});

Deno.test("a key that does not fit is refused with the file, the fault and the remedy", async () => {
  const small = rsa(1_024);
  const encrypted = generateKeyPairSync("ec", {
    namedCurve: "P-256",
    publicKeyEncoding: PEM.publicKeyEncoding,
    privateKeyEncoding: { ...PEM.privateKeyEncoding, cipher: "aes-256-cbc", passphrase: "hush" },
  });
  const rows: [TokenAlgorithm, Files, string][] = [
    ["RS256", {}, "there is no such file. Correct the path"],
    ["RS256", { privateKey: small.privateKey }, "the key has 1024 bits. An RSA key must have 2048 to 8192"],
    [
      "ES256",
      { privateKey: RSA.privateKey },
      "the key is for RS256, RS384, RS512, PS256, PS384, PS512, and JWT_ALGORITHM",
    ],
    [
      "RS256",
      { privateKey: ED25519.privateKey },
      "the key is for EdDSA, and JWT_ALGORITHM is RS256. Set JWT_ALGORITHM",
    ],
    ["ES256", { privateKey: PAIRS.ES384.privateKey }, "the key is for ES384"],
    ["ES256", { privateKey: curve("secp256k1").privateKey }, "neither RSA, nor on the curve P-256"],
    ["RS256", { privateKey: RSA.publicKey }, "holds no private key that can be used. Name a private key"],
    ["RS256", { privateKey: "hush" }, "holds no private key that can be used"],
    ["ES256", { privateKey: encrypted.privateKey }, "is encrypted. Decrypt it: openssl pkey"],
    ["RS256", { ...RSA, publicKey: rsa(2_048).publicKey }, "is not the public key of JWT_PRIVATE_KEY_PATH"],
    ["RS256", { ...RSA, publicKey: RSA.privateKey }, "holds no public key that can be used"],
  ];
  for (const [algorithm, files, words] of rows) {
    const error = await assertRejects(() => readPair(algorithm, files), SluiceError);
    assertEquals(error.code, "SETTINGS_INVALID");
    assertStringIncludes(error.message, words);
    assert(!error.message.includes("BEGIN"));
  }
  const unnamed = { jwtAlgorithm: "RS256", jwtPrivateKeyPath: null, jwtPublicKeyPath: null } as const;
  await assertRejects(() => readTokenKeyPair(unnamed, () => {}), SluiceError, "Set JWT_PRIVATE_KEY_PATH");
});

Deno.test("former keys verify, and sign nothing", async () => {
  const [jwtPrivateKeyPath, former, retired] = await Promise.all([1, 2, 3].map(() => Deno.makeTempFile()));
  try {
    await Deno.writeTextFile(jwtPrivateKeyPath, PAIRS.ES256.privateKey);
    await Deno.writeTextFile(former, RSA.publicKey);
    await Deno.writeTextFile(retired, RSA.privateKey);
    const secret = "s".repeat(32);
    const config = {
      ...{ jwtAlgorithm: "ES256", jwtPrivateKeyPath, jwtPublicKeyPath: null } as const,
      ...{ jwtSecretKeyPrevious: secret, jwtPublicKeyPathPrevious: former },
    };
    const keys = await readOwnKeys(config, null, () => {});
    assertEquals(decodeProtectedHeader(await signToken({}, keys)).alg, "ES256");
    const { keys: pair } = await readPair("PS384", RSA);
    const { keys: other } = await readPair("RS256", rsa(2_048));
    const tokens = [
      await signToken({}, keys),
      await signToken({}, pair),
      await signToken({}, keysOfSecret("HS512", secret)),
      await signToken({}, other),
      await signToken({}, keysOfSecret("HS256", "t".repeat(32))),
    ];
    const accepted = await Promise.all(tokens.map((token) => isAccepted(token, keys)));
    assertEquals(accepted, [true, true, true, false, false]);
    const secrets = { jwtSecretKey: "t".repeat(32), jwtSecretKeyPrevious: secret };
    const noSettings = { ...config, jwtAlgorithm: "HS256", jwtSecretKeyPrevious: null } as const;
    const rotated = await readOwnKeys({ ...noSettings, jwtPublicKeyPathPrevious: null }, secrets, () => {});
    assertEquals([await isAccepted(tokens[2], rotated), await isAccepted(tokens[4], rotated)], [true, true]);
    assertEquals([rotated.signing, decodeProtectedHeader(await signToken({}, rotated))], [
      "t".repeat(32),
      { alg: "HS256", typ: "JWT" },
    ]);
    // A key that signs does not belong beside keys that verify.
    const wrong = { ...config, jwtPublicKeyPathPrevious: retired };
    await assertRejects(() => readOwnKeys(wrong, null, () => {}), SluiceError, "holds no public key");
  } finally {
    for (const path of [jwtPrivateKeyPath, former, retired]) await Deno.remove(path);
  }
});

Deno.test("a private key that other users can read is warned of", async () => {
  const { warnings } = await readPair("RS256", { privateKey: RSA.privateKey, mode: 0o644 });
  assertEquals(warnings.length, 1);
  assertStringIncludes(warnings[0], "is open to other users (mode 644). Close it: chmod 600");
});
