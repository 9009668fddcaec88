// The token of a caller that is exchanged for a token of an upstream.
import { createHash } from "node:crypto";
import { decodeJwt } from "jose";
import { SluiceError } from "../../../base/errors.ts";

export interface SubjectToken {
  readonly text: string;
  /** Nothing that was exchanged for the token is used later. ms since the epoch. */
  readonly endsAt: number;
  /** Names the caller, without telling who it is. */
  readonly caller: string;
  /** Names the caller and the token. */
  readonly owner: string;
}

/** A token without an end is exchanged again after this time. */
const ENDLESS_MS = 3_600_000;

/** Ten years. A database cannot hold every number that a token can name as its end. */
const MAX_LIFE_MS = 315_360_000_000;

/** @param text a token that the gateway has verified */
export function subjectToken(text: string, now: number): SubjectToken {
  const { iss, sub, exp } = decodeJwt(text);
  const caller = `exchange:${digest(JSON.stringify([iss, sub])).slice(0, 22)}`;
  return {
    text,
    endsAt: exp === undefined ? now + ENDLESS_MS : Math.min(Math.floor(exp * 1000), now + MAX_LIFE_MS),
    ...{ caller, owner: `${caller}:${digest(text)}` },
  };
}

export function missingToken(upstream: string): SluiceError {
  const reason =
    "this call has none that can be exchanged. Call with an access token of an issuer in JWT_ISSUERS";
  return new SluiceError("UPSTREAM_TOKEN_NEEDED", { upstream, reason });
}

export function endedToken(upstream: string): SluiceError {
  return new SluiceError("UPSTREAM_TOKEN_NEEDED", {
    upstream,
    reason: "yours has expired. Call with a new one",
  });
}

/** Answers of a token endpoint that are about the caller's token, or about what its owner may do (RFC 8693, section 2.2.2). */
const REFUSALS: ReadonlySet<string> = new Set([
  ...["invalid_request", "invalid_grant", "invalid_target", "invalid_scope"],
  ...["access_denied", "interaction_required", "login_required", "consent_required"],
]);

/** @param code of a token endpoint's error @returns null if the error concerns all callers */
export function refusedToken(upstream: string, code: string): SluiceError | null {
  if (!REFUSALS.has(code)) return null;
  const reason = `its authorization server does not exchange yours (${code}). ` +
    "Check its audience, and what the authorization server allows you there";
  return new SluiceError("UPSTREAM_TOKEN_NEEDED", { upstream, reason });
}

function digest(text: string): string {
  return createHash("sha256").update(text).digest("base64url");
}
