// Settings of the keys that tokens are signed with: the gateway's own, and those of other issuers.
import * as z from "zod";
import { SECRET } from "./secret_quality.ts";
import { GROUP_MAPPING } from "./sso/group_mapping.ts";
import { jsonOf } from "./sso/json_text.ts";
import { oneOf, seconds, setting, text } from "./setting.ts";

/** HMAC with a secret (RFC 7518, section 3.2). */
export const SECRET_ALGORITHMS = ["HS256", "HS384", "HS512"] as const;

/** Signatures with a key pair (RFC 7518, sections 3.3 to 3.5; RFC 8037). */
export const KEY_PAIR_ALGORITHMS = [
  ...["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"] as const,
  ...["ES256", "ES384", "ES512", "EdDSA"] as const,
] as const;

export type TokenAlgorithm = (typeof SECRET_ALGORITHMS | typeof KEY_PAIR_ALGORITHMS)[number];

/** An identity provider whose tokens the gateway takes, and what their claims mean. */
const ISSUER = z.strictObject({
  /** The `iss` claim. */
  issuer: z.string().min(1),
  /** The address of the issuer's public keys, a JSON Web Key Set (RFC 7517, section 5). */
  jwks_uri: z.url({ protocol: /^https?$/, error: "must be an https address" }),
  /** The `aud` claim, or several of which a token needs one. */
  audience: z.union([z.string().min(1), z.array(z.string().min(1)).min(1)]),
  algorithms: z.array(z.enum(KEY_PAIR_ALGORITHMS)).min(1).default(["RS256"]),
  /** Clients log in there: the metadata of the MCP endpoints name the issuer (RFC 9728). */
  authorization_server: z.boolean().default(false),
  /** What clients ask for there (RFC 6749, section 3.3), where the gateway's own authorization server is off. */
  scopes: z.array(z.string().regex(/^[\x21\x23-\x5b\x5d-\x7e]+$/, "must be scopes without spaces or quotes"))
    .default([]),
  /** Keys may come over plain HTTP. */
  allow_http: z.boolean().default(false),
  email_claim: z.string().min(1).default("email"),
  /** Tokens need an id (`jti`). Absent: REQUIRE_JTI decides. */
  require_jti: z.boolean().optional(),
  /** The email address counts also without `email_verified`. */
  trust_email: z.boolean().default(false),
  ...GROUP_MAPPING,
});

export type TokenIssuer = z.infer<typeof ISSUER>;

const ISSUERS = jsonOf(
  "a JSON array of issuers, each with issuer, jwks_uri and audience",
  z.array(ISSUER),
  (issuers) => {
    const names = issuers.map(({ issuer }) => issuer);
    const twice = names.find((name, index) => names.indexOf(name) !== index);
    if (twice !== undefined) return `has the issuer ${twice} twice`;
    const plain = issuers.find(({ jwks_uri, allow_http }) => !allow_http && !/^https:/i.test(jwks_uri));
    if (plain === undefined) return null;
    return `has a jwks_uri without https for ${plain.issuer}; "allow_http": true would allow it`;
  },
);

export const TOKEN_KEY_SETTINGS = [
  setting({
    name: "JWT_SECRET_KEY",
    kind: SECRET,
    default: null,
    scope: "replica",
    reloadable: true,
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
      "8,192 bits (RS*, PS*), P-256, P-384 or P-521 (ES256, ES384, ES512), or Ed25519 (EdDSA). SIGHUP reads the file again; " +
      "another name needs a restart.",
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
  setting({
    name: "JWT_SECRET_KEY_PREVIOUS",
    kind: SECRET,
    default: null,
    scope: "replica",
    reloadable: true,
    secret: "value",
    state: "active",
    doc:
      "A former JWT_SECRET_KEY. Its tokens stay valid until they expire; new ones are not signed with it. " +
      "`sluice keys rotate` keeps it beside the database.",
  }),
  setting({
    name: "JWT_PUBLIC_KEY_PATH_PREVIOUS",
    kind: text("a path", /./),
    default: null,
    scope: "replica",
    reloadable: false,
    state: "active",
    doc:
      "The public key of a former JWT_PRIVATE_KEY_PATH, a PEM file. Its tokens stay valid until they expire.",
  }),
] as const;

export const TOKEN_ISSUER_SETTINGS = [
  setting({
    name: "JWT_ISSUERS",
    kind: ISSUERS,
    default: "[]",
    scope: "replica",
    reloadable: true,
    state: "active",
    doc:
      "Identity providers whose tokens are taken besides the gateway's own, as a JSON array. Each has issuer, jwks_uri " +
      "and audience; algorithms, email_claim, trust_email, groups_claim, teams, roles, admin_groups, require_jti, " +
      "allow_http, authorization_server and scopes can " +
      "be left out.",
  }),
  setting({
    name: "JWKS_CACHE_TTL",
    kind: seconds({ min: 10 }),
    default: "3600",
    scope: "worker",
    reloadable: true,
    state: "active",
    doc:
      "Seconds after which the keys of an issuer are read again. A token with an unknown key has them read at once, " +
      "at most every 10 s.",
  }),
  setting({
    name: "JWKS_GRACE",
    kind: seconds({ min: 0 }),
    default: "86400",
    scope: "worker",
    reloadable: true,
    state: "active",
    doc: "Seconds for which the keys of an issuer are used beyond JWKS_CACHE_TTL while they cannot be read.",
  }),
  setting({
    name: "JWKS_TIMEOUT",
    kind: seconds({ min: 0.1, max: 60 }),
    default: "5",
    scope: "worker",
    reloadable: true,
    state: "active",
    doc: "Longest time to read the keys of an issuer. A request that needs them waits as long.",
  }),
] as const;
