// The circuit breaker of one upstream URL: after some failures in a row to open a session, callers fail at once for a while.
import { BoundedMap } from "../../base/bounded_map.ts";
import type { Clock } from "../../base/clock.ts";

export type BreakerState = "closed" | "open" | "half_open";

export interface BreakerLimits {
  /** Failures in a row that open the circuit; at least 1. */
  readonly threshold: number;
  /** How long it stays open until one probe is let through, ms. */
  readonly resetMs: number;
}

/** What is told to callers while the probe is on its way: its verdict is due any moment. */
const PROBE_WAIT_MS = 1_000;

/** One permitted try to open a session. Exactly one of its verdicts counts: the first. */
export interface Attempt {
  /** The upstream opened a session: closes the circuit. */
  succeeded(): void;
  /** The upstream failed: counts. */
  failed(): void;
  /** It says nothing about the upstream (credentials refused, we stopped it). A half-open circuit lets the next one probe. */
  abandoned(): void;
}

/**
 * closed: tries pass and failures in a row are counted. open: nobody passes until `resetMs` are over. half_open: exactly one
 * try is out as the probe; its success closes the circuit, its failure opens it again.
 *
 * A failure counts only against the state that its try began in: a slow loser of the burst that opened the circuit does
 * not fail the probe. A success counts whenever it comes, for the upstream did just open a session.
 */
export class CircuitBreaker {
  #state: BreakerState = "closed";
  #failures = 0;
  #openUntilMs = 0;
  #probing = false;
  /** Counts the changes of state, so that a verdict knows whether it comes too late. */
  #epoch = 0;
  readonly #limits: () => BreakerLimits;
  readonly #clock: Clock;
  readonly #onTrip: () => void;

  constructor(limits: () => BreakerLimits, clock: Clock, onTrip: () => void) {
    this.#limits = limits;
    this.#clock = clock;
    this.#onTrip = onTrip;
  }

  get state(): BreakerState {
    return this.#state === "open" && this.#clock.now() >= this.#openUntilMs ? "half_open" : this.#state;
  }

  /** Failures in a row up to now. */
  get failures(): number {
    return this.#failures;
  }

  /** When the next probe may go out, ms since the epoch; null unless the circuit is open. */
  get openUntilMs(): number | null {
    return this.state === "open" ? this.#openUntilMs : null;
  }

  /** 0: a try may begin now. Else how long the caller had better wait, ms. */
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

  /** Begin a try; only where `waitMs()` is 0. */
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
   * What a call met that opened no session: an answer, or nobody. It was no permitted try, so a circuit that is not closed
   * leaves it aside.
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
    this.#onTrip();
  }

  #become(state: BreakerState): void {
    this.#state = state;
    this.#probing = false;
    this.#epoch++;
  }
}

/** The breakers of a pool, one for each URL, whichever registrations of it are called. */
export class CircuitBreakers {
  /** How often a circuit was opened. */
  trips = 0;
  readonly #byUrl: BoundedMap<
    string,
    { readonly breaker: CircuitBreaker; readonly upstreamIds: Set<string> }
  >;
  readonly #limits: () => BreakerLimits;
  readonly #clock: Clock;

  /** `limits` is asked each time, so that settings may change; beyond `maxUrls` the oldest that is closed is forgotten. */
  constructor(limits: () => BreakerLimits, clock: Clock, maxUrls = 10_000) {
    this.#limits = limits;
    this.#clock = clock;
    this.#byUrl = new BoundedMap({
      maxEntries: maxUrls,
      isDispensable: ({ breaker }) => breaker.state === "closed",
    });
  }

  of({ url, upstreamId }: { readonly url: string; readonly upstreamId: string }): CircuitBreaker {
    let known = this.#byUrl.get(url);
    if (known === undefined) {
      const breaker = new CircuitBreaker(this.#limits, this.#clock, () => this.trips++);
      known = { breaker, upstreamIds: new Set() };
      this.#byUrl.set(url, known);
    }
    known.upstreamIds.add(upstreamId);
    return known.breaker;
  }

  /** The breaker of a URL that something was tried with before. */
  known(url: string): CircuitBreaker | undefined {
    return this.#byUrl.get(url)?.breaker;
  }

  /** Start afresh with an upstream's URLs: what the operator changed may be the cure. */
  forget(upstreamId: string): void {
    for (const [url, { upstreamIds }] of this.#byUrl) {
      if (upstreamIds.has(upstreamId)) this.#byUrl.delete(url);
    }
  }

  *entries(): Generator<[url: string, breaker: CircuitBreaker]> {
    for (const [url, { breaker }] of this.#byUrl) yield [url, breaker];
  }
}
