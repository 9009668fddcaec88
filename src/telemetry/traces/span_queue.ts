// Sends ended traces to an OTLP receiver, in batches of whole traces, behind the calls. Nothing waits for it: what finds no place is
// lost, and counted.
import { type Clock, sleep, within } from "../../base/clock.ts";
import { reasonOf } from "../../base/errors.ts";
import type { Log } from "../log.ts";
import type { Batch, EncodedSpans } from "./otlp.ts";
import type { Posted } from "./otlp_http.ts";
import type { Span } from "./span.ts";

/** Why spans are lost. */
export type LossReason = "queue_full" | "not_delivered" | "refused";

export interface SpanQueueOptions {
  readonly clock: Clock;
  readonly log: Log;
  /** OTEL_BSP_SCHEDULE_DELAY */
  readonly delayMs: number;
  /** OTEL_BSP_MAX_QUEUE_SIZE, spans that wait. */
  readonly maxWaiting: number;
  /** OTEL_BSP_MAX_EXPORT_BATCH_SIZE, spans. A trace of more is a batch of its own. */
  readonly maxBatch: number;
  /** @param first of the spans of a trace; the others follow it */
  readonly encode: (first: Span) => EncodedSpans;
  /** The spans have found a place among those that are sent. */
  readonly taken: (first: Span) => void;
  /** Sends a batch. Rejects if it may be sent again. */
  readonly post: (batch: Batch) => Promise<Posted>;
  readonly countSent: (spans: number) => void;
  readonly countLost: (reason: LossReason, spans: number) => void;
}

/** Of the spans that wait. A span has about 400 bytes. */
const MAX_BYTES = 16 * 1024 * 1024;

/**
 * Traces that are encoded together. With one call in a hundred sampled, the calls in between displace the code of the encoding from the
 * processor's caches: a trace by itself took 55 µs, one of sixteen 17 (`perf`). Their objects are kept until then, as if so many calls
 * more were under way.
 */
const ENCODED_TOGETHER = 16;

/** Pauses before a batch is sent again, as OTLP asks for (https://opentelemetry.io/docs/specs/otlp/#otlphttp-connection). */
const PAUSES_MS = [1_000, 2_000, 4_000];

/** The log says so seldom that the receiver does not take spans, however often that turns. */
const WARN_EVERY_MS = 60_000;

/** The longest wait for the last batches when a worker ends. */
const FLUSH_MS = 5_000;

export class SpanQueue {
  readonly #options: SpanQueueOptions;
  /** The first spans of traces that are not encoded yet, and the number of all their spans. */
  #ended: Span[] = [];
  #endedSpans = 0;
  #waiting: EncodedSpans[] = [];
  #spans = 0;
  #bytes = 0;
  /** Spans whose delay is over: they are sent though their batch is not full. */
  #due = 0;
  #timer: number | undefined;
  #sending: Promise<void> | null = null;
  readonly #closing = new AbortController();
  /** The receiver does not take spans. */
  #isInTrouble = false;
  #warnedAt = -Infinity;

  constructor(options: SpanQueueOptions) {
    this.#options = options;
  }

  /** The number of spans. */
  get length(): number {
    return this.#spans + this.#endedSpans;
  }

  #hasRoomFor(spans: number): boolean {
    return this.length + spans <= this.#options.maxWaiting && this.#bytes < MAX_BYTES;
  }

  /** Takes the spans of a trace that has ended. */
  add(first: Span): void {
    const { clock, delayMs, maxBatch, countLost } = this.#options;
    first.trace.settle();
    let spans = 0;
    for (let span: Span | undefined = first; span !== undefined; span = span.following) {
      span.subject?.settle?.();
      spans++;
    }
    if (!this.#hasRoomFor(spans)) return countLost("queue_full", spans);
    this.#ended.push(first);
    this.#endedSpans += spans;
    const fillsBatch = this.#spans < maxBatch && this.length >= maxBatch;
    if (fillsBatch || this.#ended.length >= ENCODED_TOGETHER) this.#encode();
    this.#timer ??= clock.setTimeout(() => this.#sendWaiting(), delayMs);
  }

  /** Sends what waits, within five seconds. */
  async close(): Promise<void> {
    const { clock, countLost } = this.#options;
    this.#sendWaiting();
    const isDone = await within(clock, FLUSH_MS, this.#sending ?? Promise.resolve());
    this.#closing.abort();
    clock.clearTimeout(this.#timer!);
    if (!isDone) await this.#sending;
    if (this.length > 0) countLost("not_delivered", this.length);
    this.#waiting = [];
    this.#ended = [];
    this.#spans = this.#endedSpans = 0;
  }

  #encode(): void {
    const { encode, taken, maxBatch, countLost } = this.#options;
    const ended = this.#ended;
    this.#ended = [];
    this.#endedSpans = 0;
    for (const first of ended) {
      const encoded = encode(first);
      if (!this.#hasRoomFor(encoded.count)) {
        countLost("queue_full", encoded.count);
        continue;
      }
      this.#waiting.push(encoded);
      this.#spans += encoded.count;
      this.#bytes += encoded.bytes.length;
      taken(first);
    }
    if (this.#spans >= maxBatch) this.#send();
  }

  /** Sends all that waits now, and not what is added meanwhile. */
  #sendWaiting(): void {
    this.#encode();
    this.#options.clock.clearTimeout(this.#timer!);
    this.#timer = undefined;
    this.#due = this.#spans;
    this.#send();
  }

  #send(): void {
    this.#sending ??= this.#sendAll().finally(() => this.#sending = null);
  }

  async #sendAll(): Promise<void> {
    const isWanted = () => this.#due > 0 || this.#spans >= this.#options.maxBatch;
    while (isWanted() && !this.#closing.signal.aborted) {
      await this.#deliver(this.#nextBatch());
    }
  }

  #nextBatch(): Batch {
    let [count, traces] = [0, 0];
    for (const { count: more, bytes } of this.#waiting) {
      if (traces > 0 && count + more > this.#options.maxBatch) break;
      traces++;
      count += more;
      this.#bytes -= bytes.length;
    }
    this.#spans -= count;
    this.#due = Math.max(0, this.#due - count);
    return { traces: this.#waiting.splice(0, traces), count };
  }

  async #deliver(batch: Batch): Promise<void> {
    const { clock, post, countSent, countLost } = this.#options;
    const { signal } = this.#closing;
    for (const pauseMs of [...PAUSES_MS, null]) {
      try {
        const { refused, why } = await post(batch);
        if (refused > 0) countLost("refused", refused);
        if (refused < batch.count) countSent(batch.count - refused);
        return this.#says(refused === 0 ? null : why);
      } catch (error) {
        this.#says(reasonOf(error));
        if (pauseMs === null || signal.aborted) break;
        const isOver = await sleep(clock, pauseMs, signal).then(() => false, () => true);
        if (isOver) break;
      }
    }
    countLost("not_delivered", batch.count);
  }

  /** @param trouble null: the batch was taken */
  #says(trouble: string | null): void {
    if (this.#isInTrouble === (trouble !== null)) return;
    const { clock, log } = this.#options;
    if (trouble === null) log.info("traces are exported again");
    // A receiver that takes every other batch does not fill the log.
    else if (clock.now() - this.#warnedAt < WARN_EVERY_MS) return;
    else {
      log.warning("traces cannot be exported", { reason: trouble });
      this.#warnedAt = clock.now();
    }
    this.#isInTrouble = trouble !== null;
  }
}
