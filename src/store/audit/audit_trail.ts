// What one worker writes to the audit trail. Actions are written before their answer is sent. Calls of tools are written behind, and so are
// refusals and failures, of which anybody can cause many: those that are alike are summed up.
import { type Clock, systemClock } from "../../base/clock.ts";
import type { Log } from "../../telemetry/log.ts";
import { type AuditRecord, gapRecord, type Lost } from "./audit_record.ts";

export interface AuditTrailDeps {
  /** Writes records in one transaction. */
  readonly append: (records: readonly AuditRecord[]) => Promise<void>;
  readonly log: Log;
  /** Counts records that were written. */
  readonly countWritten: () => void;
  /** Counts records that were lost. */
  readonly countDropped: () => void;
  readonly clock?: Clock;
  /** AUDIT_MAX_WAITING: calls of tools that wait for the database. */
  readonly maxWaiting: number;
  /** AUDIT_WHEN_FULL=refuse: what is to be recorded is refused while the trail is full. */
  readonly refusesWhenFull: boolean;
}

/** How long records wait for others, ms: what a crash can lose while the database takes records. */
export const BEHIND_MS = 1_000;

/** Different refusals in that time. A record of one has at most about 2 KB. */
const MAX_REFUSALS = 100;

/** Actions that wait while the database refuses them. */
const MAX_ACTIONS = 200;

/** Calls in one transaction: with SQLite it blocks the worker meanwhile, for some milliseconds. */
const CALLS_AT_ONCE = 200;

export class AuditTrail {
  readonly #deps: AuditTrailDeps;
  readonly #clock: Clock;
  #actions: AuditRecord[] = [];
  #calls: AuditRecord[] = [];
  #refusals = new Map<string, AuditRecord>();
  #timer: number | undefined;
  #writing: Promise<void> = Promise.resolve();
  /** Is a write under way, or about to begin, or has the latest one failed? */
  #isBusy = false;
  /** Records lost since the last gap that was written. */
  #lost: Lost | null = null;

  constructor(deps: AuditTrailDeps) {
    this.#deps = deps;
    this.#clock = deps.clock ?? systemClock;
  }

  /** Must a call or write that would be recorded be refused now? */
  get refuses(): boolean {
    const isFull = this.#calls.length >= this.#deps.maxWaiting || this.#actions.length >= MAX_ACTIONS;
    return isFull && this.#deps.refusesWhenFull;
  }

  /** Records that wait for the database. */
  get waiting(): number {
    return this.#actions.length + this.#calls.length + this.#refusals.size;
  }

  /** Resolves when the record is in the database. While the database refuses it, it waits here, and the promise resolves too. */
  record(action: AuditRecord): Promise<void> {
    if (this.#actions.length >= MAX_ACTIONS) this.#drop(action);
    else this.#actions.push(action);
    return this.#flush();
  }

  /** Takes a call of a tool, to be written within `BEHIND_MS`. Never waits. */
  add(call: AuditRecord): void {
    // Calls that were under way when the trail became full have their place: the limit of requests under way bounds them.
    if (this.#calls.length >= this.#deps.maxWaiting && !this.#deps.refusesWhenFull) this.#drop(call);
    else this.#calls.push(call);
    if (this.#calls.length < CALLS_AT_ONCE || this.#isBusy) this.#flushLater();
    else void this.#flush();
  }

  /** Takes a refusal or failure, to be written within `BEHIND_MS`. Never waits. */
  note(refusal: AuditRecord): void {
    const { code, status, operation, method, endpoint, actor, address } = refusal;
    const key = JSON.stringify([code, status, operation, method, endpoint, actor, address]);
    const like = this.#refusals.get(key);
    if (like !== undefined) this.#refusals.set(key, { ...like, count: like.count + refusal.count });
    else if (this.#refusals.size >= MAX_REFUSALS) this.#drop(refusal);
    else this.#refusals.set(key, refusal);
    this.#flushLater();
  }

  /** Writes what waits, unless the database refuses it. */
  async close(): Promise<void> {
    for (let before = Infinity; this.waiting > 0 && this.waiting < before;) {
      before = this.waiting;
      await this.#flush();
    }
    await this.#flush();
    this.#clock.clearTimeout(this.#timer!);
  }

  #flushLater(): void {
    this.#timer ??= this.#clock.setTimeout(() => void this.#flush(), BEHIND_MS);
  }

  /** A batch at a time. A batch that is being written does not have the latest records. */
  #flush(): Promise<void> {
    this.#isBusy = true;
    return this.#writing = this.#writing.then(() => this.#write());
  }

  async #write(): Promise<void> {
    this.#clock.clearTimeout(this.#timer!);
    this.#timer = undefined;
    const [actions, refusals, lost] = [this.#actions, this.#refusals, this.#lost];
    const calls = this.#calls.splice(0, CALLS_AT_ONCE);
    const gap = lost === null ? [] : [gapRecord(lost)];
    const batch = [...gap, ...actions, ...calls, ...refusals.values()];
    if (batch.length === 0) {
      this.#isBusy = false;
      return;
    }
    this.#actions = [];
    this.#refusals = new Map();
    this.#lost = null;
    try {
      await this.#deps.append(batch);
      for (const _record of batch) this.#deps.countWritten();
      this.#isBusy = false;
      if (this.#calls.length >= CALLS_AT_ONCE) void this.#flush();
      else if (this.#calls.length > 0) this.#flushLater();
    } catch (error) {
      this.#deps.log.error("audit records not written yet", { records: batch.length, error });
      this.#keep({ actions, calls, refusals, lost });
      this.#flushLater();
    }
  }

  /** Puts back what was not written. What has come meanwhile is newer: where both do not fit, the newer is dropped. */
  #keep({ actions, calls, refusals, lost }: {
    readonly actions: AuditRecord[];
    readonly calls: AuditRecord[];
    readonly refusals: Map<string, AuditRecord>;
    readonly lost: Lost | null;
  }): void {
    const newer = { actions: this.#actions, refusals: this.#refusals, calls: this.#calls };
    if (lost !== null) {
      this.#lost = this.#lost === null
        ? lost
        : { ...lost, until: this.#lost.until, count: lost.count + this.#lost.count };
    }
    this.#actions = actions;
    this.#refusals = refusals;
    this.#calls = [...calls, ...newer.calls];
    for (const record of newer.refusals.values()) this.note(record);
    for (const record of newer.actions) {
      if (this.#actions.length < MAX_ACTIONS) this.#actions.push(record);
      else this.#drop(record);
    }
    if (this.#deps.refusesWhenFull) return;
    for (const record of this.#calls.splice(this.#deps.maxWaiting)) this.#drop(record);
  }

  /** A record of the gap follows in the chain. */
  #drop({ at, count }: AuditRecord): void {
    if (this.#lost === null) this.#deps.log.error("audit records lost: too many wait for the database");
    this.#lost = { from: this.#lost?.from ?? at, until: at, count: (this.#lost?.count ?? 0) + count };
    this.#deps.countDropped();
  }
}
