// What a failed exchange says of the upstream.
import { isError, SluiceError } from "../base/errors.ts";

/** Nothing answered at the address at all. */
export function isUnreachable(error: unknown): boolean {
  return isError(error, "UPSTREAM_CONNECT_FAILED") || isError(error, "UPSTREAM_TLS_FAILED") ||
    (isError(error, "UPSTREAM_TIMEOUT") && error.params.phase === "connect");
}

/** A failure that says nothing about the upstream: the call never left. */
export function isOurDoing(error: unknown): boolean {
  return isError(error, "HTTP_POOL_TIMEOUT") || isError(error, "EGRESS_DENIED");
}

/** A server's answer to a request that it wants a session for: 400 or 404 (2025-11-25, transports, "Session Management"). */
export function wantsHandshake(error: unknown): boolean {
  return isError(error, "UPSTREAM_HTTP_ERROR") &&
    (error.params.status === 400 || error.params.status === 404);
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
