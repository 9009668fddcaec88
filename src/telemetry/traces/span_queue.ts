// Sends encoded spans to an OTLP receiver, in batches of whole traces, behind the calls. Nothing waits for it: what finds no place is
// lost, and counted.
import { type Clock, sleep, within } from "../../base/clock.ts";
import { reasonOf } from "../../base/errors.ts";
import type { Log } from "../log.ts";
import type { Batch, EncodedSpans } from "./otlp.ts";
import type { Posted } from "./otlp_http.ts";

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
  /** Sends a batch. Rejects if it may be sent again. */
  readonly post: (batch: Batch) => Promise<Posted>;
  readonly countSent: (spans: number) => void;
  readonly countLost: (reason: LossReason, spans: number) => void;
}

/** Of the spans that wait. A span has about 400 bytes. */
const MAX_BYTES = 16 * 1024 * 1024;

/** Pauses before a batch is sent again, as OTLP asks for (https://opentelemetry.io/docs/specs/otlp/#otlphttp-connection). */
const PAUSES_MS = [1_000, 2_000, 4_000];

/** The log says so seldom that the receiver does not take spans, however often that turns. */
const WARN_EVERY_MS = 60_000;

/** The longest wait for the last batches when a worker ends. */
const FLUSH_MS = 5_000;

export class SpanQueue {
  readonly #options: SpanQueueOptions;
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
    return this.#spans;
  }

  /** Whether spans are taken. */
  get hasRoom(): boolean {
    return this.#spans < this.#options.maxWaiting && this.#bytes < MAX_BYTES;
  }

  /** @returns false: it finds no place, and is lost */
  add(trace: EncodedSpans): boolean {
    const { clock, delayMs, maxBatch, maxWaiting, countLost } = this.#options;
    if (this.#spans + trace.count > maxWaiting) {
      countLost("queue_full", trace.count);
      return false;
    }
    this.#waiting.push(trace);
    this.#spans += trace.count;
    this.#bytes += trace.bytes.length;
    if (this.#spans >= maxBatch) this.#send();
    this.#timer ??= clock.setTimeout(() => this.#sendWaiting(), delayMs);
    return true;
  }

  /** Sends what waits, within five seconds. */
  async close(): Promise<void> {
    const { clock, countLost } = this.#options;
    this.#sendWaiting();
    const isDone = await within(clock, FLUSH_MS, this.#sending ?? Promise.resolve());
    this.#closing.abort();
    clock.clearTimeout(this.#timer!);
    if (!isDone) await this.#sending;
    if (this.#spans > 0) countLost("not_delivered", this.#spans);
    this.#waiting = [];
    this.#spans = 0;
  }

  /** Sends all that waits now, and not what is added meanwhile. */
  #sendWaiting(): void {
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
