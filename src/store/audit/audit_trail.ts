// What one worker writes to the audit trail. Actions are written before their answer is sent; refusals and failures, of which anybody
// can cause many, are summed up and written behind.
import { type Clock, systemClock } from "../../base/clock.ts";
import type { Log } from "../../telemetry/log.ts";
import type { AuditRecord } from "./audit_record.ts";

export interface AuditTrailDeps {
  /** Writes records in one transaction. */
  readonly append: (records: readonly AuditRecord[]) => Promise<void>;
  readonly log: Log;
  /** Counts records that were written. */
  readonly countWritten: () => void;
  /** Counts records that were lost. */
  readonly countDropped: () => void;
  readonly clock?: Clock;
}

/** How long refusals wait for their like: what a crash can lose of them. */
export const BEHIND_MS = 1_000;

/** Different refusals in that time. A record of one has at most about 2 KB. */
const MAX_REFUSALS = 100;

/** Actions that wait while the database refuses them. */
const MAX_ACTIONS = 200;

export class AuditTrail {
  readonly #deps: AuditTrailDeps;
  readonly #clock: Clock;
  #actions: AuditRecord[] = [];
  #refusals = new Map<string, AuditRecord>();
  #timer: number | undefined;
  #writing: Promise<void> = Promise.resolve();
  /** Records lost since the last line of the log about it. */
  #lost = 0;

  constructor(deps: AuditTrailDeps) {
    this.#deps = deps;
    this.#clock = deps.clock ?? systemClock;
  }

  /** Resolves when the record is in the database. While the database refuses it, it waits here, and the promise resolves too. */
  record(action: AuditRecord): Promise<void> {
    if (this.#actions.length >= MAX_ACTIONS) this.#drop();
    else this.#actions.push(action);
    return this.#flush();
  }

  /** Takes a refusal or failure, to be written within `BEHIND_MS`. Never waits. */
  note(refusal: AuditRecord): void {
    const { code, status, operation, method, endpoint, actor, address } = refusal;
    const key = JSON.stringify([code, status, operation, method, endpoint, actor, address]);
    const like = this.#refusals.get(key);
    if (like !== undefined) this.#refusals.set(key, { ...like, count: like.count + refusal.count });
    else if (this.#refusals.size >= MAX_REFUSALS) this.#drop();
    else this.#refusals.set(key, refusal);
    this.#flushLater();
  }

  /** Writes what waits. */
  async close(): Promise<void> {
    await this.#flush();
    this.#clock.clearTimeout(this.#timer!);
  }

  #flushLater(): void {
    this.#timer ??= this.#clock.setTimeout(() => void this.#flush(), BEHIND_MS);
  }

  /** A batch at a time. A batch that is being written does not have the latest records. */
  #flush(): Promise<void> {
    return this.#writing = this.#writing.then(() => this.#write());
  }

  async #write(): Promise<void> {
    this.#clock.clearTimeout(this.#timer!);
    this.#timer = undefined;
    this.#tellLost();
    const [actions, refusals] = [this.#actions, this.#refusals];
    const batch = [...actions, ...refusals.values()];
    if (batch.length === 0) return;
    this.#actions = [];
    this.#refusals = new Map();
    try {
      await this.#deps.append(batch);
      for (const _record of batch) this.#deps.countWritten();
    } catch (error) {
      this.#deps.log.error("audit records not written yet", { records: batch.length, error });
      // What has come meanwhile is newer. Where both do not fit, the newer is dropped.
      const newer = [...this.#actions, ...this.#refusals.values()];
      this.#actions = actions;
      this.#refusals = refusals;
      for (const record of newer) {
        if (record.outcome !== "done") this.note(record);
        else if (this.#actions.length < MAX_ACTIONS) this.#actions.push(record);
        else this.#drop();
      }
      this.#flushLater();
    }
  }

  #drop(): void {
    this.#lost++;
    this.#deps.countDropped();
  }

  #tellLost(): void {
    if (this.#lost === 0) return;
    this.#deps.log.error("audit records lost: too many waited for the database", { records: this.#lost });
    this.#lost = 0;
  }
}
