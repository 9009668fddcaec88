// Exemplars: for each bucket of a histogram, the trace of one of its observations. They lead from a slow bucket to a call. One thread
// writes them, and the main thread reads them at any time, also after the writing thread has died.
import { BUCKETS, type Exemplar } from "./metric_values.ts";

/** Scrapes come every few seconds: what is exported in between needs no exemplar of its own. */
const MIN_AGE_MS = 1_000;

/** Where the parts of an exemplar begin, in numbers of 64 bits. The ids are 32-bit integers of eight digits each. */
const AT = { version: 0, traceId: 1, spanId: 3, seconds: 4, at: 5 } as const;
const WORDS = 6;

/** Eight hexadecimal digits. */
const DIGITS = 8;

/** The exemplars of one series of a histogram, at most one for each bucket. */
export class BucketExemplars {
  static readonly INITIAL: readonly number[] = new Array<number>(WORDS * (BUCKETS.length + 1)).fill(0);

  readonly #numbers: Float64Array;
  /** The same memory. */
  readonly #halves: Uint32Array;

  constructor(numbers: Float64Array) {
    this.#numbers = numbers;
    this.#halves = new Uint32Array(numbers.buffer, numbers.byteOffset, numbers.length * 2);
  }

  /** Only the thread that counts may call this. An exemplar of the last second stays. */
  keep({ bucket, traceId, spanId, seconds, at }: Exemplar): void {
    const word = bucket * WORDS;
    const age = at - this.#numbers[word + AT.at]!;
    if (age >= 0 && age < MIN_AGE_MS) return;
    // An odd version says that the exemplar is being written.
    Atomics.add(this.#halves, 2 * (word + AT.version), 1);
    this.#writeId(word + AT.traceId, traceId);
    this.#writeId(word + AT.spanId, spanId);
    this.#numbers[word + AT.seconds] = seconds;
    this.#numbers[word + AT.at] = at;
    Atomics.add(this.#halves, 2 * (word + AT.version), 1);
  }

  /** Without one that is being written. */
  read(): Exemplar[] {
    const found: Exemplar[] = [];
    for (let bucket = 0; bucket <= BUCKETS.length; bucket++) {
      const word = bucket * WORDS;
      const version = Atomics.load(this.#halves, 2 * (word + AT.version));
      if (version === 0 || version % 2 === 1) continue;
      const exemplar = {
        bucket,
        traceId: this.#readId(word + AT.traceId, 32),
        spanId: this.#readId(word + AT.spanId, 16),
        seconds: this.#numbers[word + AT.seconds]!,
        at: this.#numbers[word + AT.at]!,
      };
      if (Atomics.load(this.#halves, 2 * (word + AT.version)) === version) found.push(exemplar);
    }
    return found;
  }

  #writeId(word: number, id: string): void {
    for (let digit = 0; digit < id.length; digit += DIGITS) {
      this.#halves[2 * word + digit / DIGITS] = parseInt(id.slice(digit, digit + DIGITS), 16);
    }
  }

  #readId(word: number, digits: number): string {
    let id = "";
    for (let half = 2 * word; id.length < digits; half++) {
      id += this.#halves[half]!.toString(16).padStart(DIGITS, "0");
    }
    return id;
  }
}
