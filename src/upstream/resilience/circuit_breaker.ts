// Room `resilience`: time limits, retries and circuit breakers of calls to upstreams. Other rooms of `upstream` use it.
// This file is the circuit breaker of an upstream URL. After several failures in a row to open a session, further attempts fail at
// once for a while.
import { BoundedMap } from "../../base/bounded_map.ts";
import type { Clock } from "../../base/clock.ts";

export type BreakerState = "closed" | "open" | "half_open";

export interface BreakerLimits {
  /** Failures in a row that open the circuit; at least 1. */
  readonly threshold: number;
  /** Time from the opening of the circuit to the probe, ms. */
  readonly resetMs: number;
}

/** The wait that callers are told while a probe is in progress, ms. The probe's result is due soon. */
const PROBE_WAIT_MS = 1_000;

/** One permitted attempt to open a session. Only the first result counts. */
export interface Attempt {
  /** The upstream opened a session. Closes the circuit. */
  succeeded(): void;
  /** The upstream failed. Counts as a failure. */
  failed(): void;
  /** The attempt says nothing about the upstream, for example refused credentials. In state half_open the next attempt is the probe. */
  abandoned(): void;
}

/**
 * closed: attempts pass, and failures in a row are counted. open: no attempt passes until `resetMs` is over. half_open: exactly
 * one attempt passes as the probe. Its success closes the circuit, and its failure opens the circuit again.
 *
 * A failure counts only in the state in which its attempt began. A slow failure of the burst that opened the circuit therefore
 * does not fail the probe. A success counts in any state, because the upstream has just opened a session.
 */
export class CircuitBreaker {
  #state: BreakerState = "closed";
  #failures = 0;
  #openUntilMs = 0;
  #probing = false;
  /** The number of state changes. A result of an attempt from an earlier epoch comes too late. */
  #epoch = 0;
  readonly #limits: () => BreakerLimits;
  readonly #clock: Clock;
  readonly #onChange: (from: BreakerState) => void;

  /** @param onChange called after each change of the state */
  constructor(limits: () => BreakerLimits, clock: Clock, onChange: (from: BreakerState) => void) {
    this.#limits = limits;
    this.#clock = clock;
    this.#onChange = onChange;
  }

  get state(): BreakerState {
    return this.#state === "open" && this.#clock.now() >= this.#openUntilMs ? "half_open" : this.#state;
  }

  /** Failures in a row so far. */
  get failures(): number {
    return this.#failures;
  }

  /** The time of the next probe, ms since the epoch; null unless the circuit is open. */
  get openUntilMs(): number | null {
    return this.state === "open" ? this.#openUntilMs : null;
  }

  /** 0 if an attempt may begin now; else the time that the caller should wait, ms. */
  waitMs(): number {
    switch (this.state) {
      case "closed":
        return 0;
      case "open":
        return this.#openUntilMs - this.#clock.now();
      case "half_open":
        return this.#probing ? PROBE_WAIT_MS : 0;
    }
  }

  /** Begins an attempt. Call it only if `waitMs()` is 0. */
  enter(): Attempt {
    if (this.waitMs() > 0) throw new Error("Cannot enter an open circuit");
    if (this.#state === "open") this.#become("half_open");
    this.#probing = this.#state === "half_open";
    const epoch = this.#epoch;
    let settled = false;
    const once = (verdict: () => void) => () => {
      if (settled) return;
      settled = true;
      verdict();
    };
    return {
      succeeded: once(() => this.#succeeded()),
      failed: once(() => {
        if (epoch === this.#epoch) this.#failed();
      }),
      abandoned: once(() => {
        if (epoch === this.#epoch) this.#probing = false;
      }),
    };
  }

  /**
   * Reports the outcome of a call that needed no session. The call was no permitted attempt, so it counts only while the
   * circuit is closed.
   */
  observed(outcome: "answer" | "silence"): void {
    if (this.#state !== "closed") return;
    if (outcome === "answer") this.#failures = 0;
    else this.#failed();
  }

  #succeeded(): void {
    this.#failures = 0;
    if (this.#state !== "closed") this.#become("closed");
  }

  #failed(): void {
    this.#failures++;
    const { threshold, resetMs } = this.#limits();
    if (this.#state === "closed" && this.#failures < threshold) return;
    this.#openUntilMs = this.#clock.now() + resetMs;
    this.#become("open");
  }

  #become(state: BreakerState): void {
    const from = this.#state;
    this.#state = state;
    this.#probing = false;
    this.#epoch++;
    this.#onChange(from);
  }
}

/** A circuit that was closed has opened, or has closed again. A probe that fails is no turn. */
export interface BreakerTurn {
  /** Upstreams that are registered with the URL. */
  readonly upstreamIds: ReadonlySet<string>;
  readonly isOpen: boolean;
  /** Failures in a row. */
  readonly failures: number;
}

/** The breakers of a pool, one for each URL. Registrations of the same URL share it. */
export class CircuitBreakers {
  /** The number of times that a circuit opened. */
  trips = 0;
  readonly #byUrl: BoundedMap<
    string,
    { readonly breaker: CircuitBreaker; readonly upstreamIds: Set<string> }
  >;
  readonly #limits: () => BreakerLimits;
  readonly #clock: Clock;
  readonly #onTurn: (turn: BreakerTurn) => void;

  /**
   * @param limits called each time, so that settings can change
   * @param maxUrls beyond it a closed breaker is dropped, or the oldest one
   */
  constructor(
    limits: () => BreakerLimits,
    clock: Clock,
    { maxUrls = 10_000, onTurn = () => {} }: { maxUrls?: number; onTurn?: (turn: BreakerTurn) => void } = {},
  ) {
    this.#limits = limits;
    this.#clock = clock;
    this.#onTurn = onTurn;
    this.#byUrl = new BoundedMap({
      maxEntries: maxUrls,
      isDispensable: ({ breaker }) => breaker.state === "closed",
    });
  }

  of({ url, upstreamId }: { readonly url: string; readonly upstreamId: string }): CircuitBreaker {
    let known = this.#byUrl.get(url);
    if (known === undefined) {
      const upstreamIds = new Set<string>();
      const breaker = new CircuitBreaker(this.#limits, this.#clock, (from) => {
        const { state, failures } = breaker;
        if (state === "open") this.trips++;
        if (state === "open" ? from === "closed" : state === "closed") {
          this.#onTurn({ upstreamIds, isOpen: state === "open", failures });
        }
      });
      known = { breaker, upstreamIds };
      this.#byUrl.set(url, known);
    }
    known.upstreamIds.add(upstreamId);
    return known.breaker;
  }

  /** The breaker of a URL, if there is one. */
  known(url: string): CircuitBreaker | undefined {
    return this.#byUrl.get(url)?.breaker;
  }

  /** Drops the breakers of an upstream. A change by the operator may have cured the fault. */
  forget(upstreamId: string): void {
    for (const [url, { upstreamIds }] of this.#byUrl) {
      if (upstreamIds.has(upstreamId)) this.#byUrl.delete(url);
    }
  }

  *entries(): Generator<[url: string, breaker: CircuitBreaker]> {
    for (const [url, { breaker }] of this.#byUrl) yield [url, breaker];
  }
}
