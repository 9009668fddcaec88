// The keys of the gateway's own tokens: a secret, or a key pair from files.
import { createPrivateKey, createPublicKey, type KeyObject } from "node:crypto";
import { calculateJwkThumbprint, importPKCS8, type JWK, type JWTPayload, SignJWT } from "jose";
import { SluiceError } from "../../base/errors.ts";
import { readFault } from "../../base/file_error.ts";
import type { Config } from "../../config/schema.ts";
import type { SECRET_ALGORITHMS as CONFIGURABLE, TokenAlgorithm } from "../../config/settings/token_keys.ts";
import { algorithmsOf, keyFault, keySet } from "./public_keys.ts";
import type { VerifyingKeys } from "./verify.ts";

/** The same list as of the settings, which the type checks: the module there loads zod, which takes megabytes in each worker. */
const SECRET_ALGORITHMS: typeof CONFIGURABLE = ["HS256", "HS384", "HS512"];

/** Plain data, so that it passes to workers. */
export interface OwnKeys {
  /** The algorithm of the tokens that the gateway signs (JWT_ALGORITHM). */
  readonly algorithm: TokenAlgorithm;
  /** A secret, or a private key (PKCS#8, PEM). */
  readonly signing: string;
  /** The secrets that verify, each with its algorithms. */
  readonly secrets: readonly { readonly secret: string; readonly algorithms: readonly string[] }[];
  /** The public keys that verify. Each has a `kid`; a key without `alg` verifies all algorithms of its kind. */
  readonly publicKeys: readonly JWK[];
}

/** The secrets of tokens, from settings or from the file beside the database. */
export interface TokenSecrets {
  readonly jwtSecretKey: string;
  readonly jwtSecretKeyPrevious: string | null;
}

type KeyPairConfig = Pick<Config, "jwtAlgorithm" | "jwtPrivateKeyPath" | "jwtPublicKeyPath">;
type OwnKeysConfig = KeyPairConfig & Pick<Config, "jwtSecretKeyPrevious" | "jwtPublicKeyPathPrevious">;

/** Does the gateway sign with a key pair, and not with JWT_SECRET_KEY? */
export function usesKeyPair({ jwtAlgorithm }: Pick<Config, "jwtAlgorithm">): boolean {
  return !isSecretAlgorithm(jwtAlgorithm);
}

export function keysOfSecret(algorithm: TokenAlgorithm, secret: string): OwnKeys {
  return { algorithm, signing: secret, secrets: [{ secret, algorithms: [algorithm] }], publicKeys: [] };
}

/**
 * The keys of the settings: the current one, and the former ones whose tokens stay valid.
 * @param secrets null: JWT_ALGORITHM signs with a key pair
 * @param warn receives a sentence about a private key that other users can read
 * @throws {SluiceError} SETTINGS_INVALID with the file and its fault, never with its content
 */
export async function readOwnKeys(
  config: OwnKeysConfig,
  secrets: TokenSecrets | null,
  warn: (warning: string) => void,
): Promise<OwnKeys> {
  const current = secrets === null
    ? await readTokenKeyPair(config, warn)
    : keysOfSecret(config.jwtAlgorithm, secrets.jwtSecretKey);
  const secret = config.jwtSecretKeyPrevious ?? secrets?.jwtSecretKeyPrevious ?? null;
  const path = config.jwtPublicKeyPathPrevious;
  return {
    ...current,
    secrets: [...current.secrets, ...(secret === null ? [] : [{ secret, algorithms: SECRET_ALGORITHMS }])],
    publicKeys: [...current.publicKeys, ...(path === null ? [] : [await readFormerPublicKey(path)])],
  };
}

async function readFormerPublicKey(path: string): Promise<JWK> {
  const setting = "JWT_PUBLIC_KEY_PATH_PREVIOUS";
  const jwk = publicJwkOf(parse(createPublicKey, setting, path, await read(setting, path)));
  const fault = keyFault(jwk);
  if (fault !== null) throw invalid(`${setting} ${path}: the key ${fault}`);
  return { ...jwk, kid: await calculateJwkThumbprint(jwk) };
}

/**
 * Reads and checks the key pair of JWT_ALGORITHM.
 * @param warn receives a sentence about a private key that other users can read
 * @throws {SluiceError} SETTINGS_INVALID with the file and its fault, never with its content
 */
export async function readTokenKeyPair(
  config: KeyPairConfig,
  warn: (warning: string) => void,
): Promise<OwnKeys> {
  const { jwtAlgorithm: algorithm, jwtPrivateKeyPath: path, jwtPublicKeyPath: publicPath } = config;
  if (path === null) {
    throw invalid(`JWT_ALGORITHM=${algorithm} signs with a key pair. Set JWT_PRIVATE_KEY_PATH`);
  }
  const privateKey = parse(
    createPrivateKey,
    "JWT_PRIVATE_KEY_PATH",
    path,
    await read("JWT_PRIVATE_KEY_PATH", path),
  );
  const jwk = publicJwkOf(createPublicKey(privateKey));
  const fault = keyFault(jwk);
  if (fault !== null) throw invalid(`JWT_PRIVATE_KEY_PATH ${path}: the key ${fault}`);
  if (!algorithmsOf(jwk).includes(algorithm)) {
    throw invalid(
      `JWT_PRIVATE_KEY_PATH ${path}: the key is for ${algorithmsOf(jwk).join(", ")}, and JWT_ALGORITHM is ` +
        `${algorithm}. Set JWT_ALGORITHM to an algorithm of the key, or name another key`,
    );
  }
  if (publicPath !== null) {
    const given = parse(
      createPublicKey,
      "JWT_PUBLIC_KEY_PATH",
      publicPath,
      await read("JWT_PUBLIC_KEY_PATH", publicPath),
    );
    if (await calculateJwkThumbprint(publicJwkOf(given)) !== await calculateJwkThumbprint(jwk)) {
      throw invalid(
        `JWT_PUBLIC_KEY_PATH ${publicPath} is not the public key of JWT_PRIVATE_KEY_PATH ${path}. Name the keys of one ` +
          "pair, or leave JWT_PUBLIC_KEY_PATH out",
      );
    }
  }
  const { mode } = await Deno.stat(path);
  if (mode !== null && (mode & 0o077) !== 0) {
    warn(
      `JWT_PRIVATE_KEY_PATH ${path} is open to other users (mode ${
        (mode & 0o777).toString(8)
      }). Close it: chmod 600 ${path}`,
    );
  }
  return {
    algorithm,
    signing: String(privateKey.export({ type: "pkcs8", format: "pem" })),
    secrets: [],
    publicKeys: [{ ...jwk, alg: algorithm, kid: await calculateJwkThumbprint(jwk) }],
  };
}

/** A signed token. Tokens of a key pair name their key (`kid`, its thumbprint of RFC 7638). @param type the header's `typ` */
export async function signToken(
  claims: JWTPayload,
  { algorithm, signing, publicKeys }: OwnKeys,
  type = "JWT",
): Promise<string> {
  const isSecret = isSecretAlgorithm(algorithm);
  const kid = isSecret ? undefined : publicKeys[0].kid;
  const header = { alg: algorithm, typ: type, ...(kid === undefined ? {} : { kid }) };
  const key = isSecret ? new TextEncoder().encode(signing) : await importPKCS8(signing, algorithm);
  return await new SignJWT(claims).setProtectedHeader(header).sign(key);
}

/** Other programs may sign with the same keys under a `kid` of their own, or without one, as ContextForge does. */
export function verifyingKeys({ secrets, publicKeys }: OwnKeys): VerifyingKeys {
  const encoder = new TextEncoder();
  const bytes = secrets.map(({ secret, algorithms }) => ({ key: encoder.encode(secret), algorithms }));
  const find = keySet(publicKeys);
  const kids = new Set(publicKeys.map(({ kid }) => kid));
  return {
    algorithms: [
      ...new Set([
        ...secrets.flatMap(({ algorithms }) => algorithms),
        ...publicKeys.flatMap((key) => key.alg === undefined ? algorithmsOf(key) : [key.alg]),
      ]),
    ],
    keysFor: ({ alg, kid }) => {
      if (isSecretAlgorithm(alg)) {
        return Promise.resolve(
          bytes.filter(({ algorithms }) => algorithms.includes(alg)).map(({ key }) => key),
        );
      }
      return find({ alg, ...(kids.has(kid) ? { kid } : {}) });
    },
  };
}

function isSecretAlgorithm(algorithm: string): boolean {
  return (SECRET_ALGORITHMS as readonly string[]).includes(algorithm);
}

function publicJwkOf(key: KeyObject): JWK {
  return key.export({ format: "jwk" }) as JWK;
}

async function read(setting: string, path: string): Promise<string> {
  try {
    return await Deno.readTextFile(path);
  } catch (cause) {
    throw invalid(`${setting} ${path} cannot be read: ${readFault(cause)}`, cause);
  }
}

function parse(make: (pem: string) => KeyObject, setting: string, path: string, pem: string): KeyObject {
  const kind = make === createPublicKey ? "PUBLIC" : "PRIVATE";
  if (/-----BEGIN ENCRYPTED PRIVATE KEY-----|^Proc-Type: 4,ENCRYPTED/m.test(pem)) {
    throw invalid(`${setting} ${path} is encrypted. Decrypt it: openssl pkey -in ${path}`);
  }
  try {
    // A public key also follows from a private one, which does not belong into a file for everybody.
    if (!new RegExp(`-----BEGIN (\\w+ )*${kind} KEY-----`).test(pem)) {
      throw new TypeError("another kind of file");
    }
    return make(pem);
  } catch (cause) {
    const words = kind.toLowerCase();
    throw invalid(
      `${setting} ${path} holds no ${words} key that can be used. Name a ${words} key in PEM format`,
      cause,
    );
  }
}

function invalid(mistake: string, cause?: unknown): SluiceError {
  return new SluiceError("SETTINGS_INVALID", { mistakes: mistake }, { data: [mistake], cause });
}
