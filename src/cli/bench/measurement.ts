// What a load has measured: requests, latencies and failures by method, and their course over time.
import { Latencies, type LatencySummary } from "./latencies.ts";

/** How a request ended. */
export type Outcome =
  | { readonly kind: "right" }
  /** `what` says what was wrong, in words that are the same for all such failures. */
  | { readonly kind: "wrong"; readonly what: string }
  /** No answer came in time, or no user was free to send it. It has waited so far. */
  | { readonly kind: "waiting"; readonly what: string };

export interface MethodReport {
  readonly requests: number;
  readonly errors: number;
  readonly latency: LatencySummary;
  /** HdrHistogram, compressed, base64; the values are µs. */
  readonly histogram: string;
}

/** One interval. */
export interface Point {
  /** Its end, seconds since the start. */
  readonly at: number;
  /** Requests that arrived by the schedule, by second; null: there is no schedule. */
  readonly due: number | null;
  /** Right answers by second. */
  readonly rate: number;
  /** Failures by second. */
  readonly errors: number;
  /** ms. */
  readonly p50: number | null;
  readonly p99: number | null;
  readonly max: number | null;
}

export interface Failure {
  readonly what: string;
  readonly count: number;
}

/** The method that opens sessions. It is measured, but no request of the load. */
export const OPENING = "initialize";

/** Limits of what is kept of failures. */
const MAX_KINDS = 50;
const MAX_WORDS = 200;
const OTHERS = "other failures";

class Method {
  requests = 0;
  errors = 0;
  readonly total = new Latencies();
  /** Of the present interval. Each latency is recorded once, and added to the total with its interval. */
  readonly interval = new Latencies();
}

export class Measurement {
  readonly points: Point[] = [];
  readonly #methods = new Map<string, Method>();
  readonly #failures = new Map<string, number>();
  readonly #durationMs: number;
  /** Right answers within the duration. */
  #inTime = 0;
  #unsent = 0;
  #intervalStart = 0;
  #intervalRight = 0;
  #intervalErrors = 0;

  /** @param durationMs answers that come later do not count for the rate */
  constructor(durationMs: number) {
    this.#durationMs = durationMs;
  }

  /** @param nowMs since the start @param latencyMs since the arrival of the request */
  record(method: string, outcome: Outcome, latencyMs: number, nowMs: number): void {
    const of = this.#method(method);
    of.requests++;
    // The time of a wrong answer tells nothing: a refusal is quick.
    if (outcome.kind !== "wrong") of.interval.record(latencyMs);
    if (outcome.kind === "right") {
      if (method === OPENING) return;
      if (nowMs <= this.#durationMs) this.#inTime++;
      this.#intervalRight++;
    } else {
      of.errors++;
      this.#intervalErrors++;
      this.fail(outcome.what);
    }
  }

  /** A request that arrived, and that no user was free to send before the end. */
  unsent(method: string, waitedMs: number): void {
    this.#unsent++;
    this.#method(method).interval.record(waitedMs);
  }

  /** A failure outside of requests, for example of an event stream. */
  fail(what: string): void {
    const words = what.length > MAX_WORDS ? `${what.slice(0, MAX_WORDS)}…` : what;
    const kind = this.#failures.has(words) || this.#failures.size < MAX_KINDS ? words : OTHERS;
    this.#failures.set(kind, (this.#failures.get(kind) ?? 0) + 1);
  }

  /** Ends an interval. @param due requests that arrived within it; null: there is no schedule */
  closeInterval(nowMs: number, due: number | null): Point {
    const seconds = Math.max(0.001, (nowMs - this.#intervalStart) / 1_000);
    const { p50, p99, max } = this.mergeInterval().summary;
    const point = {
      at: nowMs / 1_000,
      due: due === null ? null : due / seconds,
      rate: this.#intervalRight / seconds,
      errors: this.#intervalErrors / seconds,
      ...{ p50, p99, max },
    };
    this.points.push(point);
    this.#intervalStart = nowMs;
    this.#intervalRight = this.#intervalErrors = 0;
    return point;
  }

  /** Adds the latencies of the present interval to the totals. @returns those of the interval, of all methods */
  mergeInterval(): Latencies {
    const all = new Latencies();
    for (const [name, { interval, total }] of this.#methods) {
      if (name !== OPENING) all.add(interval);
      total.add(interval);
      interval.reset();
    }
    return all;
  }

  get requests(): number {
    return [...this.#methods].reduce(
      (sum, [name, { requests }]) => name === OPENING ? sum : sum + requests,
      0,
    );
  }

  /** Failed requests, and failures outside of requests. */
  get errors(): number {
    return this.#failures.values().reduce((sum, count) => sum + count, 0);
  }

  get unsentCount(): number {
    return this.#unsent;
  }

  /** Right answers a second. @param measuredMs how long the load lasted; an interrupt makes that shorter than the duration */
  rate(measuredMs: number): number {
    return this.#inTime / Math.max(0.001, Math.min(measuredMs, this.#durationMs) / 1_000);
  }

  /** Of all methods, up to the last interval that was closed or merged. */
  get latencies(): Latencies {
    const all = new Latencies();
    for (const [name, { total }] of this.#methods) if (name !== OPENING) all.add(total);
    return all;
  }

  get methods(): Readonly<Record<string, MethodReport>> {
    return Object.fromEntries([...this.#methods].map(([name, { requests, errors, total }]) => {
      return [name, { requests, errors, latency: total.summary, histogram: total.encode() }];
    }));
  }

  /** The most frequent first. */
  get failures(): Failure[] {
    return [...this.#failures].map(([what, count]) => ({ what, count })).sort((a, b) => b.count - a.count);
  }

  #method(name: string): Method {
    let method = this.#methods.get(name);
    if (method === undefined) this.#methods.set(name, method = new Method());
    return method;
  }
}
