// Why a client may not use an upstream, and what that means for its calls under way.
import { SluiceError } from "../../base/errors.ts";
import type { GatewayRow } from "../../store/registry/rows.ts";

/** `no endpoint`: the virtual server in the path is disabled, deleted or hidden from the caller. */
export type Barrier =
  | "no endpoint"
  | "it was deleted"
  | "it is switched off"
  | "it is being drained"
  | "the caller may not use it";

/** The barrier to an upstream for everybody. */
export function barrierForAll(
  { enabled, drainingSince }: Pick<GatewayRow, "enabled" | "drainingSince">,
): Barrier | null {
  if (enabled) return null;
  return drainingSince === null ? "it is switched off" : "it is being drained";
}

/** Whether calls under way have to end. An upstream that is being drained refuses only new ones. */
export function cutsOff(barrier: Barrier | null): barrier is Exclude<Barrier, "it is being drained"> {
  return barrier !== null && barrier !== "it is being drained";
}

/** @returns UPSTREAM_DISABLED or NOT_FOUND */
export function refusedBy(barrier: Barrier, upstream: string): SluiceError {
  return barrier === "no endpoint"
    ? new SluiceError("NOT_FOUND", { what: "Server" })
    : new SluiceError("UPSTREAM_DISABLED", { upstream, reason: barrier });
}
