// Back-pressure: how many requests and event streams a worker has at once. What is above that does not wait: it is refused.
import { GradientLimit } from "./admission_gradient.ts";

export interface AdmissionLimits {
  /** BACKPRESSURE: requests at once; `auto` follows what their latency says. */
  readonly requests: number | "auto";
  /** MAX_STREAMS: event streams at once. */
  readonly streams: number;
}

/** What `enter()` gives for a request that is let in: when it came, where anybody measures; and for one that is not. */
export type Ticket = number;

export const REFUSED: Ticket = -1;

/** Of a request whose latency nobody asks for. */
const UNMEASURED: Ticket = 0;

/**
 * Counts what is under way. Whoever gets a ticket gives it back once, by `leave()` or `leaveAsStream()`.
 * With a fixed limit it reads no clock: a comparison and two additions for each request.
 */
export class Admission {
  readonly streamLimit: number;
  #requestLimit: number;
  readonly #gradient: GradientLimit | null;
  #inFlight = 0;
  #streams = 0;
  readonly #nowMs: () => number;

  /** @param nowMs a clock that never goes back, in ms */
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

  /** A request asks to be let in. @returns REFUSED at the limit */
  enter(): Ticket {
    if (this.#inFlight >= this.#requestLimit) return REFUSED;
    this.#inFlight++;
    // 0 would pass for unmeasured.
    return this.#gradient === null ? UNMEASURED : this.#nowMs() || Number.MIN_VALUE;
  }

  /** The answer of a request is there. */
  leave(ticket: Ticket): void {
    if (ticket !== UNMEASURED && this.#gradient !== null) {
      this.#requestLimit = this.#gradient.sample(ticket, this.#nowMs(), this.#inFlight);
    }
    this.#inFlight--;
  }

  /**
   * The answer of a request turns out to be a stream: from now on it is counted among those, until `ended` settles. Where these
   * are at their limit it keeps its place among the requests, so that the sum of both limits always holds.
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
