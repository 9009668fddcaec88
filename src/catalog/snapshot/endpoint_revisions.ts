// The revisions that an endpoint offers to clients. Computed once per catalog, so that no request pays for it.
import {
  isSessionRevision,
  SESSION_REVISIONS,
  type SessionRevision,
  STATELESS_REVISION,
} from "../../mcp/revisions.ts";
import { spokenRevisions } from "../../mcp/spoken_revisions.ts";
import type { GatewayRow, OfferedRevisions } from "../../store/registry/rows.ts";

export interface EndpointRevisions {
  /** Those that `initialize` negotiates, newest first; empty: it is refused. */
  readonly sessions: readonly SessionRevision[];
  /**
   * Whether requests of 2026-07-28 are served. A refused client learns the offered revisions from the error, and falls back to
   * `initialize` (2026-07-28, basic, "Version Negotiation").
   */
  readonly stateless: boolean;
}

/** @param upstreams of the endpoint that are switched on */
export function endpointRevisions(
  offered: OfferedRevisions,
  upstreams: Iterable<GatewayRow>,
): EndpointRevisions {
  if (offered === "all") return { sessions: SESSION_REVISIONS, stateless: true };
  if (offered === "auto") {
    return { sessions: SESSION_REVISIONS, stateless: [...upstreams].every(needsNoSession) };
  }
  const sessions = SESSION_REVISIONS.filter((revision) => offered.includes(revision));
  return { sessions, stateless: offered.includes(STATELESS_REVISION) };
}

/** The revision for a client that asks for `requested`: that one, else the newest offered one; null: none is offered. */
export function negotiated(
  { sessions }: EndpointRevisions,
  requested: string,
): SessionRevision | null {
  if (isSessionRevision(requested) && sessions.includes(requested)) return requested;
  return sessions[0] ?? null;
}

/** Whether a client of 2026-07-28 loses nothing at this upstream: it speaks the revision, keeps no state, or keeps everybody's. */
function needsNoSession(gateway: GatewayRow): boolean {
  const { sessions, stateless } = spokenRevisions(gateway);
  return stateless || gateway.isolation === "shared" || (sessions && gateway.stateful === false);
}
