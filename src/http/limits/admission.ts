// Room `limits`: how many requests a worker serves at once (back-pressure), and how many a caller may send in a minute (rate limits).
//
// Back-pressure: limits the requests and event streams of a worker. A request above the limit is refused at once; nothing waits.
import { GradientLimit } from "./admission_gradient.ts";

export interface AdmissionLimits {
  /** BACKPRESSURE: concurrent requests. `auto`: the limit follows their latency. */
  readonly requests: number | "auto";
  /** MAX_STREAMS: concurrent event streams. */
  readonly streams: number;
}

/** The result of `enter()`: the start time of the request where latency is measured, UNMEASURED otherwise, or REFUSED. */
export type Ticket = number;

export const REFUSED: Ticket = -1;

/** With a fixed limit no latency is measured. */
const UNMEASURED: Ticket = 0;

/**
 * Counts requests and streams under way. Each ticket is given back once, by `leave()` or `leaveAsStream()`.
 * A fixed limit costs a request one comparison and two additions, and no clock reading.
 */
export class Admission {
  readonly streamLimit: number;
  #requestLimit: number;
  readonly #gradient: GradientLimit | null;
  #inFlight = 0;
  #streams = 0;
  readonly #nowMs: () => number;

  /** @param nowMs a monotonic clock, ms */
  constructor({ requests, streams }: AdmissionLimits, nowMs: () => number = () => performance.now()) {
    this.streamLimit = streams;
    this.#nowMs = nowMs;
    if (requests === "auto") {
      this.#gradient = new GradientLimit();
      this.#requestLimit = this.#gradient.limit;
    } else {
      this.#gradient = null;
      this.#requestLimit = requests;
    }
  }

  get requestLimit(): number {
    return this.#requestLimit;
  }

  get requestsInFlight(): number {
    return this.#inFlight;
  }

  get streamCount(): number {
    return this.#streams;
  }

  get streamsAreFull(): boolean {
    return this.#streams >= this.streamLimit;
  }

  /** Admits a request. @returns REFUSED at the limit */
  enter(): Ticket {
    if (this.#inFlight >= this.#requestLimit) return REFUSED;
    this.#inFlight++;
    // A time of 0 would read as UNMEASURED.
    return this.#gradient === null ? UNMEASURED : this.#nowMs() || Number.MIN_VALUE;
  }

  /** Takes up to `count` further places for a request that does several things at once. @returns how many it got */
  enterMore(count: number): number {
    const got = Math.max(0, Math.min(count, this.#requestLimit - this.#inFlight));
    this.#inFlight += got;
    return got;
  }

  leaveMore(count: number): void {
    this.#inFlight -= count;
  }

  /** The response to a request is ready. */
  leave(ticket: Ticket): void {
    if (ticket !== UNMEASURED && this.#gradient !== null) {
      this.#requestLimit = this.#gradient.sample(ticket, this.#nowMs(), this.#inFlight);
    }
    this.#inFlight--;
  }

  /**
   * The response to a request is a stream, and counts as one until `ended` settles. With the streams at their limit it keeps its
   * place among the requests instead, so that the sum of both limits always holds.
   */
  leaveAsStream(ended: Promise<unknown>): void {
    const keepsPlace = this.streamsAreFull;
    if (!keepsPlace) {
      this.#inFlight--;
      this.#streams++;
    }
    const leave = () => {
      if (keepsPlace) this.#inFlight--;
      else this.#streams--;
    };
    ended.then(leave, leave);
  }
}
