// Keeps the SQLite file complete: a moment after each change of the registry, the write-ahead log is copied into it. A plain copy of
// the file then holds the registry. This happens in the supervisor, because a slow disk would delay the calls of a worker.
import type { Clock } from "../base/clock.ts";
import { checkpoint } from "../store/sqlite/checkpoint.ts";
import type { Log } from "../telemetry/log.ts";

export interface WalCheckpointsOptions {
  readonly path: string;
  readonly clock: Clock;
  readonly log: Pick<Log, "warning">;
}

/** Changes within this time share one checkpoint, because each checkpoint syncs the file to the disk. */
const GATHER_MS = 200;

export class WalCheckpoints {
  readonly #options: WalCheckpointsOptions;
  #timer: number | undefined;
  #isStopped = false;

  constructor(options: WalCheckpointsOptions) {
    this.#options = options;
  }

  /** The registry has changed. */
  changed(): void {
    if (this.#isStopped) return;
    this.#timer ??= this.#options.clock.setTimeout(() => this.#run(), GATHER_MS);
  }

  stop(): void {
    this.#isStopped = true;
    if (this.#timer !== undefined) this.#options.clock.clearTimeout(this.#timer);
  }

  #run(): void {
    const { path, log } = this.#options;
    this.#timer = undefined;
    try {
      // A reader of an older state holds back the rest of the log.
      if (!checkpoint(path)) this.changed();
    } catch (error) {
      log.warning("database file is not complete, a plain copy of it lacks the latest changes", {
        path,
        error,
      });
    }
  }
}
