// The id of a token, its claim `jti`. A token is revoked by its id, so the verifier accepts the same ids as the REST API and the
// command line.

export const TOKEN_ID_RULE = "1 to 255 characters, without control characters and without blanks at the ends";

const MAX_LENGTH = 255;

/** Can a token have this id, and can the token be revoked by it? */
export function isTokenId(value: unknown): value is string {
  return typeof value === "string" && value.length >= 1 && value.length <= MAX_LENGTH &&
    // Databases and URLs cannot hold half a surrogate pair, and a URL loses a path segment of dots.
    value.isWellFormed() && !/\p{Cc}|^\.{1,2}$/u.test(value) && value === value.trim();
}
