// BACKPRESSURE=auto: a limit of concurrent requests that follows their latency.

/** The limit stays between these, and begins low: what is refused in the first moments costs less than what waits behind too much. */
const MIN_LIMIT = 4;
export const MAX_LIMIT = 4096;
const START_LIMIT = 20;

/** A window is over when it has this many samples and this age, ms: not before the slow ones of those it began with are counted. */
const WINDOW_SAMPLES = 10;
const WINDOW_MS = 100;
const WINDOW_LATENCIES = 2;

/** Latency may grow to this multiple of the latency at rest before the limit gives way. */
const TOLERANCE = 1.3;

/** So much above the latency at rest is noise, however short that is, ms. */
const NOISE_MS = 2;

/** Latency that grows by less than this is steady. */
const STEADY = 1.1;

/** A limit that is reached while the latency is steady grows by this factor, window by window. */
const GROWTH = 1.5;

/** The limit is at most so many times what was lately under way: an allowance that nobody uses is one for the next flood. */
const HEADROOM = 2;
/** How much of the most that was under way is remembered from window to window. */
const MEMORY = 0.97;

/** The most that one window can ask for: it may have been a bad moment. */
const LEAST_GRADIENT = 0.3;

/** How much of a window's verdict is taken over. */
const SMOOTHING = 0.5;

/** How fast the latency at rest follows: down, and up in windows with little to do. */
const REST_FALL = 0.2;
const REST_RISE = 0.1;

/**
 * The gradient of Netflix's concurrency-limits (Gradient2): by Little's law, what can be under way without waiting is throughput
 * times the latency at rest, so the limit is multiplied by (latency at rest × tolerance) / (latency now), which is taken to be
 * between 0.3 and 1, plus an allowance of √limit by which it grows as long as nothing waits.
 *
 * It differs in two things. It begins low, and grows by half while it is reached and the latency is steady, like TCP's slow start; and
 * it comes back to what is used (RFC 7661). So a flood never meets a limit far above what has been served well.
 *
 * And it knows the latency at rest otherwise. Gradient2 takes a long-term average, which an overload that lasts pulls up, and
 * the limit with it. Here it falls at once and rises in two cases only: in windows with little under way; and where the limit has
 * come down to half and the latency has not followed. Then the upstream itself has become slower, shedding would not help, and the
 * limit is given back.
 */
export class GradientLimit {
  #limit = START_LIMIT;
  /** ms; null before the first window. */
  #restMs: number | null = null;
  /** Where the limit began to come down, and the latency then. */
  #fall: { readonly limit: number; readonly latencyMs: number } | null = null;

  /** NaN before the first sample. */
  #windowStart = NaN;
  #samples = 0;
  #sumMs = 0;
  #mostInFlight = 0;
  /** The most under way in the windows before, fading. */
  #lately = 0;

  /** Whole requests. */
  get limit(): number {
    return Math.floor(this.#limit);
  }

  /**
   * One request is done.
   * @param startMs,endMs of one clock that never goes back
   * @param inFlight at its end, itself included
   * @returns the limit from now on
   */
  sample(startMs: number, endMs: number, inFlight: number): number {
    if (inFlight > this.#mostInFlight) this.#mostInFlight = inFlight;
    if (Number.isNaN(this.#windowStart)) this.#windowStart = startMs;
    // Whoever was let in under another limit tells of that one.
    if (startMs < this.#windowStart) return this.limit;
    this.#samples++;
    this.#sumMs += endMs - startMs;
    const age = endMs - this.#windowStart;
    if (this.#samples < WINDOW_SAMPLES || age < WINDOW_MS) return this.limit;
    if (age < this.#sumMs / this.#samples * WINDOW_LATENCIES) return this.limit;
    this.#windowStart = endMs;
    this.#endWindow();
    return this.limit;
  }

  #endWindow(): void {
    const latencyMs = this.#sumMs / this.#samples;
    const mostInFlight = this.#mostInFlight;
    this.#samples = this.#sumMs = this.#mostInFlight = 0;
    const isIdle = mostInFlight < this.#limit / 2;
    this.#lately = Math.max(mostInFlight, this.#lately * MEMORY);

    const restMs = this.#restMs ??= latencyMs;
    if (latencyMs < restMs) this.#restMs = restMs + (latencyMs - restMs) * REST_FALL;
    else if (isIdle) this.#restMs = restMs + (latencyMs - restMs) * REST_RISE;
    // What is not used says nothing about what could be.
    if (isIdle) this.#fall = null;
    else this.#follow(latencyMs, restMs, mostInFlight);
    const useful = Math.max(START_LIMIT, this.#lately * HEADROOM);
    this.#limit = Math.min(this.#limit, useful, MAX_LIMIT);
  }

  #follow(latencyMs: number, restMs: number, mostInFlight: number): void {
    const isReached = mostInFlight >= Math.floor(this.#limit);
    if (latencyMs <= Math.max(restMs * STEADY, restMs + NOISE_MS)) {
      this.#fall = null;
      if (isReached) this.#limit *= GROWTH;
      return;
    }
    const wantedMs = Math.max(restMs * TOLERANCE, restMs + NOISE_MS);
    const gradient = Math.min(1, Math.max(LEAST_GRADIENT, wantedMs / latencyMs));
    const target = this.#limit * gradient + Math.sqrt(this.#limit);
    this.#limit = Math.max(MIN_LIMIT, this.#limit + (target - this.#limit) * SMOOTHING);
    this.#judgeFall(gradient, latencyMs);
  }

  #judgeFall(gradient: number, latencyMs: number): void {
    if (gradient === 1) {
      this.#fall = null;
      return;
    }
    // What still grows is not judged yet.
    if (this.#fall === null || latencyMs > this.#fall.latencyMs * STEADY) {
      this.#fall = { limit: this.#limit, latencyMs };
    }
    if (this.#limit > this.#fall.limit / 2 && this.#limit > MIN_LIMIT) return;
    const shouldHaveCome = this.#fall.latencyMs * (1 + this.#limit / this.#fall.limit) / 2;
    if (latencyMs > shouldHaveCome) {
      // Half the requests, and each takes as long as before (or nearly): it is not us for whom they wait.
      this.#restMs = latencyMs;
      this.#limit = this.#fall.limit;
      this.#fall = null;
    } else this.#fall = { limit: this.#limit, latencyMs };
  }
}
