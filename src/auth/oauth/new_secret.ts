// Secrets that the authorization server hands out: codes, refresh tokens and clients' secrets. The database has their hashes.

/** 256 random bits, as 43 characters for addresses and headers. */
export function newSecret(): string {
  return crypto.getRandomValues(new Uint8Array(32)).toBase64({ alphabet: "base64url", omitPadding: true });
}
