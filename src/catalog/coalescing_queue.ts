// Runs work by key, one run per key at a time. Requests during a run are merged into the next run.
import type { Clock } from "../base/clock.ts";
import { SluiceError } from "../base/errors.ts";

export interface CoalescingQueueDeps<Work, Result> {
  readonly clock: Clock;
  /** Limit of parallel runs of different keys. Waiting keys start in order of arrival. */
  readonly maxAtOnce: number;
  readonly run: (key: string, work: Work) => Promise<Result>;
  /** Merges the work of two requests. */
  readonly merge: (one: Work, other: Work) => Work;
}

/** Pause between a run and a gentle one, ms. It doubles while runs follow each other closely. */
const MIN_PAUSE_MS = 50;
const MAX_PAUSE_MS = 5_000;

/** Runs follow each other closely if less than the pause plus this time lies between them, ms. */
const CALM_MS = 1_000;

/** Requested work that has not started. */
interface Next<Work, Result> {
  work: Work;
  isGentle: boolean;
  readonly result: PromiseWithResolvers<Result>;
}

interface Line<Work, Result> {
  next: Next<Work, Result> | null;
  isRunning: boolean;
  /** Timer of the pause before `next`. */
  timer: number | undefined;
  pauseMs: number;
  endedAt: number;
}

export class CoalescingQueue<Work, Result> {
  readonly #deps: CoalescingQueueDeps<Work, Result>;
  /** Never removed, so the number of keys must be bounded. */
  readonly #lines = new Map<string, Line<Work, Result>>();
  /** Keys that wait for a place. */
  readonly #waiting = new Set<string>();
  #running = 0;
  #isClosed = false;

  constructor(deps: CoalescingQueueDeps<Work, Result>) {
    this.#deps = deps;
  }

  /**
   * Requests a run that starts from now on, and returns its result.
   * @param isGentle accepts the pause; other requests end it
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

  /** Fails all work that has not started with SHUTTING_DOWN. */
  close(): void {
    this.#isClosed = true;
    this.#waiting.clear();
    for (const line of this.#lines.values()) {
      this.#deps.clock.clearTimeout(line.timer!);
      line.next?.result.reject(new SluiceError("SHUTTING_DOWN"));
      line.next = null;
    }
  }

  /** Starts the key's next run if it is due. */
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
