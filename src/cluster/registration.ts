// This process among the replicas: its number, and the record by which the others know that it lives and where.
import { createHash } from "node:crypto";
import { type Clock, repeat, within } from "../base/clock.ts";
import { reasonOf, toSluiceError } from "../base/errors.ts";
import type { Cache } from "../cache/cache.ts";
import type { Log } from "../telemetry/log.ts";

export interface RegistrationOptions {
  readonly records: Pick<Cache, "compareAndSet" | "delete">;
  readonly clock: Clock;
  readonly log: Log;
  /** The process's own: all its workers draw the same numbers from it. */
  readonly seed: string;
  /** From replicaAddress(). */
  readonly address: string;
  /** REPLICA_TTL */
  readonly ttlMs: number;
  /** The number was another's to take, and so were the sessions that name it: they must not be served here any more. */
  readonly onLost: () => void;
}

/** So that the record outlives two renewals that fail. */
export const RENEWALS_PER_TTL = 3;

/** After a renewal that failed requests go on without another for so long; nor do they wait longer for one. */
const PATIENCE_MS = 1_000;

export function replicaKey(number: number): string {
  return `replica:${number}`;
}

/**
 * Every worker renews the one record of its process: they write the same, so it is there as long as one of them lives. A
 * number that others have declared gone is never used again; the process goes on under its next one.
 */
export class ReplicaRegistration {
  readonly #options: RegistrationOptions;
  readonly #value: string;
  #generation = 0;
  #number: number;
  #renewedAt = -Infinity;
  #triedAt = -Infinity;
  #renewing: Promise<void> | null = null;
  /** The records do not answer: so long nobody waits for a renewal. */
  #silentUntil = -Infinity;
  #timer: number | undefined;
  #hasLeft = false;
  #isInTrouble = false;

  constructor(options: RegistrationOptions) {
    this.#options = options;
    this.#value = JSON.stringify({ address: options.address, process: options.seed });
    this.#number = numberOf(options.seed, 0);
  }

  get number(): number {
    return this.#number;
  }

  /** Nobody can have declared this replica gone: its record cannot have run out since it was renewed. */
  get isSure(): boolean {
    return this.#renewedAt + this.#options.ttlMs > this.#options.clock.now();
  }

  /** The last renewal could not reach the records. */
  get isInTrouble(): boolean {
    return this.#isInTrouble;
  }

  /** Register, and stay registered until leave(). Resolves after the first attempt, however it went. */
  async start(): Promise<void> {
    await this.renew();
    if (this.#hasLeft) return;
    const { clock, ttlMs } = this.#options;
    this.#timer = clock.setTimeout(() => void this.start(), ttlMs / RENEWALS_PER_TTL);
  }

  /** After a pause it may be another's turn by now. Where the records cannot be reached nobody can know: things stay as they are. */
  async confirm(): Promise<void> {
    const { clock } = this.#options;
    const now = clock.now();
    if (this.isSure || this.#silentUntil > now) return;
    if (this.#triedAt + PATIENCE_MS > now && this.#renewing === null) return;
    await within(clock, PATIENCE_MS, this.renew());
  }

  /** Now, beside the regular times. Never throws. */
  renew(): Promise<void> {
    if (this.#hasLeft) return Promise.resolve();
    return this.#renewing ??= this.#renew().finally(() => this.#renewing = null);
  }

  /** The process ends: others may take its sessions at once. Never throws. */
  async leave(): Promise<void> {
    await this.stop();
    const { records, log } = this.#options;
    await records.delete(replicaKey(this.#number))
      .catch((error) => log.warning("replica not signed off", { reason: reasonOf(error) }));
  }

  /** This worker ends, and its process goes on. */
  async stop(): Promise<void> {
    this.#hasLeft = true;
    this.#options.clock.clearTimeout(this.#timer!);
    await this.#renewing;
  }

  async #renew(): Promise<void> {
    const { records, clock, log, ttlMs, onLost } = this.#options;
    // Counted from before the question, so the record never runs out while this side thinks it is there.
    const askedAt = this.#triedAt = clock.now();
    const value = this.#value;
    const stopListening = this.#listenForSilence();
    try {
      for (;;) {
        const key = replicaKey(this.#number);
        const renew = () => records.compareAndSet(key, value, value, ttlMs);
        // Once more at the end: between the two another worker of this process may have registered it.
        const isOurs = await renew() || await records.compareAndSet(key, null, value, ttlMs) || await renew();
        if (isOurs) break;
        const lost = this.#number;
        this.#number = numberOf(this.#options.seed, ++this.#generation);
        log.warning("replica was declared gone, going on under another number", {
          replica: lost,
          now: this.#number,
          hint: "it stood still for longer than REPLICA_TTL, or nobody answered at its REPLICA_ADDRESS",
        });
        onLost();
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

  /** While a renewal waits longer than anybody should. */
  #listenForSilence(): () => void {
    const { clock, ttlMs } = this.#options;
    let heardAt = clock.now();
    return repeat(clock, PATIENCE_MS, () => {
      const now = clock.now();
      // Unless it was this process that stood still.
      if (now < heardAt + 2 * PATIENCE_MS) this.#silentUntil = now + ttlMs;
      heardAt = now;
      return Promise.resolve();
    });
  }
}

/** 32 bits, of which any two processes have different ones but by a chance of one in four thousand million. */
function numberOf(seed: string, generation: number): number {
  return createHash("sha256").update(`${seed}:${generation}`).digest().readUInt32BE(0);
}
