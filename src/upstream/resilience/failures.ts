// Classification of failed exchanges: what a failure says about the upstream.
import { isError, SluiceError } from "../../base/errors.ts";

/** No connection to the upstream could be opened. */
export function isUnreachable(error: unknown): boolean {
  return isError(error, "UPSTREAM_CONNECT_FAILED") || isError(error, "UPSTREAM_TLS_FAILED") ||
    (isError(error, "UPSTREAM_TIMEOUT") && error.params.phase === "connect");
}

/** The call did not leave the gateway, or the gateway ended it: the failure says nothing about the upstream. */
export function isOurDoing(error: unknown): boolean {
  return isError(error, "HTTP_POOL_TIMEOUT") || isError(error, "EGRESS_DENIED") ||
    isError(error, "UPSTREAM_DISABLED") || isError(error, "CLIENT_MEMORY_FULL") ||
    isError(error, "TOO_MANY_STREAMS_OF_CALLER") || isError(error, "UPSTREAM_LOGIN_NEEDED") ||
    isError(error, "UPSTREAM_TOKEN_NEEDED");
}

/**
 * The upstream may want a handshake first: it answered a request without a session by 400 or 404 (2025-11-25, transports,
 * "Session Management"), or it did not accept the greeting.
 */
export function wantsHandshake(error: unknown): boolean {
  if (isUngreeted(error)) return true;
  return isError(error, "UPSTREAM_HTTP_ERROR") &&
    (error.params.status === 400 || error.params.status === 404);
}

/**
 * Marks the failure of a greeting. A server of an older revision refuses an unknown method, does not answer it, or ends
 * (2026-07-28, stdio, "Backward Compatibility"; some servers end at any message before `initialize`). Refused credentials and
 * a 5xx have other causes, and are not marked.
 */
export function ungreeted(error: unknown): unknown {
  if (!(error instanceof SluiceError)) return error;
  if (error.code === "UPSTREAM_AUTH_FAILED" || isOurDoing(error)) return error;
  if (Number(error.params.status) >= 500) return error;
  return new SluiceError(error.code, { ...error.params, ungreeted: "yes" }, { cause: error });
}

/** The upstream did not accept the greeting: it answered by something else, or not at all. */
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

/** The upstream refused the request, and would refuse it again. A 5xx is not a refusal. */
export function isRefusal(error: unknown): boolean {
  return error instanceof SluiceError && REFUSALS.has(error.code) &&
    !(typeof error.params.status === "number" && error.params.status >= 500);
}

/** Whether a failure to open a session counts for the circuit breaker. Logins, a caller's credentials and the gateway's limits do not. */
export function isBreakerFailure(error: unknown): boolean {
  if (!(error instanceof SluiceError) || error.row.source !== "upstream") return false;
  return error.code !== "UPSTREAM_AUTH_FAILED" && error.code !== "HTTP_POOL_TIMEOUT" &&
    error.code !== "STDIO_LIMIT_REACHED" && error.code !== "UPSTREAM_CIRCUIT_OPEN" &&
    error.code !== "UPSTREAM_DISABLED" && error.code !== "UPSTREAM_LOGIN_FAILED";
}
