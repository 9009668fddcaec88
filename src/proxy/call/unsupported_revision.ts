// The errors for a client that asks for a protocol revision that it cannot have.
import { SluiceError } from "../../base/errors.ts";

/** The revision is none of ours, or not for this method. `data` has the members that 2026-07-28 requires ("Error Codes"). */
export function unsupportedRevision(requested: string, supported: readonly string[]): SluiceError {
  return refusal("UNSUPPORTED_PROTOCOL_VERSION", requested, supported);
}

/** The endpoint offers only revisions with sessions, which `data` lists. */
export function notOffered(requested: string, supported: readonly string[]): SluiceError {
  return refusal("SESSION_REQUIRED", requested, supported);
}

function refusal(
  code: "UNSUPPORTED_PROTOCOL_VERSION" | "SESSION_REQUIRED",
  asked: string,
  supported: readonly string[],
): SluiceError {
  const requested = asked.slice(0, 40);
  return new SluiceError(code, { requested, supported: supported.join(", ") }, {
    data: { supported, requested },
  });
}
