// What a client is told that speaks a revision which we do not.
import { SluiceError } from "../../base/errors.ts";

/** `data` has the members that 2026-07-28 names ("Error Codes"). */
export function unsupportedRevision(requested: string, supported: readonly string[]): SluiceError {
  return new SluiceError("UNSUPPORTED_PROTOCOL_VERSION", {
    requested: requested.slice(0, 40),
    supported: supported.join(", "),
  }, { data: { supported, requested: requested.slice(0, 40) } });
}
