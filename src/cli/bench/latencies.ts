// Latencies in a histogram of constant relative precision (HdrHistogram): 0.1 % from a microsecond to an hour.
import {
  build,
  decodeFromCompressedBase64,
  encodeIntoCompressedBase64,
  type Histogram,
} from "hdr-histogram-js";

const MICROS = 1_000;
const MAX_MICROS = 3_600_000_000;

/** All times in ms; null: nothing was measured. */
export interface LatencySummary {
  readonly min: number | null;
  readonly mean: number | null;
  readonly stdDev: number | null;
  readonly p50: number | null;
  readonly p75: number | null;
  readonly p90: number | null;
  readonly p95: number | null;
  readonly p99: number | null;
  readonly p999: number | null;
  readonly p9999: number | null;
  readonly max: number | null;
}

export class Latencies {
  readonly #histogram: Histogram;
  // Exact. The histogram tells the ends of a value's range.
  #minMicros = Infinity;
  #maxMicros = 0;

  constructor(histogram?: Histogram) {
    if (histogram !== undefined && histogram.totalCount > 0) {
      this.#minMicros = histogram.getValueAtPercentile(0);
      this.#maxMicros = histogram.maxValue;
    }
    this.#histogram = histogram ?? build({
      lowestDiscernibleValue: 1,
      highestTrackableValue: MAX_MICROS,
      numberOfSignificantValueDigits: 3,
    });
  }

  /** @throws {Error} the text is no histogram */
  static decode(base64: string): Latencies {
    return new Latencies(decodeFromCompressedBase64(base64));
  }

  get count(): number {
    return this.#histogram.totalCount;
  }

  record(ms: number): void {
    const micros = Math.min(MAX_MICROS, Math.max(0, Math.round(ms * MICROS)));
    this.#minMicros = Math.min(this.#minMicros, micros);
    this.#maxMicros = Math.max(this.#maxMicros, micros);
    this.#histogram.recordValue(micros);
  }

  add(other: Latencies): void {
    if (other.count === 0) return;
    this.#minMicros = Math.min(this.#minMicros, other.#minMicros);
    this.#maxMicros = Math.max(this.#maxMicros, other.#maxMicros);
    this.#histogram.add(other.#histogram);
  }

  reset(): void {
    this.#histogram.reset();
    this.#minMicros = Infinity;
    this.#maxMicros = 0;
  }

  /** @param percent from 0 to 100 @returns ms; null: nothing was measured */
  percentile(percent: number): number | null {
    return this.count === 0 ? null : this.#micros(percent) / MICROS;
  }

  #micros(percent: number): number {
    return Math.max(
      this.#minMicros,
      Math.min(this.#histogram.getValueAtPercentile(percent), this.#maxMicros),
    );
  }

  get summary(): LatencySummary {
    const orNull = (micros: number) => this.count === 0 ? null : round(micros / MICROS);
    const at = (percent: number) => orNull(this.count === 0 ? 0 : this.#micros(percent));
    return {
      min: orNull(this.#minMicros),
      mean: orNull(this.#histogram.mean),
      stdDev: orNull(this.#histogram.stdDeviation),
      p50: at(50),
      p75: at(75),
      p90: at(90),
      p95: at(95),
      p99: at(99),
      p999: at(99.9),
      p9999: at(99.99),
      max: orNull(this.#maxMicros),
    };
  }

  /** HdrHistogram's own format, which its programs read; the values are µs. */
  encode(): string {
    return encodeIntoCompressedBase64(this.#histogram);
  }
}

function round(ms: number): number {
  return Math.round(ms * 1_000) / 1_000;
}
