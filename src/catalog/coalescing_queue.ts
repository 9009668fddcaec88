// Work by key, one run of a key at a time: what is asked for during a run waits for its end and shares the next one.
import type { Clock } from "../base/clock.ts";
import { SluiceError } from "../base/errors.ts";

export interface CoalescingQueueDeps<Work, Result> {
  readonly clock: Clock;
  /** Runs of different keys at the same time; the others wait, the first come first. */
  readonly maxAtOnce: number;
  readonly run: (key: string, work: Work) => Promise<Result>;
  /** One work for what two asked. */
  readonly merge: (one: Work, other: Work) => Work;
}

/** From the end of a run to a gentle one: it doubles while they follow each other closely, ms. */
const MIN_PAUSE_MS = 50;
const MAX_PAUSE_MS = 5_000;

/** Runs follow each other closely unless so much more than the pause lies between them, ms. */
const CALM_MS = 1_000;

/** What was asked for and has not begun. */
interface Next<Work, Result> {
  work: Work;
  isGentle: boolean;
  readonly result: PromiseWithResolvers<Result>;
}

interface Line<Work, Result> {
  next: Next<Work, Result> | null;
  isRunning: boolean;
  /** Of the pause before `next`. */
  timer: number | undefined;
  pauseMs: number;
  endedAt: number;
}

export class CoalescingQueue<Work, Result> {
  readonly #deps: CoalescingQueueDeps<Work, Result>;
  /** As many as there were keys. */
  readonly #lines = new Map<string, Line<Work, Result>>();
  /** Keys that could begin, were there a place. */
  readonly #waiting = new Set<string>();
  #running = 0;
  #isClosed = false;

  constructor(deps: CoalescingQueueDeps<Work, Result>) {
    this.#deps = deps;
  }

  /**
   * The result of a run that begins from now on.
   * @param isGentle may wait for the pause, if nobody who asks is in a hurry
   */
  ask(key: string, work: Work, { isGentle = false }: { isGentle?: boolean } = {}): Promise<Result> {
    if (this.#isClosed) return Promise.reject(new SluiceError("SHUTTING_DOWN"));
    const line = this.#lineOf(key);
    const next = line.next ??= { work, isGentle, result: Promise.withResolvers<Result>() };
    next.work = this.#deps.merge(next.work, work);
    next.isGentle &&= isGentle;
    this.#advance(key, line);
    return next.result.promise;
  }

  /** What has not begun fails with SHUTTING_DOWN. */
  close(): void {
    this.#isClosed = true;
    this.#waiting.clear();
    for (const line of this.#lines.values()) {
      this.#deps.clock.clearTimeout(line.timer!);
      line.next?.result.reject(new SluiceError("SHUTTING_DOWN"));
      line.next = null;
    }
  }

  /** Begin the key's next run, if there is one and its time has come. */
  #advance(key: string, line: Line<Work, Result>): void {
    const { clock, maxAtOnce } = this.#deps;
    const { next } = line;
    if (next === null || line.isRunning) return;
    clock.clearTimeout(line.timer!);
    const sinceMs = Math.max(0, clock.now() - line.endedAt);
    if (next.isGentle && sinceMs < line.pauseMs) {
      line.timer = clock.setTimeout(() => this.#advance(key, line), line.pauseMs - sinceMs);
    } else if (this.#running >= maxAtOnce) {
      this.#waiting.add(key);
    } else {
      this.#waiting.delete(key);
      const isClose = sinceMs <= line.pauseMs + CALM_MS;
      line.pauseMs = isClose ? Math.min(MAX_PAUSE_MS, line.pauseMs * 2) : MIN_PAUSE_MS;
      void this.#begin(key, line, next);
    }
  }

  async #begin(key: string, line: Line<Work, Result>, { work, result }: Next<Work, Result>): Promise<void> {
    line.next = null;
    line.isRunning = true;
    this.#running++;
    try {
      result.resolve(await this.#deps.run(key, work));
    } catch (error) {
      result.reject(error);
    }
    this.#running--;
    line.isRunning = false;
    line.endedAt = this.#deps.clock.now();
    const [waitsLongest] = this.#waiting;
    if (waitsLongest !== undefined) this.#advance(waitsLongest, this.#lineOf(waitsLongest));
    this.#advance(key, line);
  }

  #lineOf(key: string): Line<Work, Result> {
    const known = this.#lines.get(key);
    if (known !== undefined) return known;
    const line = { next: null, isRunning: false, timer: undefined, pauseMs: 0, endedAt: -Infinity };
    this.#lines.set(key, line);
    return line;
  }
}
