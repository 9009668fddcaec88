// Sends ended traces to an OTLP receiver, in batches of whole traces, behind the calls. Nothing waits for it: what finds no place is
// lost, and counted.
import { type Clock, sleep, within } from "../../base/clock.ts";
import { reasonOf } from "../../base/errors.ts";
import type { Log } from "../log.ts";
import { type Batch, BatchEncoder } from "./otlp.ts";
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
 * Ended traces that are encoded together. Where one call in a hundred is exported, the calls in between displace the code of the
 * encoding from the processor's caches: see "An exported trace" in bench/README.md. The spans of so many traces, and what they describe,
 * are kept until then.
 */
const ENCODED_TOGETHER = 32;

/** Pauses before a batch is sent again, as OTLP asks for (https://opentelemetry.io/docs/specs/otlp/#otlphttp-connection). */
const PAUSES_MS = [1_000, 2_000, 4_000];

/** The log says so seldom that the receiver does not take spans, however often that turns. */
const WARN_EVERY_MS = 60_000;

/** The longest wait for the last batches when a worker ends. */
const FLUSH_MS = 5_000;

export class SpanQueue {
  readonly #options: SpanQueueOptions;
  /** The first spans of traces that are not encoded yet. */
  #ended: Span[] = [];
  #endedSpans = 0;
  /** The batch that is not full yet. */
  readonly #encoder = new BatchEncoder();
  #waiting: Batch[] = [];
  /** Of the batches that wait. */
  #spans = 0;
  #bytes = 0;
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
    return this.#spans + this.#encoder.count + this.#endedSpans;
  }

  /**
   * Takes the spans of a trace that has ended.
   * @param first the others follow it
   * @param count of the spans, without the parts that only their encoding makes
   */
  add(first: Span, count: number): void {
    const { clock, delayMs, maxWaiting, maxBatch, countLost } = this.#options;
    // A receiver that takes nothing must not make calls dearer: what is certain to find no place is not encoded.
    if (this.length + count > maxWaiting) return countLost("queue_full", count);
    this.#ended.push(first);
    this.#endedSpans += count;
    const fillsBatch = this.#encoder.count + this.#endedSpans >= maxBatch;
    if (fillsBatch || this.#ended.length === ENCODED_TOGETHER) this.#encode();
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
    this.#encoder.take();
    this.#spans = this.#endedSpans = this.#bytes = 0;
  }

  #encode(): void {
    const ended = this.#ended;
    this.#ended = [];
    this.#endedSpans = 0;
    for (const first of ended) this.#encodeTrace(first);
  }

  #encodeTrace(first: Span): void {
    const { maxWaiting, maxBatch, taken, countLost } = this.#options;
    const encoder = this.#encoder;
    const spans = encoder.add(first);
    if (this.length > maxWaiting || this.#bytes + encoder.bytes > MAX_BYTES) {
      encoder.undo();
      return countLost("queue_full", spans);
    }
    taken(first);
    if (encoder.count > maxBatch && encoder.countBefore > 0) this.#enqueue(encoder.takeBefore());
    if (encoder.count >= maxBatch) this.#enqueue(encoder.take());
  }

  #enqueue(batch: Batch): void {
    this.#waiting.push(batch);
    this.#spans += batch.count;
    this.#bytes += batch.spans.length;
    this.#send();
  }

  /** Sends all that waits, also where the batch is not full. */
  #sendWaiting(): void {
    this.#options.clock.clearTimeout(this.#timer!);
    this.#timer = undefined;
    this.#encode();
    if (this.#encoder.count > 0) this.#enqueue(this.#encoder.take());
  }

  #send(): void {
    this.#sending ??= this.#sendAll().finally(() => {
      this.#sending = null;
      if (this.#waiting.length > 0 && !this.#closing.signal.aborted) this.#send();
    });
  }

  async #sendAll(): Promise<void> {
    while (this.#waiting.length > 0 && !this.#closing.signal.aborted) {
      const batch = this.#waiting.shift()!;
      this.#spans -= batch.count;
      this.#bytes -= batch.spans.length;
      await this.#deliver(batch);
    }
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
