// Copies the write-ahead log into the SQLite file: a moment after each change of the registry, so that a plain copy of the file holds
// the registry, and regularly while other records are written. This happens in the supervisor, because a slow disk would delay the
// calls of a worker.
import type { Clock } from "../base/clock.ts";
import { Checkpointer } from "../store/sqlite/checkpoint.ts";
import type { Log } from "../telemetry/log.ts";

export interface WalCheckpointsOptions {
  readonly path: string;
  readonly clock: Clock;
  readonly log: Pick<Log, "warning">;
}

/** Changes within this time share one checkpoint, because each checkpoint syncs the file to the disk. */
const GATHER_MS = 200;

/** How often the database is asked whether anything was written. */
const LOOK_MS = 1_000;

export class WalCheckpoints {
  readonly #options: WalCheckpointsOptions;
  readonly #checkpointer: Checkpointer;
  #timer: number | undefined;
  #lookTimer: number | undefined;
  #isStopped = false;

  constructor(options: WalCheckpointsOptions) {
    this.#options = options;
    this.#checkpointer = new Checkpointer(options.path);
  }

  /**
   * Begins to look for changes of others than the registry, the first time at once: the database is there, and later a flood of
   * connections may leave no descriptor to open it.
   */
  start(): void {
    const look = () => {
      this.#attempt(() => this.#checkpointer.hasChanged && this.changed());
      this.#lookTimer = this.#options.clock.setTimeout(look, LOOK_MS);
    };
    look();
  }

  /** The registry has changed. */
  changed(): void {
    if (this.#isStopped) return;
    this.#timer ??= this.#options.clock.setTimeout(() => this.#run(), GATHER_MS);
  }

  stop(): void {
    this.#isStopped = true;
    const { clock } = this.#options;
    for (const timer of [this.#timer, this.#lookTimer]) if (timer !== undefined) clock.clearTimeout(timer);
    this.#checkpointer.close();
  }

  #run(): void {
    this.#timer = undefined;
    // A reader of an older state holds back the rest of the log.
    this.#attempt(() => this.#checkpointer.run() || this.changed());
  }

  #attempt(work: () => unknown): void {
    const { path, log } = this.#options;
    try {
      work();
    } catch (error) {
      log.warning("database file is not complete, a plain copy of it lacks the latest changes", {
        path,
        error,
      });
    }
  }
}
