// Interprets refusals: does an upstream speak 2026-07-28, or an older revision with `initialize`?
import { isError, type SluiceError } from "../../base/errors.ts";

/** The JSON-RPC error codes that only 2026-07-28 defines (basic, "Error Codes"). */
export const STATELESS_ERRORS = {
  headerMismatch: -32020,
  missingCapability: -32021,
  unsupportedVersion: -32022,
} as const;

const METHOD_NOT_FOUND = -32601;
const INVALID_PARAMS = -32602;

/**
 * Whether an older server refused a 2026-07-28 request, so that nothing was executed. Older servers use -32000 to -32019. A
 * 2026-07-28 server without a version of ours may still speak an older one.
 * @param status the HTTP status of the refusal
 */
export function isStatelessRefused(code: unknown, status: number | undefined): boolean {
  if (code === STATELESS_ERRORS.unsupportedVersion) return true;
  if (status !== 400 && status !== 404) return false;
  return typeof code === "number" && isSessionServersCode(code);
}

function isSessionServersCode(code: number): boolean {
  return code <= -32000 && code >= -32019;
}

/**
 * Whether `initialize` was refused by a server without that method: UPSTREAM_REJECTED or UPSTREAM_HTTP_ERROR with `code`.
 * Without an HTTP status, any code that older servers do not use counts (2026-07-28, versioning, "Compatibility Matrix").
 */
export function isInitializeRefused(error: unknown): error is SluiceError {
  if (!isError(error, "UPSTREAM_REJECTED") && !isError(error, "UPSTREAM_HTTP_ERROR")) return false;
  const { code } = error.params;
  if (error.code === "UPSTREAM_REJECTED") return typeof code === "number" && !isSessionServersCode(code);
  // -32602 means that the request's `_meta` claims are missing.
  return code === METHOD_NOT_FOUND || code === INVALID_PARAMS ||
    (Object.values(STATELESS_ERRORS) as unknown[]).includes(code);
}
