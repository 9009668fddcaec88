// Decides whose state a call may meet at an upstream. A server of 2026-07-28 in a process has tenants too: no session says what
// belongs together, and it may be written for one user all the same.
import type { Caller, IdentityHasher } from "../pool/session_key.ts";
import type { ReceivedHeaders } from "../client/passthrough.ts";
import type { HeaderList } from "../transport/transport.ts";
import type { Isolation } from "../../store/registry/rows.ts";
import type { BoundSessions } from "./bound_sessions.ts";

/** The part of a call that says who makes it. */
interface Calling {
  readonly bound: BoundSessions | null;
  readonly token: Caller["token"];
  readonly received: ReceivedHeaders;
}

/** The tenant of everybody, by the operator's decision. */
export const EVERYBODY = "";

export class Tenants {
  readonly #isolation: Isolation;
  readonly #identities: IdentityHasher;

  constructor(isolation: Isolation, identities: IdentityHasher) {
    this.#isolation = isolation;
    this.#identities = identities;
  }

  /** Two calls may meet the same session, process or socket if and only if their tenants are equal. */
  of({ bound, token, received }: Calling, passed: HeaderList): string {
    if (this.#isolation === "shared") return EVERYBODY;
    if (bound !== null && this.#isolation === "session") return bound.tenant;
    return `caller ${this.#identities.identify({ token, received, passed })}`;
  }

  /** The tenant of a client with a session, where nothing else is known of it. */
  ofSession(bound: BoundSessions): string {
    return this.#isolation === "shared" ? EVERYBODY : bound.tenant;
  }
}
