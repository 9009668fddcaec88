// Exports the chain to one sink, in its order and each record at least once. The database remembers how far the export has come.
import type { Clock } from "../base/clock.ts";
import { backoffMs } from "../base/backoff.ts";
import { sleep } from "../base/clock.ts";
import { reasonOf } from "../base/errors.ts";
import type { ChainedRecord } from "../store/audit/audit_record.ts";
import type { Log } from "../telemetry/log.ts";
import type { AuditSink, SinkName } from "./audit_sink.ts";

export interface AuditExporterDeps {
  readonly sink: AuditSink;
  readonly records: {
    /** The records after a number, the oldest first. */
    page(after: number, limit: number): Promise<readonly ChainedRecord[]>;
  };
  readonly cursors: {
    /** The number of the last exported record; 0: none. */
    read(sink: SinkName): Promise<number>;
    write(sink: SinkName, sequence: number): Promise<void>;
  };
  readonly clock: Clock;
  readonly log: Pick<Log, "warning" | "info">;
  /** Counts records by result. */
  readonly count: (result: "sent" | "missed") => void;
  /** Counts tries that failed. */
  readonly countFailure: () => void;
}

/** How often the exporter looks for new records, ms. */
export const LOOK_MS = 1_000;

const RETRY = { baseMs: 1_000, maxMs: 60_000 };

export class AuditExporter {
  readonly #deps: AuditExporterDeps;
  /** Tries in a row that have failed. */
  #failures = 0;

  constructor(deps: AuditExporterDeps) {
    this.#deps = deps;
  }

  /** Exports until the signal is aborted. Never rejects. */
  async run(signal: AbortSignal): Promise<void> {
    const { sink, clock } = this.#deps;
    try {
      while (!signal.aborted) {
        const pause = await this.#step(signal);
        if (pause > 0) await sleep(clock, pause, signal);
      }
    } catch {
      // Another worker leads now.
    } finally {
      sink.close();
    }
  }

  /** Exports what is there, up to one batch. @returns ms until the next step */
  async #step(signal: AbortSignal): Promise<number> {
    const { sink, records, cursors, count, countFailure } = this.#deps;
    try {
      const last = await cursors.read(sink.name);
      const batch = await records.page(last, sink.atOnce);
      if (batch.length === 0) return LOOK_MS;
      await sink.send(batch, signal);
      await cursors.write(sink.name, batch.at(-1)!.sequence);
      for (const _record of batch) count("sent");
      this.#tellMissed(batch[0].sequence - last - 1);
      this.#works();
      return batch.length < sink.atOnce ? LOOK_MS : 0;
    } catch (error) {
      if (signal.aborted) return 0;
      countFailure();
      return this.#fails(reasonOf(error));
    }
  }

  /** Retention may delete records while a sink is away for long. */
  #tellMissed(missed: number): void {
    if (missed === 0) return;
    const { sink, log, count } = this.#deps;
    for (let i = 0; i < missed; i++) count("missed");
    log.warning("audit records were deleted before they were exported", { sink: sink.name, records: missed });
  }

  #works(): void {
    const { sink, log } = this.#deps;
    if (this.#failures > 0) log.info("audit records are exported again", { sink: sink.name });
    this.#failures = 0;
  }

  #fails(reason: string): number {
    const { sink, log } = this.#deps;
    if (this.#failures === 0) log.warning("audit records are not exported", { sink: sink.name, reason });
    return backoffMs(this.#failures++, RETRY);
  }
}
