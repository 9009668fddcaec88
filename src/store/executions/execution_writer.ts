// Writes what this process has executed to the database, some seconds behind. Any worker may write: batches are added once.
import { type Clock, repeat } from "../../base/clock.ts";
import { reasonOf } from "../../base/errors.ts";
import type { Log } from "../../telemetry/log.ts";
import type { ExecutionBatch } from "./execution_rows.ts";
import type { ExecutionStore } from "./execution_store.ts";

export interface ExecutionWriterDeps {
  readonly store: ExecutionStore;
  /** The batch that has to be written next; null: the database has everything. */
  readonly next: () => Promise<ExecutionBatch | null>;
  readonly written: (sequence: number) => Promise<unknown>;
  readonly clock: Clock;
  readonly log: Pick<Log, "warning" | "info">;
  /** null: this worker writes at its end and for readers only. */
  readonly everyMs: number | null;
}

export class ExecutionWriter {
  readonly #deps: ExecutionWriterDeps;
  readonly #stop: () => void;
  #writing: Promise<void> = Promise.resolve();
  /** The round that has not begun: after it, the calls until now are in the database. */
  #next: Promise<void> | null = null;
  #isBehind = false;

  constructor(deps: ExecutionWriterDeps) {
    this.#deps = deps;
    this.#stop = deps.everyMs === null ? () => {} : repeat(deps.clock, deps.everyMs, () => this.write());
  }

  /** Writes all that there is. Never rejects: what could not be written is written later. */
  write(): Promise<void> {
    if (this.#next === null) {
      this.#next = this.#writing = this.#writing.then(() => {
        this.#next = null;
        return this.#write();
      });
    }
    return this.#next;
  }

  /** The executions in the database, with those of this process until now. */
  async current(): Promise<ExecutionStore> {
    await this.write();
    return this.#deps.store;
  }

  async close(): Promise<void> {
    this.#stop();
    await this.write();
  }

  async #write(): Promise<void> {
    const { store, next, written, clock, log } = this.#deps;
    try {
      for (let batch = await next(); batch !== null; batch = await next()) {
        await store.add(batch, clock.now());
        await written(batch.sequence);
      }
      if (this.#isBehind) log.info("executions are written again");
      this.#isBehind = false;
    } catch (error) {
      if (!this.#isBehind) log.warning("executions are not written", { reason: reasonOf(error) });
      this.#isBehind = true;
    }
  }
}
