// The addresses of the other replicas, and which of them are gone for good.
import { BoundedMap } from "../base/bounded_map.ts";
import { type Clock, within } from "../base/clock.ts";
import { SluiceError } from "../base/errors.ts";
import type { Cache } from "../cache/cache.ts";
import type { Log } from "../telemetry/log.ts";
import { decodeRecord, encodeGone, FOREIGN_HINT, replicaKey } from "./replica_record.ts";
import type { ReplicaSignatures } from "./request_signature.ts";

export interface DirectoryOptions {
  readonly records: Pick<Cache, "get" | "compareAndSet">;
  readonly signatures: ReplicaSignatures;
  readonly clock: Clock;
  readonly log: Log;
  /** After an outage of the store of the records: the time within which every replica has registered again. */
  readonly settleMs: number;
  /** A replica's record as another worker of this process last read it; null: no worker has read it. */
  readonly readElsewhere: (number: number) => Promise<string | null>;
}

interface Entry {
  /** The record as it was read. */
  readonly record: string;
  readonly address: string;
  readonly readAt: number;
}

/** Longer than any session lives that names the number. */
const GONE_TTL_MS = 30 * 24 * 60 * 60 * 1000;

/** The longest wait for the other workers: they answer at once, or are in trouble themselves. */
const ELSEWHERE_MS = 1_000;

/** An address is used for this time without another read. */
const BELIEVED_MS = 1_000;

/** The longest that a request waits for a read if this worker or another knows the replica already. */
const LOOK_MS = 250;

const MAX_REMEMBERED = 10_000;

export class ReplicaDirectory {
  readonly #options: DirectoryOptions;
  readonly #entries = new BoundedMap<number, Entry>({ maxEntries: MAX_REMEMBERED });
  readonly #gone = new BoundedMap<number, true>({ maxEntries: MAX_REMEMBERED });
  /** Replicas whose record another writer has replaced. */
  readonly #foreign = new BoundedMap<number, true>({ maxEntries: MAX_REMEMBERED });
  readonly #looking = new Map<number, Promise<string | null>>();
  #troubledAt = -Infinity;

  constructor(options: DirectoryOptions) {
    this.#options = options;
  }

  /**
   * The address of a replica; null for a replica that is gone for good. All replicas agree on that from then on.
   * @throws {SluiceError} REPLICA_UNREACHABLE if the address cannot be known now, CACHE_UNAVAILABLE, STORE_UNAVAILABLE
   */
  async find(number: number): Promise<string | null> {
    if (this.#gone.has(number)) return null;
    const known = this.#entries.get(number);
    if (known !== undefined && known.readAt + BELIEVED_MS > this.#options.clock.now()) return known.address;
    // Concurrent callers share one read.
    let looking = this.#looking.get(number);
    if (looking === undefined) {
      looking = this.#look(number, known).finally(() => this.#looking.delete(number));
      this.#looking.set(number, looking);
    }
    if (await within(this.#options.clock, LOOK_MS, looking)) return await looking;
    if (known !== undefined) return this.#believe(number, known);
    return await this.#findElsewhere(number) ?? await looking;
  }

  /** The store does not answer: a known address stays in use, and requests do not wait. */
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
      const found = await this.#findElsewhere(number);
      if (found === null) throw error;
      return found;
    }
    if (record !== null) {
      const { signatures, clock } = this.#options;
      const state = decodeRecord(number, record, signatures, clock.now());
      if (state.kind === "gone") return this.#rememberGone(number);
      if (state.kind === "registered") return this.#remember(number, record, state.address);
      if (state.kind === "foreign") return await this.#ignore(number, known);
      // An outdated record is as good as none: a replica that lives has written another one since.
    }
    // A store that was away may have lost the record of a replica that lives and will soon register again.
    if (this.#troubledAt + this.#options.settleMs > this.#options.clock.now()) {
      if (known !== undefined) return known.address;
      throw unreachable(number, "is not registered now");
    }
    return await this.#declareGone(number, record) ? null : await this.#look(number, known);
  }

  /** Another writer's record proves nothing. The replica will put its own in that place. */
  async #ignore(number: number, known: Entry | undefined): Promise<string> {
    if (!this.#foreign.has(number)) {
      this.#options.log.warning("replica record of another writer ignored", {
        replica: number,
        hint: FOREIGN_HINT,
      });
    }
    this.#foreign.set(number, true);
    const address = known?.address ?? await this.#findElsewhere(number);
    if (address === null) {
      throw unreachable(number, "has a record that no replica of this version has signed");
    }
    return address;
  }

  /** A replica's record as this worker last read it. */
  recordOf(number: number): string | null {
    return this.#entries.get(number)?.record ?? null;
  }

  /** Nobody listens at the replica's address any more. */
  async declareGone(number: number): Promise<void> {
    const known = this.#entries.get(number);
    this.#entries.delete(number);
    if (known !== undefined) await this.#declareGone(number, known.record);
  }

  /** A missing record proves nothing until every replica has had the time to register again. */
  recordsWereAway(): void {
    this.#troubledAt = this.#options.clock.now();
  }

  /** @returns whether the replica's record was still `record` */
  async #declareGone(number: number, record: string | null): Promise<boolean> {
    const { records, signatures } = this.#options;
    const gone = encodeGone(number, signatures);
    const isGone = await records.compareAndSet(replicaKey(number), record, gone, GONE_TTL_MS);
    if (isGone) this.#rememberGone(number);
    return isGone;
  }

  async #findElsewhere(number: number): Promise<string | null> {
    const { readElsewhere, clock, signatures } = this.#options;
    let found: string | null = null;
    await within(clock, ELSEWHERE_MS, readElsewhere(number).then((record) => void (found = record)));
    if (found === null) return null;
    const state = decodeRecord(number, found, signatures, clock.now());
    // Another worker has read it while it was valid. No replica can renew its record while the store is away.
    return "address" in state ? this.#remember(number, found, state.address) : null;
  }

  #remember(number: number, record: string, address: string): string {
    this.#foreign.delete(number);
    this.#entries.set(number, { record, address, readAt: this.#options.clock.now() });
    return address;
  }

  #rememberGone(number: number): null {
    this.#entries.delete(number);
    this.#gone.set(number, true);
    return null;
  }
}

function unreachable(number: number, what: string): SluiceError {
  return new SluiceError("REPLICA_UNREACHABLE", {}, { cause: `replica ${number} ${what}` });
}
