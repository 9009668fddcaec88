// The error for a client that asks for an unsupported protocol revision.
import { SluiceError } from "../../base/errors.ts";

/** `data` has the members that 2026-07-28 requires ("Error Codes"). */
export function unsupportedRevision(requested: string, supported: readonly string[]): SluiceError {
  return new SluiceError("UNSUPPORTED_PROTOCOL_VERSION", {
    requested: requested.slice(0, 40),
    supported: supported.join(", "),
  }, { data: { supported, requested: requested.slice(0, 40) } });
}
