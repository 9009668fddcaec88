// The upstream sessions of callers: of calls without a downstream session, and of all calls where the operator lets a caller's
// sessions, or everybody, share one. A caller has them at each upstream for each set of capabilities that it declares, because an
// upstream may only ask for what the session declares.
import type { Caller } from "../../base/sharing/caller.ts";
import type { Clock } from "../../base/clock.ts";
import { SluiceError } from "../../base/errors.ts";
import { type Linked, LinkedList } from "../../base/linked_list.ts";
import { ClientState } from "../client/client_state.ts";
import { BoundSessions } from "./bound_sessions.ts";
import { EVERYBODY } from "./tenants.ts";

export interface CallerSessionsOptions {
  readonly clock: Clock;
  /** Time without a call after which a caller's sessions end; SESSION_TTL. A process ends after STDIO_IDLE_TIMEOUT. */
  readonly idleMs: number;
  /** MAX_SESSIONS_PER_CALLER and MAX_SESSIONS. */
  readonly perCaller: number;
  readonly perWorker: number;
  /** Lets the process end despite the timer (`Deno.unrefTimer`). */
  readonly unrefTimer?: (id: number) => void;
}

/** The sessions of one caller at one upstream. */
export interface CallerKey {
  readonly upstreamId: string;
  /** See Tenants. */
  readonly tenant: string;
  /** JSON text, of limited length because it is kept; undefined: none. */
  readonly capabilities: string | undefined;
}

interface Entry extends Linked<Entry> {
  readonly text: string;
  readonly key: CallerKey;
  /** Undefined: it has not called since this worker took its sessions over, or cannot be told from others. */
  caller: Caller | undefined;
  readonly bound: BoundSessions;
  running: number;
  lastUsedAt: number;
}

/** Bounds of the sweep interval, which is a tenth of the idle time. */
const MIN_SWEEP_MS = 100;
const MAX_SWEEP_MS = 30_000;

export class CallerSessions {
  readonly #options: CallerSessionsOptions;
  readonly #entries = new Map<string, Entry>();
  /** The same, the least recently used first. */
  readonly #byUse = new LinkedList<Entry>();
  #timer: number | undefined;
  #closed = false;

  constructor(options: CallerSessionsOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#entries.size;
  }

  /** The upstream sessions of each caller. */
  bounds(): BoundSessions[] {
    return [...this.#entries.values()].map(({ bound }) => bound);
  }

  /**
   * Runs a call with the caller's sessions.
   * @throws {SluiceError} TOO_MANY_SESSIONS, OVERLOADED: there is no room, and no idle session to end; what `call` throws
   */
  async run<T>(
    key: CallerKey,
    caller: Caller | undefined,
    call: (bound: BoundSessions) => Promise<T>,
  ): Promise<T> {
    const text = textOf(key);
    const entry = this.#entries.get(text) ?? this.#make(text, key, caller);
    entry.caller ??= caller;
    this.#byUse.remove(entry);
    this.#byUse.push(entry);
    entry.running++;
    try {
      return await call(entry.bound);
    } finally {
      entry.running--;
      entry.lastUsedAt = this.#options.clock.now();
    }
  }

  /** Ends the sessions to an upstream that was changed, after their calls, or to one that is gone, at once. */
  review(upstreamId: string, isGone: boolean): void {
    for (const entry of [...this.#byUse]) {
      if (entry.key.upstreamId !== upstreamId) continue;
      if (isGone) this.#end(entry);
      else entry.bound.review(() => null);
    }
  }

  /**
   * Gives all sessions away to the worker that succeeds this one. Running calls go on here. Sessions that cannot leave the worker end
   * with it, and their caller is told (WorkerLocalState).
   */
  release(): { readonly key: CallerKey; readonly bound: BoundSessions }[] {
    return this.#takeAll().map(({ key, bound }) => ({ key, bound }));
  }

  /**
   * Takes sessions over from the predecessor.
   * @param workerLocalBefore upstreams whose sessions ended with the predecessor. Nobody is told of what everybody shares.
   * @param adopt puts the others in their place
   */
  adopt(
    key: CallerKey,
    workerLocalBefore: readonly string[],
    adopt: (bound: BoundSessions) => void,
  ): void {
    const text = textOf(key);
    if (this.#closed || this.#entries.has(text) || this.#entries.size >= this.#options.perWorker) return;
    adopt(this.#add(text, key, undefined, key.tenant === EVERYBODY ? [] : workerLocalBefore).bound);
  }

  /** Ends all sessions. Resolves when they are closed. */
  async close(): Promise<void> {
    this.#closed = true;
    if (this.#timer !== undefined) this.#options.clock.clearTimeout(this.#timer);
    await Promise.all(this.#takeAll().map(({ bound }) => bound.end()));
  }

  #make(text: string, key: CallerKey, caller: Caller | undefined): Entry {
    if (this.#closed) throw new SluiceError("SHUTTING_DOWN");
    this.#makeRoom(caller);
    return this.#add(text, key, caller);
  }

  #add(
    text: string,
    key: CallerKey,
    caller: Caller | undefined,
    workerLocalBefore: readonly string[] = [],
  ): Entry {
    this.#arm();
    const { tenant, capabilities } = key;
    const client = new ClientState({
      capabilities,
      standsFor: tenant === EVERYBODY ? "everybody" : "caller",
      workerLocalBefore,
      caller: () => tenant === EVERYBODY ? undefined : entry.caller,
    });
    const lastUsedAt = this.#options.clock.now();
    const bound = new BoundSessions(client);
    const entry: Entry = {
      text,
      key,
      caller,
      bound,
      running: 0,
      lastUsedAt,
      previous: undefined,
      next: undefined,
    };
    this.#entries.set(text, entry);
    this.#byUse.push(entry);
    return entry;
  }

  #remove(entry: Entry): void {
    if (this.#byUse.remove(entry)) this.#entries.delete(entry.text);
  }

  #takeAll(): Entry[] {
    const all = [...this.#byUse];
    for (const entry of all) this.#remove(entry);
    return all;
  }

  #makeRoom(caller: Caller | undefined): void {
    const { perCaller, perWorker } = this.#options;
    const all = [...this.#byUse];
    const own = caller === undefined ? [] : all.filter((entry) => entry.caller === caller);
    if (own.length >= perCaller) {
      this.#endIdle(own, () => new SluiceError("TOO_MANY_SESSIONS", { limit: perCaller }));
    } else if (all.length >= perWorker) this.#endIdle(all, () => new SluiceError("OVERLOADED"));
  }

  /** Ends the least recently used of these that has no call. */
  #endIdle(entries: readonly Entry[], refusal: () => SluiceError): void {
    const idle = entries.find(({ running }) => running === 0);
    if (idle === undefined) throw refusal();
    this.#end(idle);
  }

  #end(entry: Entry): void {
    this.#remove(entry);
    void entry.bound.end();
  }

  #arm(): void {
    if (this.#timer !== undefined) return;
    const { clock, idleMs, unrefTimer } = this.#options;
    const periodMs = Math.max(MIN_SWEEP_MS, Math.min(MAX_SWEEP_MS, idleMs / 10));
    this.#timer = clock.setTimeout(() => this.#sweep(), periodMs);
    unrefTimer?.(this.#timer);
  }

  #sweep(): void {
    this.#timer = undefined;
    const before = this.#options.clock.now() - this.#options.idleMs;
    for (const entry of [...this.#byUse]) {
      if (entry.running === 0 && entry.lastUsedAt <= before) this.#end(entry);
    }
    if (this.#entries.size > 0 && !this.#closed) this.#arm();
  }
}

function textOf({ upstreamId, tenant, capabilities }: CallerKey): string {
  return JSON.stringify([upstreamId, tenant, capabilities]);
}
