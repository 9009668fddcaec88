// Which replica has a session now: the one that its id names, or the one that took it over from that.
import { BoundedMap } from "../base/bounded_map.ts";
import type { Clock } from "../base/clock.ts";
import { SluiceError } from "../base/errors.ts";
import type { Cache } from "../cache/cache.ts";
import { ownerRecordKey, sessionRecordKey } from "../downstream/session/downstream_sessions.ts";
import type { SessionClaims } from "../downstream/session/session_id.ts";
import type { ReplicaDirectory } from "./replica_directory.ts";

/** `address` is null where the replica is this one. */
export interface SessionHome {
  readonly replica: number;
  readonly address: string | null;
}

export interface ReplicaSessionsOptions {
  readonly records: Pick<Cache, "get" | "compareAndSet">;
  readonly directory: Pick<ReplicaDirectory, "find">;
  readonly clock: Clock;
  /** This replica's number now. */
  readonly self: () => number;
  readonly onTakenOver: () => void;
}

const MAX_REMEMBERED = 10_000;

/** Each time somebody else has changed what was read before; so often in a row happens only when something is wrong. */
const MAX_TURNS = 8;

export class ReplicaSessions {
  readonly #options: ReplicaSessionsOptions;
  /** Sessions that were taken over -> by whom, as read last. */
  readonly #heirs = new BoundedMap<string, number>({ maxEntries: MAX_REMEMBERED });

  constructor(options: ReplicaSessionsOptions) {
    this.#options = options;
  }

  /**
   * Finds where the session is, and takes it over where its replica is gone: of several that try, one does.
   * @throws {SluiceError} SESSION_NOT_FOUND, REPLICA_UNREACHABLE, CACHE_UNAVAILABLE, STORE_UNAVAILABLE
   */
  async find({ name, replica, expiresAt }: SessionClaims): Promise<SessionHome> {
    const { records, directory, clock, self, onTakenOver } = this.#options;
    let owner = this.#heirs.get(name) ?? replica;
    for (let turn = 0; turn < MAX_TURNS; turn++) {
      if (owner === self()) return { replica: owner, address: null };
      const address = await directory.find(owner);
      if (address !== null) return { replica: owner, address };
      const recorded = await records.get(ownerRecordKey(name));
      if (recorded !== null && Number(recorded) !== owner) {
        owner = this.#remember(name, Number(recorded));
        continue;
      }
      if (await records.get(sessionRecordKey(name)) === null) throw new SluiceError("SESSION_NOT_FOUND");
      const heir = self();
      const ttlMs = expiresAt * 1000 - clock.now();
      if (await records.compareAndSet(ownerRecordKey(name), recorded, String(heir), ttlMs)) {
        onTakenOver();
        owner = this.#remember(name, heir);
      }
    }
    throw new SluiceError("REPLICA_UNREACHABLE", {}, { cause: `the session's owner changes all the time` });
  }

  #remember(name: string, heir: number): number {
    this.#heirs.set(name, heir);
    return heir;
  }
}
