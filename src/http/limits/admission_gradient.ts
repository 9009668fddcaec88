// BACKPRESSURE=auto: a limit on concurrent requests that follows their latency.

/** Bounds of the limit. It starts low, because refusals in the first moments cost less than a long queue. */
const MIN_LIMIT = 4;
export const MAX_LIMIT = 4096;
const START_LIMIT = 20;

/** A window ends with this many samples, this age (ms), and this many mean latencies of age, so that it includes slow requests. */
const WINDOW_SAMPLES = 10;
const WINDOW_MS = 100;
const WINDOW_LATENCIES = 2;

/** The limit falls when the latency exceeds this multiple of the latency at rest. */
const TOLERANCE = 1.3;

/** A difference of this many ms to the latency at rest is noise. */
const NOISE_MS = 2;

/** Latency below this multiple of the latency at rest is steady. */
const STEADY = 1.1;

/** Growth per window of a limit that is reached while the latency is steady. */
const GROWTH = 1.5;

/** The limit stays below this multiple of the recent concurrency. An unused allowance would let the next flood in. */
const HEADROOM = 2;
/** Decay per window of the recent concurrency. */
const MEMORY = 0.97;

/** The steepest fall in one window, which may have been an outlier. */
const LEAST_GRADIENT = 0.3;

/** Weight of a window's result in the limit. */
const SMOOTHING = 0.5;

/** Weight of a window in the latency at rest: when it falls, and when it rises in windows with low concurrency. */
const REST_FALL = 0.2;
const REST_RISE = 0.1;

/**
 * The gradient of Netflix's concurrency-limits (Gradient2). By Little's law, the concurrency without queueing is throughput times
 * latency at rest. Each window multiplies the limit by (latency at rest × tolerance) / (latency now), clamped to 0.3 to 1, and adds
 * √limit, by which the limit grows while nothing queues.
 *
 * Two things differ from Gradient2.
 * - The limit starts low and grows by half per window while it is reached and the latency is steady, like TCP's slow start. It falls
 *   back to what is used (RFC 7661). A flood therefore never meets a limit far above the load that was served well.
 * - Gradient2 estimates the latency at rest by a long-term average, which a lasting overload pulls up together with the limit. Here the
 *   estimate falls at once, and rises in two cases only: in windows with low concurrency, and when the limit has halved and the
 *   latency has not followed. In the second case the upstream itself has become slower, shedding does not help, and the limit is
 *   restored.
 */
export class GradientLimit {
  #limit = START_LIMIT;
  /** ms; null before the first window. */
  #restMs: number | null = null;
  /** The limit before its current fall, and the latency at that time; null: it is not falling. */
  #fall: { readonly limit: number; readonly latencyMs: number } | null = null;

  /** NaN before the first sample. */
  #windowStart = NaN;
  #samples = 0;
  #sumMs = 0;
  #mostInFlight = 0;
  /** The highest recent concurrency, decaying by MEMORY. */
  #lately = 0;

  /** The limit in whole requests. */
  get limit(): number {
    return Math.floor(this.#limit);
  }

  /**
   * Takes the sample of a finished request.
   * @param startMs,endMs times of one monotonic clock
   * @param inFlight requests under way at its end, this one included
   * @returns the new limit
   */
  sample(startMs: number, endMs: number, inFlight: number): number {
    if (inFlight > this.#mostInFlight) this.#mostInFlight = inFlight;
    if (Number.isNaN(this.#windowStart)) this.#windowStart = startMs;
    // A request admitted in an earlier window is a sample of an earlier limit.
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
    // An unused limit says nothing about the capacity.
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
    // A latency that still grows is not judged yet.
    if (this.#fall === null || latencyMs > this.#fall.latencyMs * STEADY) {
      this.#fall = { limit: this.#limit, latencyMs };
    }
    if (this.#limit > this.#fall.limit / 2 && this.#limit > MIN_LIMIT) return;
    const shouldHaveCome = this.#fall.latencyMs * (1 + this.#limit / this.#fall.limit) / 2;
    if (latencyMs > shouldHaveCome) {
      // Half the concurrency and hardly less latency: the upstream is slow by itself.
      this.#restMs = latencyMs;
      this.#limit = this.#fall.limit;
      this.#fall = null;
    } else this.#fall = { limit: this.#limit, latencyMs };
  }
}
