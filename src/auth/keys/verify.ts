// Verifies a token's signature with the keys of one issuer.
import {
  decodeProtectedHeader,
  errors as joseErrors,
  type JWTPayload,
  jwtVerify,
  type JWTVerifyOptions,
} from "jose";
import type { KeysFor } from "./public_keys.ts";

export interface VerifyingKeys {
  /** The algorithms that a token may have, whatever keys there are. */
  readonly algorithms: readonly string[];
  readonly keysFor: KeysFor;
}

/**
 * Verifies the signature, then the claims of `options`. The token's header names a key by `kid` alone: `jwk`, `jku` and `x5u` are
 * not read.
 * @throws {joseErrors.JOSEError} JOSEAlgNotAllowed, JWKSNoMatchingKey, JWSSignatureVerificationFailed, errors of the claims
 * @throws {TypeError} if the token has no readable header
 */
export async function verifyToken(
  token: string,
  { algorithms, keysFor }: VerifyingKeys,
  options: JWTVerifyOptions = {},
): Promise<JWTPayload> {
  const { alg, kid } = decodeProtectedHeader(token);
  const isReadable = typeof alg === "string" && (kid === undefined || typeof kid === "string");
  if (!isReadable) throw new joseErrors.JWSInvalid("the header has no alg, or a kid that is not a text");
  if (!algorithms.includes(alg)) throw new joseErrors.JOSEAlgNotAllowed();
  const keys = await keysFor({ alg, kid });
  if (keys.length === 0) throw new joseErrors.JWKSNoMatchingKey();
  for (const key of keys) {
    try {
      return (await jwtVerify(token, key, { ...options, algorithms: [alg] })).payload;
    } catch (error) {
      if (!(error instanceof joseErrors.JWSSignatureVerificationFailed)) throw error;
    }
  }
  throw new joseErrors.JWSSignatureVerificationFailed();
}
