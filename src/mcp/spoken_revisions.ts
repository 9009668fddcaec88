// Which kinds of revisions an upstream is spoken to in: what discovery found, or what the operator decided.
import { isSessionRevision, STATELESS_REVISION } from "./revisions.ts";

export interface SpokenRevisions {
  /** The upstream is asked to `initialize`. */
  readonly sessions: boolean;
  /** The upstream takes requests of 2026-07-28. */
  readonly stateless: boolean;
}

/** The fields of a registered upstream that decide it. */
export interface SpeakingUpstream {
  /** The operator's decision: one revision, or "auto". */
  readonly protocol: string;
  /** The revisions that discovery found; none: not known yet, so `initialize` finds out. */
  readonly protocols: readonly string[];
  readonly transport: string;
  readonly isolation: string;
}

export function spokenRevisions(
  { protocol, protocols, transport, isolation }: SpeakingUpstream,
): SpokenRevisions {
  const all = protocol === "auto" ? protocols : [protocol];
  const sessions = all.length === 0 || all.some(isSessionRevision);
  // A process or socket serves one kind. Several clients that are to share one are therefore served in one kind.
  const isOne = transport !== "STREAMABLEHTTP" && isolation !== "session";
  return { sessions, stateless: all.includes(STATELESS_REVISION) && !(isOne && sessions) };
}
