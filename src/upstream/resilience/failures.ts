// What a failed exchange says of the upstream.
import { isError, SluiceError } from "../../base/errors.ts";

/** Nothing answered at the address at all. */
export function isUnreachable(error: unknown): boolean {
  return isError(error, "UPSTREAM_CONNECT_FAILED") || isError(error, "UPSTREAM_TLS_FAILED") ||
    (isError(error, "UPSTREAM_TIMEOUT") && error.params.phase === "connect");
}

/** A failure that says nothing about the upstream: the call never left. */
export function isOurDoing(error: unknown): boolean {
  return isError(error, "HTTP_POOL_TIMEOUT") || isError(error, "EGRESS_DENIED");
}

/**
 * A server's answer to a request that it wants a session for: 400 or 404 (2025-11-25, transports, "Session Management"), or
 * none to our greeting.
 */
export function wantsHandshake(error: unknown): boolean {
  if (isUngreeted(error)) return true;
  return isError(error, "UPSTREAM_HTTP_ERROR") &&
    (error.params.status === 400 || error.params.status === 404);
}

/**
 * The failure of a greeting, marked as such: servers of an older revision refuse what they do not know, say nothing to it, or
 * end at it (2026-07-28, stdio, "Backward Compatibility"; some end at whatever comes before `initialize`). Refused credentials
 * and a 5xx are about something else.
 */
export function ungreeted(error: unknown): unknown {
  if (!(error instanceof SluiceError) || error.code === "UPSTREAM_AUTH_FAILED") return error;
  if (Number(error.params.status) >= 500) return error;
  return new SluiceError(error.code, { ...error.params, ungreeted: "yes" }, { cause: error });
}

/** The other side has not returned our greeting: its answer was another, or there was none. */
export function isUngreeted(error: unknown): boolean {
  return error instanceof SluiceError && error.params.ungreeted === "yes";
}

const REFUSALS: ReadonlySet<string> = new Set([
  "UPSTREAM_AUTH_FAILED",
  "UPSTREAM_HTTP_ERROR",
  "UPSTREAM_PROTOCOL_ERROR",
  "UPSTREAM_REJECTED",
  "EGRESS_DENIED",
  "COMMAND_DENIED",
]);

/** It would be the same another time: the upstream answered that it does not want this. A 5xx is no such word. */
export function isRefusal(error: unknown): boolean {
  return error instanceof SluiceError && REFUSALS.has(error.code) &&
    !(typeof error.params.status === "number" && error.params.status >= 500);
}

/** Does a failure to open a session speak against the upstream? A caller's credentials and our own limits do not. */
export function isBreakerFailure(error: unknown): boolean {
  if (!(error instanceof SluiceError) || error.row.source !== "upstream") return false;
  return error.code !== "UPSTREAM_AUTH_FAILED" && error.code !== "HTTP_POOL_TIMEOUT" &&
    error.code !== "STDIO_LIMIT_REACHED" && error.code !== "UPSTREAM_CIRCUIT_OPEN";
}
