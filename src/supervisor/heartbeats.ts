// Heartbeats: a worker that does not answer within WORKER_TIMEOUT has a blocked event loop.
import type { Clock } from "../base/clock.ts";
import type { WorkerHandle } from "./worker_handle.ts";

export interface HeartbeatOptions {
  readonly clock: Clock;
  readonly timeoutMs: number;
  readonly workers: () => readonly WorkerHandle[];
  readonly onStill: (worker: WorkerHandle, silentMs: number) => void;
}

/** Heartbeats per WORKER_TIMEOUT: a blocked worker is noticed at most a tenth late. */
const PER_TIMEOUT = 10;
const MAX_INTERVAL_MS = 5_000;

export class Heartbeats {
  readonly #options: HeartbeatOptions;
  #timer: number | undefined;

  constructor(options: HeartbeatOptions) {
    this.#options = options;
    this.#schedule();
  }

  stop(): void {
    if (this.#timer !== undefined) this.#options.clock.clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #schedule(): void {
    const intervalMs = Math.min(MAX_INTERVAL_MS, this.#options.timeoutMs / PER_TIMEOUT);
    this.#timer = this.#options.clock.setTimeout(() => {
      this.#beat();
      this.#schedule();
    }, intervalMs);
  }

  #beat(): void {
    const { clock, timeoutMs, workers, onStill } = this.#options;
    for (const worker of workers()) {
      const silentMs = clock.now() - worker.lastSeenAt;
      if (silentMs > timeoutMs) onStill(worker, silentMs);
      else worker.send({ type: "ping" });
    }
  }
}
