// Which kinds of revisions an upstream is spoken to in: what discovery found, or what the operator decided.
import { isSessionRevision, STATELESS_REVISION } from "./revisions.ts";

export interface SpokenRevisions {
  /** The upstream is asked to `initialize`. */
  readonly sessions: boolean;
  /** The upstream takes requests of 2026-07-28. */
  readonly stateless: boolean;
}

/**
 * @param protocol the operator's decision: one revision, or "auto"
 * @param protocols the revisions that discovery found; none: not known yet, so `initialize` finds out
 */
export function spokenRevisions(
  { protocol, protocols }: { readonly protocol: string; readonly protocols: readonly string[] },
): SpokenRevisions {
  const all = protocol === "auto" ? protocols : [protocol];
  return {
    sessions: all.length === 0 || all.some(isSessionRevision),
    stateless: all.includes(STATELESS_REVISION),
  };
}
