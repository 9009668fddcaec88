// What a client is told that speaks a revision which we do not.
import { SluiceError } from "../base/errors.ts";
import { LEGACY_REVISIONS, MODERN_REVISION } from "../mcp/revisions.ts";

/** `data` has the members that 2026-07-28 names ("Error Codes"). */
export function unsupportedRevision(requested: string): SluiceError {
  const supported = [MODERN_REVISION, ...LEGACY_REVISIONS];
  return new SluiceError("UNSUPPORTED_PROTOCOL_VERSION", {
    requested: requested.slice(0, 40),
    supported: supported.join(", "),
  }, { data: { supported, requested: requested.slice(0, 40) } });
}
