// How many sessions a caller and a worker may have. A session above a limit takes the place of an idle one: of the same caller, or
// of the caller with the most sessions.
import { callerKey } from "../../base/sharing/caller_identity.ts";
import { SluiceError } from "../../base/errors.ts";
import type { SessionOwner } from "./session_id.ts";

/** What the limits need of a session. */
export interface CountedSession {
  readonly owner: SessionOwner;
  readonly lastUsedAt: number;
  /** Has it a call under way, or an open stream? Such a session never gives up its place. */
  readonly isBusy: boolean;
}

export interface SessionLimitsOptions {
  /** MAX_SESSIONS_PER_CALLER */
  readonly perCaller: number;
  /** MAX_SESSIONS */
  readonly perWorker: number;
}

export class SessionLimits<S extends CountedSession> {
  readonly #options: SessionLimitsOptions;
  readonly #byCaller = new Map<string, Set<S>>();
  #size = 0;

  constructor(options: SessionLimitsOptions) {
    this.#options = options;
  }

  add(session: S): void {
    const caller = callerKey(session.owner);
    const own = this.#byCaller.get(caller);
    if (own === undefined) this.#byCaller.set(caller, new Set([session]));
    else own.add(session);
    this.#size++;
  }

  delete(session: S): void {
    const caller = callerKey(session.owner);
    const own = this.#byCaller.get(caller);
    if (own === undefined || !own.delete(session)) return;
    if (own.size === 0) this.#byCaller.delete(caller);
    this.#size--;
  }

  /**
   * The sessions that end so that this caller may have one more.
   * @throws {SluiceError} TOO_MANY_SESSIONS, OVERLOADED: none of them is idle
   */
  makeRoom(owner: SessionOwner): S[] {
    const { perCaller, perWorker } = this.#options;
    const ending: S[] = [];
    const end = (session: S) => {
      this.delete(session);
      ending.push(session);
    };
    const own = this.#byCaller.get(callerKey(owner));
    while (own !== undefined && own.size >= perCaller) {
      const oldest = leastRecentlyUsed(own);
      if (oldest === undefined) throw new SluiceError("TOO_MANY_SESSIONS", { limit: perCaller });
      end(oldest);
    }
    while (this.#size >= perWorker) {
      const oldest = this.#oldestOfGreediest();
      if (oldest === undefined) throw new SluiceError("OVERLOADED");
      end(oldest);
    }
    return ending;
  }

  #oldestOfGreediest(): S | undefined {
    const callers = [...this.#byCaller.values()].sort((a, b) => b.size - a.size);
    for (const own of callers) {
      const oldest = leastRecentlyUsed(own);
      if (oldest !== undefined) return oldest;
    }
    return undefined;
  }
}

function leastRecentlyUsed<S extends CountedSession>(sessions: Iterable<S>): S | undefined {
  let oldest: S | undefined;
  for (const session of sessions) {
    if (!session.isBusy && (oldest === undefined || session.lastUsedAt < oldest.lastUsedAt)) oldest = session;
  }
  return oldest;
}
