// The replica that keeps the upstream sessions of callers without a downstream session, so that all calls of a caller meet the same
// state. Callers are divided into parts; a part has one home, which is the first replica that was asked for one of its callers. So there
// is one small record for each part, however many callers there are.
import type { Clock } from "../base/clock.ts";
import { SluiceError } from "../base/errors.ts";
import type { Cache } from "../cache/cache.ts";
import type { ReplicaDirectory } from "./replica_directory.ts";
import type { ReplicaNumber } from "./replica_number.ts";
import type { SessionHome } from "./session_owners.ts";

export interface CallerHomesOptions {
  readonly records: Pick<Cache, "get" | "compareAndSet">;
  readonly directory: Pick<ReplicaDirectory, "find">;
  readonly clock: Clock;
  /** This replica's number. */
  readonly self: Pick<ReplicaNumber, "now">;
  /** Time without a call after which the sessions of a caller end; SESSION_TTL. */
  readonly idleMs: number;
}

interface Known {
  readonly replica: number;
  readonly readAt: number;
}

/** Each part has one home. */
export const CALLER_PARTS = 4_096;

/** An attempt fails when another replica has changed the home meanwhile; so many in a row mean that something is wrong. */
const MAX_ATTEMPTS = 8;

export function callerHomeKey(part: number): string {
  return `caller-home:${part}`;
}

export class CallerHomes {
  readonly #options: CallerHomesOptions;
  readonly #known = new Map<number, Known>();

  constructor(options: CallerHomesOptions) {
    this.#options = options;
  }

  /** The home as this worker has read it; undefined: it must be read, also to renew its record. On the hot path. */
  known(part: number): number | undefined {
    const known = this.#known.get(part);
    return known !== undefined && known.readAt + this.#believedMs > this.#options.clock.now()
      ? known.replica
      : undefined;
  }

  /**
   * Finds the home of a part. This replica becomes the home of a part that has none, or whose home is gone: of several that try, one
   * succeeds.
   * @throws {SluiceError} REPLICA_UNREACHABLE, CACHE_UNAVAILABLE, STORE_UNAVAILABLE
   */
  async find(part: number): Promise<SessionHome> {
    const { directory, self } = this.#options;
    for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
      const home = this.known(part) ?? await this.#read(part);
      if (home === null) continue;
      if (home === self.now) return { replica: home, address: null };
      const address = await directory.find(home);
      if (address !== null) return { replica: home, address };
      await this.#take(part, String(home));
    }
    const cause = `the home of a caller's sessions changed during each of ${MAX_ATTEMPTS} attempts`;
    throw new SluiceError("REPLICA_UNREACHABLE", {}, { cause });
  }

  /** Writes the records of this replica's parts again, after the store has lost them. Never throws. */
  async restore(): Promise<void> {
    const own = [...this.#known].filter(([, { replica }]) => replica === this.#options.self.now);
    for (const [part] of own) await this.#take(part, null).catch(() => {});
  }

  /** Reads and renews the record, or becomes the home. Null: another replica was faster. */
  async #read(part: number): Promise<number | null> {
    const recorded = await this.#options.records.get(callerHomeKey(part));
    return await this.#take(part, recorded, recorded ?? String(this.#options.self.now));
  }

  async #take(
    part: number,
    recorded: string | null,
    home = String(this.#options.self.now),
  ): Promise<number | null> {
    const { records, clock, idleMs } = this.#options;
    // It outlives the sessions of the last call by which a worker knew it.
    const ttlMs = idleMs + 2 * this.#believedMs;
    const readAt = clock.now();
    const isTaken = await records.compareAndSet(callerHomeKey(part), recorded, home, ttlMs);
    if (isTaken) this.#known.set(part, { replica: Number(home), readAt });
    else this.#known.delete(part);
    return isTaken ? Number(home) : null;
  }

  /** The time for which what was read is used without another read. */
  get #believedMs(): number {
    return this.#options.idleMs / 2;
  }
}
