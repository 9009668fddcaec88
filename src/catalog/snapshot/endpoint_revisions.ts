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
  /** Whether `server/discover` is answered. Clients that ask it and are refused fall back to `initialize`. */
  readonly offersStateless: boolean;
  /**
   * Whether requests of 2026-07-28 are served. "auto" serves them even where it does not offer the revision: a client that has begun
   * so must not fail because somebody registers an upstream. The caller's state is kept all the same.
   */
  readonly servesStateless: boolean;
}

/** @param upstreams of the endpoint that are switched on */
export function endpointRevisions(
  offered: OfferedRevisions,
  upstreams: Iterable<GatewayRow>,
): EndpointRevisions {
  if (offered === "all") return { sessions: SESSION_REVISIONS, offersStateless: true, servesStateless: true };
  if (offered === "auto") {
    const offersStateless = [...upstreams].every(needsNoSession);
    return { sessions: SESSION_REVISIONS, offersStateless, servesStateless: true };
  }
  const isOffered = offered.includes(STATELESS_REVISION);
  const sessions = SESSION_REVISIONS.filter((revision) => offered.includes(revision));
  return { sessions, offersStateless: isOffered, servesStateless: isOffered };
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
