// Room `keys`: the keys of tokens. A key verifies only signatures of its own kind, so that no header of a token can make one key pass
// for another: a public key is never an HMAC secret. Other rooms use `OwnKeys` and `KeysFor`.
//
// Public keys as JSON Web Keys (RFC 7517): which keys are acceptable, and which of them may have signed a token.
import {
  createLocalJWKSet,
  type CryptoKey,
  errors as joseErrors,
  type JWK,
  type JWTHeaderParameters,
} from "jose";

/** The keys that may have signed a token with this header; none: no such key is known. */
export type KeysFor = (header: JWTHeaderParameters) => Promise<readonly (CryptoKey | Uint8Array)[]>;

/** Signing with a smaller RSA key is not allowed (RFC 7518, section 3.3). Verifying takes time that grows with the size. */
const RSA_BITS = { min: 2_048, max: 8_192 };

/** NIST FIPS 186-5, section 5.4. A larger exponent than the usual 65537 only costs time. */
const RSA_EXPONENT = { min: 65_537, max: 2 ** 32 };

const CURVES: Readonly<Record<string, string>> = { "P-256": "ES256", "P-384": "ES384", "P-521": "ES512" };

/** The reason why tokens cannot be verified with this key, to follow "the key"; null: they can. */
export function keyFault(key: JWK): string | null {
  if (key.d !== undefined || key.k !== undefined || key.kty === "oct") return "is not a public key";
  if (algorithmsOf(key).length === 0) {
    return "is neither RSA, nor on the curve P-256, P-384, P-521 or Ed25519";
  }
  return key.kty === "RSA" ? rsaFault(key) : null;
}

/** The signature algorithms of a public key; none: its kind is not supported. */
export function algorithmsOf({ kty, crv }: JWK): readonly string[] {
  if (kty === "RSA") return ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"];
  if (kty === "EC" && Object.hasOwn(CURVES, crv ?? "")) return [CURVES[crv!]!];
  return kty === "OKP" && crv === "Ed25519" ? ["EdDSA"] : [];
}

function rsaFault({ n, e }: JWK): string | null {
  const modulus = numberOf(n);
  const bits = modulus === null ? 0 : modulus.length * 8 - Math.clz32(modulus[0] ?? 0) + 24;
  if (bits < RSA_BITS.min || bits > RSA_BITS.max) {
    return `has ${bits} bits. An RSA key must have ${RSA_BITS.min} to ${RSA_BITS.max}`;
  }
  const exponent = numberOf(e)?.reduce((value, byte) => value * 256 + byte, 0) ?? 0;
  const isUsual = exponent >= RSA_EXPONENT.min && exponent <= RSA_EXPONENT.max && exponent % 2 === 1;
  return isUsual ? null : "has an unsafe exponent. Use 65537";
}

/** The bytes of a number without leading zeros (RFC 7518, section 2); null: not a number. */
function numberOf(text: unknown): Uint8Array | null {
  if (typeof text !== "string") return null;
  try {
    const bytes = Uint8Array.fromBase64(text, { alphabet: "base64url" });
    return bytes.subarray(Math.max(0, bytes.findIndex((byte) => byte !== 0)));
  } catch {
    return null;
  }
}

/** Keys by the header's `alg` and `kid`. A header without `kid` finds every key that fits its algorithm. */
export function keySet(keys: readonly JWK[]): KeysFor {
  const find = createLocalJWKSet({ keys: [...keys] });
  return async (header) => {
    try {
      return [await find(header)];
    } catch (error) {
      if (error instanceof joseErrors.JWKSMultipleMatchingKeys) return await Array.fromAsync(error);
      if (error instanceof joseErrors.JWKSNoMatchingKey) return [];
      throw error;
    }
  };
}
