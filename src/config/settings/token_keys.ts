// Settings of the keys that tokens are signed with.
import { SECRET } from "./secret_quality.ts";
import { oneOf, setting, text } from "./setting.ts";

/** HMAC with a secret (RFC 7518, section 3.2). */
export const SECRET_ALGORITHMS = ["HS256", "HS384", "HS512"] as const;

/** Signatures with a key pair (RFC 7518, sections 3.3 to 3.5; RFC 8037). */
export const KEY_PAIR_ALGORITHMS = [
  ...["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"] as const,
  ...["ES256", "ES384", "ES512", "EdDSA"] as const,
] as const;

export type TokenAlgorithm = (typeof SECRET_ALGORITHMS | typeof KEY_PAIR_ALGORITHMS)[number];

export const TOKEN_KEY_SETTINGS = [
  setting({
    name: "JWT_SECRET_KEY",
    kind: SECRET,
    default: null,
    scope: "replica",
    reloadable: false,
    secret: "value",
    isGenerated: true,
    state: "active",
    doc: "The key that signs tokens. Not set: the first start makes a random key and keeps it beside the " +
      "database. A published sample is refused; a key of words or sequences is warned of, and refused with " +
      "PostgreSQL or CACHE_TYPE=redis.",
  }),
  setting({
    name: "JWT_ALGORITHM",
    kind: oneOf([...SECRET_ALGORITHMS, ...KEY_PAIR_ALGORITHMS]),
    default: "HS256",
    scope: "replica",
    reloadable: false,
    state: "active",
    doc:
      "The signature algorithm that tokens must have. HS256, HS384 and HS512 sign with JWT_SECRET_KEY, the others " +
      "with JWT_PRIVATE_KEY_PATH.",
  }),
  setting({
    name: "JWT_PRIVATE_KEY_PATH",
    kind: text("a path", /./),
    default: null,
    scope: "replica",
    reloadable: false,
    state: "active",
    doc:
      "The private key that signs tokens, a PEM file without password. Its kind must fit JWT_ALGORITHM: RSA of 2,048 to " +
      "8,192 bits (RS*, PS*), P-256, P-384 or P-521 (ES256, ES384, ES512), or Ed25519 (EdDSA).",
  }),
  setting({
    name: "JWT_PUBLIC_KEY_PATH",
    kind: text("a path", /./),
    default: null,
    scope: "replica",
    reloadable: false,
    state: "active",
    doc:
      "The public key of JWT_PRIVATE_KEY_PATH, a PEM file. Not set: it follows from the private key. A key of another " +
      "pair stops the start.",
  }),
] as const;
