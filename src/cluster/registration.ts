// The registration of this process: a record that says that it lives and where. Every worker renews it.
import { type Clock, repeat, within } from "../base/clock.ts";
import { reasonOf, SluiceError, toSluiceError } from "../base/errors.ts";
import type { Cache } from "../cache/cache.ts";
import type { Config } from "../config/schema.ts";
import type { Log } from "../telemetry/log.ts";
import { replicaAddress } from "./replica_address.ts";
import type { ReplicaNumber } from "./replica_number.ts";
import { decodeRecord, encodeRecord, FOREIGN_HINT, periodAt, replicaKey } from "./replica_record.ts";
import type { ReplicaSignatures } from "./request_signature.ts";

export interface RegistrationOptions {
  readonly records: Pick<Cache, "get" | "compareAndSet" | "delete">;
  readonly signatures: ReplicaSignatures;
  readonly clock: Clock;
  readonly log: Log;
  /** Advanced when other replicas have declared it gone. */
  readonly replica: ReplicaNumber;
  /** Where the other replicas reach this process: from replicaAddress(). */
  readonly address: string;
  /** REPLICA_TTL */
  readonly ttlMs: number;
}

/** The record outlives two failed renewals. */
export const RENEWALS_PER_TTL = 3;

/** The longest that a request waits for a renewal, and the time after a failed one in which no request tries another. */
const PATIENCE_MS = 1_000;

const MAX_ATTEMPTS = 8;

/** null: CACHE_TYPE keeps records that no other process reads, so there are no replicas. */
export function registrationOf(
  config: Config,
  parts: Omit<RegistrationOptions, "address" | "ttlMs">,
): ReplicaRegistration | null {
  if (config.cacheType === "memory" || config.cacheType === "none") return null;
  return new ReplicaRegistration({ ...parts, address: replicaAddress(config), ttlMs: config.replicaTtlMs });
}

/** All workers of a process write the same record, so it exists as long as one of them lives. */
export class ReplicaRegistration {
  readonly #options: RegistrationOptions;
  #renewedAt = -Infinity;
  /** The record that this worker wrote last. That of a new period takes its place without a read. */
  #written: string | null = null;
  #triedAt = -Infinity;
  #renewing: Promise<void> | null = null;
  /** The store of the records does not answer: until this time no request waits for a renewal. */
  #silentUntil = -Infinity;
  #timer: number | undefined;
  #hasLeft = false;
  #isInTrouble = false;

  constructor(options: RegistrationOptions) {
    this.#options = options;
  }

  /** The record cannot have expired since its last renewal, so no replica can have declared this one gone. */
  get isSure(): boolean {
    return this.#renewedAt + this.#options.ttlMs > this.#options.clock.now();
  }

  /** The last renewal could not reach the store of the records. */
  get isInTrouble(): boolean {
    return this.#isInTrouble;
  }

  /** Register, and renew the record until `stop()` or `leave()`. Resolves after the first attempt, failed or not. */
  async start(): Promise<void> {
    await this.renew();
    if (this.#hasLeft) return;
    const { clock, ttlMs } = this.#options;
    this.#timer = clock.setTimeout(() => void this.start(), ttlMs / RENEWALS_PER_TTL);
  }

  /**
   * Make sure that the number is still this process's: after a pause others may have declared it gone. While the store of the
   * records does not answer, the number counts as kept.
   */
  async confirm(): Promise<void> {
    const { clock } = this.#options;
    const now = clock.now();
    if (this.isSure || this.#silentUntil > now) return;
    if (this.#triedAt + PATIENCE_MS > now && this.#renewing === null) return;
    await within(clock, PATIENCE_MS, this.renew());
  }

  /** Renew the record at once, beside the regular times. Never throws. */
  renew(): Promise<void> {
    if (this.#hasLeft) return Promise.resolve();
    return this.#renewing ??= this.#renew().finally(() => this.#renewing = null);
  }

  /** The process ends: delete the record, so that other replicas take its sessions over at once. Never throws. */
  async leave(): Promise<void> {
    await this.stop();
    const { records, log, replica } = this.#options;
    await records.delete(replicaKey(replica.now))
      .catch((error) => log.warning("replica not signed off", { reason: reasonOf(error) }));
  }

  /** This worker ends, its process goes on: the record stays. */
  async stop(): Promise<void> {
    this.#hasLeft = true;
    this.#options.clock.clearTimeout(this.#timer!);
    await this.#renewing;
  }

  async #renew(): Promise<void> {
    const { records, signatures, clock, log, ttlMs, replica, address } = this.#options;
    // Taken before the request, so that the record never expires earlier than this worker believes.
    const askedAt = this.#triedAt = clock.now();
    const stopListening = this.#listenForSilence();
    try {
      for (;;) {
        const key = replicaKey(replica.now);
        const own = { address, process: replica.seed, ...periodAt(clock.now(), ttlMs) };
        const record = encodeRecord(replica.now, own, signatures);
        const isOurs = await records.compareAndSet(key, record, record, ttlMs) ||
          this.#written !== null && await records.compareAndSet(key, this.#written, record, ttlMs) ||
          await this.#takePlace(key, record, replica.now);
        this.#written = isOurs ? record : null;
        if (isOurs) break;
        const lost = replica.now;
        replica.advance();
        log.warning("replica was declared gone, going on under another number", {
          replica: lost,
          now: replica.now,
          hint: "it stood still for longer than REPLICA_TTL, or nobody answered at its REPLICA_ADDRESS",
        });
      }
      this.#renewedAt = askedAt;
      this.#silentUntil = -Infinity;
      this.#isInTrouble = false;
    } catch (error) {
      const { message: reason, cause } = toSluiceError(error);
      if (!this.#isInTrouble) log.warning("replica cannot be registered", { reason, cause });
      this.#isInTrouble = true;
    } finally {
      stopListening();
    }
  }

  /**
   * Stores the record unless the place is taken: others have declared this replica gone, or have its number.
   * @returns whether the stored record is this process's own
   */
  async #takePlace(key: string, record: string, number: number): Promise<boolean> {
    const { records, signatures, log, ttlMs, clock, replica } = this.#options;
    // Another worker of this process may do the same at the same time, or another writer overwrite the record again.
    for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
      const stored = await records.get(key);
      if (stored !== null && stored !== record) {
        const state = decodeRecord(number, stored, signatures, clock.now());
        // The record of an earlier period gives way.
        const isOwn = "process" in state && state.process === replica.seed;
        if (state.kind === "gone" || state.kind === "registered" && !isOwn) return false;
        if (!isOwn) {
          log.warning("replica record of another writer replaced", { replica: number, hint: FOREIGN_HINT });
        }
      }
      if (await records.compareAndSet(key, stored, record, ttlMs)) return true;
    }
    throw new SluiceError("CACHE_UNAVAILABLE", {}, { cause: "the replica's record changes all the time" });
  }

  /** Notes, while a renewal lasts longer than the patience, that the store of the records does not answer. */
  #listenForSilence(): () => void {
    const { clock, ttlMs } = this.#options;
    let heardAt = clock.now();
    return repeat(clock, PATIENCE_MS, () => {
      const now = clock.now();
      // A late timer means that this process stood still, not the store.
      if (now < heardAt + 2 * PATIENCE_MS) this.#silentUntil = now + ttlMs;
      heardAt = now;
      return Promise.resolve();
    });
  }
}
