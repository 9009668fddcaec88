// Where the other replicas are, and which of them are gone for good.
import { BoundedMap } from "../base/bounded_map.ts";
import { type Clock, within } from "../base/clock.ts";
import { SluiceError } from "../base/errors.ts";
import type { Cache } from "../cache/cache.ts";
import { replicaKey } from "./registration.ts";

export interface DirectoryOptions {
  readonly records: Pick<Cache, "get" | "compareAndSet">;
  readonly clock: Clock;
  /** When the records were away, so long after that every replica has found them again. */
  readonly settleMs: number;
  /** A replica's record as another worker of this process has read it; null: none has. */
  readonly readElsewhere: (number: number) => Promise<string | null>;
}

interface Entry {
  /** The record as it was read. */
  readonly record: string;
  readonly address: string;
  readonly readAt: number;
}

/** Stands in the place of a replica's record when others have declared it gone: it cannot come back under that number. */
const GONE = '"gone"';

/** Longer than any session lives that names the number. */
const GONE_TTL_MS = 30 * 24 * 60 * 60 * 1000;

/** Other workers answer at once, or are in trouble themselves. */
const ELSEWHERE_MS = 1_000;

/** An address is believed for so long without another look. */
const BELIEVED_MS = 1_000;

/** How long a call waits for a look at the records where this worker or another knows the replica. */
const LOOK_MS = 250;

const MAX_REMEMBERED = 10_000;

export class ReplicaDirectory {
  readonly #options: DirectoryOptions;
  readonly #entries = new BoundedMap<number, Entry>({ maxEntries: MAX_REMEMBERED });
  readonly #gone = new BoundedMap<number, true>({ maxEntries: MAX_REMEMBERED });
  readonly #looking = new Map<number, Promise<string | null>>();
  #troubledAt = -Infinity;

  constructor(options: DirectoryOptions) {
    this.#options = options;
  }

  /**
   * The address of a replica; null where it is gone for good, which is so for all replicas from then on.
   * @throws {SluiceError} REPLICA_UNREACHABLE where nobody can know now, CACHE_UNAVAILABLE, STORE_UNAVAILABLE
   */
  async find(number: number): Promise<string | null> {
    if (this.#gone.has(number)) return null;
    const known = this.#entries.get(number);
    if (known !== undefined && known.readAt + BELIEVED_MS > this.#options.clock.now()) return known.address;
    // Whoever asks meanwhile shares the answer.
    let looking = this.#looking.get(number);
    if (looking === undefined) {
      looking = this.#look(number, known).finally(() => this.#looking.delete(number));
      this.#looking.set(number, looking);
    }
    if (await within(this.#options.clock, LOOK_MS, looking)) return await looking;
    if (known !== undefined) return this.#believe(number, known);
    const found = await this.#readElsewhere(number);
    return found === null ? await looking : this.#remember(number, found);
  }

  /** Calls do not wait for records that do not answer: who was there goes on being there. */
  #believe(number: number, known: Entry): string | null {
    if (this.#gone.has(number)) return null;
    if (this.#entries.get(number) === known) {
      this.#entries.set(number, { ...known, readAt: this.#options.clock.now() });
    }
    return known.address;
  }

  async #look(number: number, known: Entry | undefined): Promise<string | null> {
    let record: string | null;
    try {
      record = await this.#options.records.get(replicaKey(number));
    } catch (error) {
      this.recordsWereAway();
      if (known !== undefined) return known.address;
      const found = await this.#readElsewhere(number);
      if (found === null) throw error;
      return this.#remember(number, found);
    }
    if (record === GONE) return this.#rememberGone(number);
    if (record !== null) return this.#remember(number, record);
    // A cache that was away may have lost the record of a replica that lives, and soon writes it again.
    if (this.#troubledAt + this.#options.settleMs > this.#options.clock.now()) {
      if (known !== undefined) return known.address;
      throw new SluiceError("REPLICA_UNREACHABLE", {}, { cause: `replica ${number} is not registered now` });
    }
    return await this.#declareGone(number, null) ? null : await this.#look(number, known);
  }

  /** A replica's record, as it was last read here. */
  recordOf(number: number): string | null {
    return this.#entries.get(number)?.record ?? null;
  }

  /** Nobody answers there any more. */
  async declareGone(number: number): Promise<void> {
    const known = this.#entries.get(number);
    this.#entries.delete(number);
    if (known !== undefined) await this.#declareGone(number, known.record);
  }

  /** Until every replica has had the time to register again, a missing record says nothing. */
  recordsWereAway(): void {
    this.#troubledAt = this.#options.clock.now();
  }

  /** @returns whether the replica's record was still `record` */
  async #declareGone(number: number, record: string | null): Promise<boolean> {
    const isGone = await this.#options.records.compareAndSet(replicaKey(number), record, GONE, GONE_TTL_MS);
    if (isGone) this.#rememberGone(number);
    return isGone;
  }

  async #readElsewhere(number: number): Promise<string | null> {
    const { readElsewhere, clock } = this.#options;
    let found: string | null = null;
    await within(clock, ELSEWHERE_MS, readElsewhere(number).then((record) => void (found = record)));
    return found;
  }

  #remember(number: number, record: string): string {
    const { address } = JSON.parse(record) as { address: string };
    this.#entries.set(number, { record, address, readAt: this.#options.clock.now() });
    return address;
  }

  #rememberGone(number: number): null {
    this.#entries.delete(number);
    this.#gone.set(number, true);
    return null;
  }
}
