// The replica that owns a session: the one that the session's id names, or the one that took the session over.
import { BoundedMap } from "../base/bounded_map.ts";
import type { Clock } from "../base/clock.ts";
import { SluiceError } from "../base/errors.ts";
import type { Cache } from "../cache/cache.ts";
import { ownerRecordKey, sessionRecordKey } from "../downstream/session/downstream_sessions.ts";
import type { SessionClaims } from "../downstream/session/session_id.ts";
import type { ReplicaDirectory } from "./replica_directory.ts";
import type { ReplicaNumber } from "./replica_number.ts";

/** A replica's number and address; the address of this replica is null. */
export interface SessionHome {
  readonly replica: number;
  readonly address: string | null;
}

export interface SessionOwnersOptions {
  readonly records: Pick<Cache, "get" | "compareAndSet">;
  readonly directory: Pick<ReplicaDirectory, "find">;
  readonly clock: Clock;
  /** This replica's number. */
  readonly self: Pick<ReplicaNumber, "now">;
  readonly onTakenOver: () => void;
}

const MAX_REMEMBERED = 10_000;

/** An attempt fails when another replica has changed the owner meanwhile; so many in a row mean that something is wrong. */
const MAX_ATTEMPTS = 8;

export class SessionOwners {
  readonly #options: SessionOwnersOptions;
  /** Sessions that were taken over -> their owner as last read. */
  readonly #heirs = new BoundedMap<string, number>({ maxEntries: MAX_REMEMBERED });

  constructor(options: SessionOwnersOptions) {
    this.#options = options;
  }

  /**
   * Finds the session's replica, and takes the session over where that replica is gone: of several that try, one succeeds.
   * @throws {SluiceError} SESSION_NOT_FOUND, REPLICA_UNREACHABLE, CACHE_UNAVAILABLE, STORE_UNAVAILABLE
   */
  async find({ name, replica, expiresAt }: SessionClaims): Promise<SessionHome> {
    const { records, directory, clock, self, onTakenOver } = this.#options;
    let owner = this.#heirs.get(name) ?? replica;
    for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
      if (owner === self.now) return { replica: owner, address: null };
      const address = await directory.find(owner);
      if (address !== null) return { replica: owner, address };
      const recorded = await records.get(ownerRecordKey(name));
      if (recorded !== null && Number(recorded) !== owner) {
        owner = this.#remember(name, Number(recorded));
        continue;
      }
      if (await records.get(sessionRecordKey(name)) === null) throw new SluiceError("SESSION_NOT_FOUND");
      const heir = self.now;
      const ttlMs = expiresAt * 1000 - clock.now();
      if (await records.compareAndSet(ownerRecordKey(name), recorded, String(heir), ttlMs)) {
        onTakenOver();
        owner = this.#remember(name, heir);
      }
    }
    const cause = `the session's owner changed during each of ${MAX_ATTEMPTS} attempts`;
    throw new SluiceError("REPLICA_UNREACHABLE", {}, { cause });
  }

  #remember(name: string, heir: number): number {
    this.#heirs.set(name, heir);
    return heir;
  }
}
