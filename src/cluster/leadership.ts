// Leader election by lease: one worker of the cluster leads while it holds the lease.
import type { Clock } from "../base/clock.ts";
import { toSluiceError } from "../base/errors.ts";
import type { Leases } from "../store/leases.ts";
import type { Log } from "../telemetry/log.ts";

export interface LeadershipDeps {
  readonly leases: Leases;
  /** Measures durations only: the end of a lease is a time of the database's clock. */
  readonly clock: Clock;
  /** This worker's name in the table of leases, different for every worker that ever ran. */
  readonly holder: string;
  readonly ttlMs: number;
  readonly log: Log;
  /** Starts the leader's jobs. The signal ends them. */
  readonly lead: (signal: AbortSignal) => void;
}

const LEASE = "leader";

/** The lease outlives two failed renewals. */
const RENEWALS_PER_TTL = 3;

/** Added to the time until a lease expires, so that the next request is not too early. */
const MARGIN_MS = 50;

export class Leadership {
  readonly #deps: LeadershipDeps;
  #reign: AbortController | null = null;
  #expiry: number | undefined;
  #nextRequest: number | undefined;
  #requesting: Promise<void> = Promise.resolve();
  #resigned: Promise<void> | null = null;
  #isInTrouble = false;

  constructor(deps: LeadershipDeps) {
    this.#deps = deps;
  }

  /** Requests the lease now and at intervals, until `resign()`. */
  start(): void {
    this.#requesting = this.#request();
  }

  /** Ends the leader's jobs and releases the lease. Never throws: a lease that cannot be released expires. */
  resign(): Promise<void> {
    return this.#resigned ??= this.#resign();
  }

  async #resign(): Promise<void> {
    const { leases, clock, holder, log } = this.#deps;
    clock.clearTimeout(this.#nextRequest!);
    this.#lose("resigned");
    await this.#requesting;
    await leases.release(LEASE, holder).catch((error) => log.warning("lease not released", { error }));
  }

  async #request(): Promise<void> {
    const { leases, clock, holder, ttlMs, log } = this.#deps;
    // The time runs from before the request, so this worker never believes in the lease for longer than the database.
    let isTooLate = false;
    const expiry = clock.setTimeout(() => {
      isTooLate = true;
      this.#lose("could not be renewed in time");
    }, ttlMs);
    let waitMs = ttlMs / RENEWALS_PER_TTL;
    try {
      const answer = await leases.take(LEASE, holder, ttlMs);
      this.#isInTrouble = false;
      if (answer.isHeld && !isTooLate && this.#resigned === null) {
        clock.clearTimeout(this.#expiry!);
        this.#expiry = expiry;
        this.#win(answer.term);
      } else {
        clock.clearTimeout(expiry);
        if (!answer.isHeld) {
          this.#lose(`${answer.holder} has it`);
          waitMs = Math.min(waitMs, answer.freeInMs + MARGIN_MS);
        }
      }
    } catch (error) {
      clock.clearTimeout(expiry);
      const { message: reason, cause } = toSluiceError(error);
      if (!this.#isInTrouble) log.warning("cannot ask for the lease", { reason, cause });
      this.#isInTrouble = true;
    }
    if (this.#resigned !== null) return;
    this.#nextRequest = clock.setTimeout(() => this.start(), waitMs);
  }

  #win(term: number): void {
    if (this.#reign !== null) return;
    this.#reign = new AbortController();
    this.#deps.log.info("lease taken", { lease: LEASE, holder: this.#deps.holder, term });
    this.#deps.lead(this.#reign.signal);
  }

  #lose(reason: string): void {
    this.#deps.clock.clearTimeout(this.#expiry!);
    if (this.#reign === null) return;
    this.#deps.log.info("lease ended", { lease: LEASE, holder: this.#deps.holder, reason });
    this.#reign.abort();
    this.#reign = null;
  }
}
