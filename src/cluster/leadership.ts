// Is this worker the one in all the cluster that does what must be done once (health checks, sweeps)? While it holds the lease.
import type { Clock } from "../base/clock.ts";
import { toSluiceError } from "../base/errors.ts";
import type { Leases } from "../store/leases.ts";
import type { Log } from "../telemetry/log.ts";

export interface LeadershipDeps {
  readonly leases: Leases;
  /** Measures how long, never when: only the database's clock says when the lease is over. */
  readonly clock: Clock;
  /** Who asks, as operators read it in the table; another for each worker that there ever was. */
  readonly holder: string;
  readonly ttlMs: number;
  readonly log: Log;
  /** Starts the work, which ends when the signal is aborted. */
  readonly lead: (signal: AbortSignal) => void;
}

const LEASE = "leader";

/** So that the lease outlives two renewals that fail. */
const RENEWALS_PER_TTL = 3;

/** Who waits for a lease to run out asks a little later, not a little too early. */
const MARGIN_MS = 50;

export class Leadership {
  readonly #deps: LeadershipDeps;
  #reign: AbortController | null = null;
  #expiry: number | undefined;
  #nextQuestion: number | undefined;
  #asking: Promise<void> = Promise.resolve();
  #resigned: Promise<void> | null = null;
  #isInTrouble = false;

  constructor(deps: LeadershipDeps) {
    this.#deps = deps;
  }

  /** Ask for the lease, now and again and again. */
  start(): void {
    this.#asking = this.#ask();
  }

  /** End the work and leave the lease to whoever asks next. Never throws: a lease that cannot be released runs out. */
  resign(): Promise<void> {
    return this.#resigned ??= this.#resign();
  }

  async #resign(): Promise<void> {
    const { leases, clock, holder, log } = this.#deps;
    clock.clearTimeout(this.#nextQuestion!);
    this.#lose("resigned");
    await this.#asking;
    await leases.release(LEASE, holder).catch((error) => log.warning("lease not released", { error }));
  }

  async #ask(): Promise<void> {
    const { leases, clock, holder, ttlMs, log } = this.#deps;
    // Counted from before the question was asked, so the lease is never ours for longer than the database thinks.
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
    this.#nextQuestion = clock.setTimeout(() => this.start(), waitMs);
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
