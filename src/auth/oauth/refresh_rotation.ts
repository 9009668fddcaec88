// Refresh tokens of one login: each works once, and one that is used again ends the login (RFC 9700, section 4.14.2).
import type { FormerToken, GrantRow } from "../../store/oauth/oauth_rows.ts";

/**
 * A refresh token that was used within this time is taken once more: the answer may have been lost, and programs that share their
 * tokens refresh at the same time.
 */
export const REUSE_GRACE_MS = 10_000;

type Tokens = Pick<GrantRow, "refreshHash" | "formerTokens">;

/** @param hash of the token that a client shows. @param now ms since the epoch */
export function refreshTokenState(
  hash: string,
  { refreshHash, formerTokens }: Tokens,
  now: number,
): "valid" | "unknown" | "reused" {
  if (hash === refreshHash) return "valid";
  const former = formerTokens.find((each) => each.hash === hash);
  if (former === undefined) return "unknown";
  return former.isUnused === true || now - former.usedAt < REUSE_GRACE_MS ? "valid" : "reused";
}

/**
 * The former tokens once a valid one is changed for a new one. A token that is taken twice has several successors, and the program that
 * shares them has kept any of them: all stay valid until one of them is used.
 */
export function formerTokensAfter(
  hash: string,
  { refreshHash, formerTokens }: Tokens,
  now: number,
): readonly FormerToken[] {
  const isTakenAgain = formerTokens.some((each) => each.hash === hash && each.isUnused !== true);
  if (isTakenAgain) return [{ hash: refreshHash, usedAt: now, isUnused: true }, ...formerTokens];
  const used = formerTokens.map((each) => each.isUnused === true ? { hash: each.hash, usedAt: now } : each);
  return [{ hash: refreshHash, usedAt: now }, ...used];
}
