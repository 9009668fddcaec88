// What an upstream's answers say of its era: does it speak 2026-07-28, or an older revision with `initialize`?
import { isError, type SluiceError } from "../../base/errors.ts";

/** The JSON-RPC errors that only 2026-07-28 has (basic, "Error Codes"). */
export const STATELESS_ERRORS = {
  headerMismatch: -32020,
  missingCapability: -32021,
  unsupportedVersion: -32022,
} as const;

const METHOD_NOT_FOUND = -32601;
const INVALID_PARAMS = -32602;

/**
 * A 2026-07-28 request was refused as by a server of an older revision, so it was not executed. -32000 to -32019 belong to
 * those; a modern server that speaks no version of ours may still speak an older one.
 * @param status HTTP's, of a refusal
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
 * `initialize` was refused as by a server that has no such method: UPSTREAM_REJECTED or UPSTREAM_HTTP_ERROR with `code`. Where no
 * HTTP status says so too, it may be any but those of older servers (2026-07-28, versioning, "Compatibility Matrix").
 */
export function isInitializeRefused(error: unknown): error is SluiceError {
  if (!isError(error, "UPSTREAM_REJECTED") && !isError(error, "UPSTREAM_HTTP_ERROR")) return false;
  const { code } = error.params;
  if (error.code === "UPSTREAM_REJECTED") return typeof code === "number" && !isSessionServersCode(code);
  // -32602: the claims are missing.
  return code === METHOD_NOT_FOUND || code === INVALID_PARAMS ||
    (Object.values(STATELESS_ERRORS) as unknown[]).includes(code);
}
