// Decides whose state a call uses at an upstream that keeps state in a process or socket without telling so. Such a server speaks
// 2026-07-28, where no session says what belongs together. It may be written for one user all the same.
import type { Caller, IdentityHasher } from "../pool/session_key.ts";
import type { ReceivedHeaders } from "../client/passthrough.ts";
import type { HeaderList } from "../transport/transport.ts";
import type { BoundSessions } from "./bound_sessions.ts";
import type { UpstreamProfile } from "./upstream_parts.ts";

/** The part of a call that says who makes it. */
interface Calling {
  readonly bound: BoundSessions | null;
  readonly token: Caller["token"];
  readonly received: ReceivedHeaders;
}

/** The tenant of everybody, by the operator's decision. */
const EVERYBODY = "";

export class Tenants {
  readonly #isShared: boolean;
  readonly #identities: IdentityHasher;

  constructor({ sessionMode }: Pick<UpstreamProfile, "sessionMode">, identities: IdentityHasher) {
    this.#isShared = sessionMode === "shared";
    this.#identities = identities;
  }

  /** Two calls may meet the same process or socket if and only if their tenants are equal. */
  of({ bound, token, received }: Calling, passed: HeaderList): string {
    if (bound !== null) return this.ofSession(bound);
    return this.#isShared ? EVERYBODY : `caller ${this.#identities.identify({ token, received, passed })}`;
  }

  /** The tenant of a client with a session. */
  ofSession(bound: BoundSessions): string {
    return this.#isShared ? EVERYBODY : bound.tenant;
  }
}
