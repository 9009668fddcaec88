// Room `pool`: lends upstream sessions to calls that may share them. Callers use `SessionPool`, with keys from `PoolKeys`.
// This file is the pool of one worker. Callers of a key are served in order of arrival.
import type { CancelSignal } from "../../base/cancellation.ts";
import type { Clock } from "../../base/clock.ts";
import { SluiceError } from "../../base/errors.ts";
import type { CircuitBreakers } from "../resilience/circuit_breaker.ts";
import type { PoolSnapshot } from "./pool_metrics.ts";
import { hasRoom, heirOf, makeKeyRoom, makeRoom } from "./caps.ts";
import { ANONYMOUS_IDENTITY, type PoolKey } from "./session_key.ts";
import {
  type CreateSession,
  KeyGroup,
  noCounts,
  type PoolEntry,
  PoolLists,
  type PoolSession,
} from "./pool_entry.ts";
import { isHealthy } from "./idle_check.ts";
import { type Lease, PoolLease } from "./lease.ts";
import { open } from "./opening.ts";
import type { SessionPoolOptions } from "./pool_options.ts";
import { Waiter } from "./wait_queue.ts";
import { sessionsByUpstream, snapshotOf } from "./pool_snapshot.ts";

/** Bounds of the sweep interval, which is a tenth of the shortest session lifetime. */
const MIN_SWEEP_MS = 100;
const MAX_SWEEP_MS = 5_000;

/**
 * Guarantees:
 * - A session is leased to one holder at a time, under the key it was opened for.
 * - A creation occupies a slot from its start. It starts only for a caller that no idle session, running validation or
 *   running creation will serve. Thus the creations for a key never exceed its free slots or its waiting callers.
 * - A creation belongs to the key and outlives its caller. An available session goes to the caller that has waited longest,
 *   so a caller whose own creation hangs is served by the next release.
 * - A failed creation fails only the caller that has waited longest. The others try again.
 * - No caller waits while a session or slot is available to it. A caller that needs a new session while the circuit is open
 *   fails at once.
 * - Under the total cap, keys are served in turn, so that a busy key cannot starve the others.
 */
export class SessionPool<S extends PoolSession> {
  readonly #options: SessionPoolOptions;
  readonly #clock: Clock;
  readonly #lists = new PoolLists<S, Lease<S>>(() => this.#stopSweep());
  readonly #counters = noCounts();
  readonly #breakers: CircuitBreakers;
  #sweepTimer: number | undefined;
  #closed = false;
  readonly #giveBack = (entry: PoolEntry<S, Lease<S>>, broken: boolean) => this.#returned(entry, broken);

  constructor(options: SessionPoolOptions) {
    this.#options = options;
    this.#clock = options.clock;
    this.#breakers = options.breakers;
  }

  /**
   * Returns a lease without waiting if a fresh session is idle; else undefined, and the caller uses `lease()`. This is the
   * warm path.
   */
  tryLease(key: PoolKey): Lease<S> | undefined {
    const entry = this.#lists.groups.get(key.text)?.idle.at(-1);
    if (entry === undefined || this.#fitness(entry, this.#clock.now()) !== "fresh") return undefined;
    this.#counters.pool_hits++;
    if (key.identity === ANONYMOUS_IDENTITY) this.#counters.anonymous_identity_count++;
    return this.#lend(entry, true);
  }

  /**
   * Returns a lease, waiting if necessary. `create` opens a session for this key, which may serve another caller of the key.
   * @throws {SluiceError} SESSION_POOL_TIMEOUT, SESSION_POOL_FULL, UPSTREAM_CIRCUIT_OPEN, SHUTTING_DOWN, UPSTREAM_TIMEOUT
   *  (creation took too long); errors of `create`; the signal's reason
   */
  async lease(key: PoolKey, create: CreateSession<S>, signal?: CancelSignal): Promise<Lease<S>> {
    signal?.throwIfAborted();
    const warm = this.tryLease(key);
    if (warm !== undefined) return warm;
    if (this.#closed) throw new SluiceError("SHUTTING_DOWN");
    const group = this.#groupOf(key);
    this.#counters.pool_misses++;
    if (key.identity === ANONYMOUS_IDENTITY) this.#counters.anonymous_identity_count++;
    const lease = await new Promise<Lease<S>>((resolve, reject) => {
      const waiter = new Waiter(create, this.#clock.now(), resolve, reject);
      group.callers.push(waiter);
      this.#settle(group);
      if (waiter.queued) this.#bound(waiter, group, signal);
    });
    // The caller was aborted during the hand-off. The session goes to the next caller.
    if (signal?.aborted) {
      lease.release();
      throw signal.reason;
    }
    return lease;
  }

  /**
   * Closes idle sessions now and leased sessions when they are returned. Waiting calls get new sessions. Until then a key may
   * hold the old sessions in addition to `maxPerKey` new ones; the total cap counts all.
   */
  drain(
    filter: (key: PoolKey) => boolean = () => true,
  ): { readonly closed: number; readonly pending: number } {
    let closed = 0;
    let pending = 0;
    for (const group of [...this.#lists.groups.values()].filter(({ key }) => filter(key))) {
      this.#lists.groups.delete(group.key.text);
      this.#lists.retired.add(group);
      group.retired = true;
      for (const entry of group.entries) {
        if (entry.state === "idle" || entry.state === "validating") {
          this.#lists.discard(entry);
          closed++;
        } else pending++;
      }
      this.#settle(group);
    }
    return { closed, pending };
  }

  /** Drains a changed or deleted upstream: later leases get new sessions, and its breaker starts afresh. */
  closeUpstream(upstreamId: string): void {
    this.#breakers.forget(upstreamId);
    this.drain((key) => key.upstreamId === upstreamId);
  }

  /** Closes all sessions to an upstream that was disabled or deleted, leased ones too; waiting callers get `reason`. */
  cutUpstream(upstreamId: string, reason: SluiceError): void {
    this.#breakers.forget(upstreamId);
    this.#end(({ key }) => key.upstreamId === upstreamId, reason);
    this.#serveStarved();
  }

  /** Closes everything, leased sessions too; waiting callers get SHUTTING_DOWN. Resolves when all sessions are closed. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#end(() => true, new SluiceError("SHUTTING_DOWN"));
    await Promise.all(this.#lists.closings);
  }

  #end(isMeant: (group: KeyGroup<S, Lease<S>>) => boolean, reason: SluiceError): void {
    for (const group of [...this.#lists.all()].filter(isMeant)) {
      for (let caller = group.callers.shift(); caller !== undefined; caller = group.callers.shift()) {
        caller.reject(reason);
      }
      for (const entry of group.entries) this.#lists.discard(entry, reason);
      this.#lists.dropIfEmpty(group);
    }
  }

  /** Sessions by the id of their upstream. */
  byUpstream(): ReadonlyMap<string, number> {
    return sessionsByUpstream(this.#lists);
  }

  snapshot(): PoolSnapshot {
    return snapshotOf(this.#lists, this.#counters, this.#breakers, this.#options);
  }

  #groupOf(key: PoolKey): KeyGroup<S, Lease<S>> {
    const known = this.#lists.groups.get(key.text);
    if (known !== undefined) return known;
    // This check precedes the eviction of another key, because the call cannot succeed.
    const refusal = this.#circuitOpen(key);
    if (refusal !== undefined) throw refusal;
    const { maxTotalKeys } = this.#options;
    if (!makeKeyRoom(this.#lists, maxTotalKeys, this.#counters)) {
      const reason = `all ${maxTotalKeys} keys are in use (MCP_SESSION_POOL_MAX_TOTAL_KEYS)`;
      throw new SluiceError("SESSION_POOL_FULL", { reason });
    }
    const group = new KeyGroup<S, Lease<S>>(key);
    this.#lists.groups.set(key.text, group);
    return group;
  }

  #circuitOpen(key: PoolKey): SluiceError | undefined {
    const waitMs = this.#breakers.of(key).waitMs();
    return waitMs > 0
      ? new SluiceError("UPSTREAM_CIRCUIT_OPEN", { upstream: key.upstream, waitMs })
      : undefined;
  }

  /** Makes a waiting caller leave when it is aborted, or when no slot becomes free in time. */
  #bound(
    waiter: Waiter<Lease<S>, CreateSession<S>>,
    group: KeyGroup<S, Lease<S>>,
    signal: CancelSignal | undefined,
  ): void {
    const leave = (error: unknown) => {
      group.callers.remove(waiter);
      waiter.reject(error);
      this.#settle(group);
    };
    const timeoutMs = this.#options.acquireTimeoutMs;
    const wait = () =>
      this.#clock.setTimeout(() => {
        // A session with its own timeouts is being prepared for this caller, so it no longer waits for a slot.
        if (group.callers.isAmongFirst(waiter, group.preparing)) {
          timer = wait();
          return;
        }
        this.#counters.acquire_timeouts++;
        leave(new SluiceError("SESSION_POOL_TIMEOUT", { upstream: group.key.upstream, timeoutMs }));
      }, timeoutMs);
    let timer = wait();
    const onAbort = () => leave(signal!.reason);
    signal?.addEventListener("abort", onAbort);
    waiter.onLeave = () => {
      this.#clock.clearTimeout(timer);
      signal?.removeEventListener("abort", onAbort);
      this.#options.onWaited?.(this.#clock.now() - waiter.sinceMs);
    };
  }

  #fitness({ session, createdAtMs, idleSinceMs }: PoolEntry<S, Lease<S>>, nowMs: number): Fitness {
    if (session!.closed) return "dead";
    if (nowMs - createdAtMs >= this.#options.ttlMs) return "old";
    return nowMs - idleSinceMs >= this.#options.healthCheckIntervalMs ? "stale" : "fresh";
  }

  #lend(entry: PoolEntry<S, Lease<S>>, reused: boolean): Lease<S> {
    this.#lists.move(entry, "leased");
    if (reused) this.#counters.total_sessions_reused++;
    return new PoolLease(entry, reused, this.#giveBack);
  }

  /** Serves the group's callers after a change, then those of other keys. */
  #settle(group: KeyGroup<S, Lease<S>>): void {
    this.#serve(group);
    this.#serveStarved();
  }

  #serve(group: KeyGroup<S, Lease<S>>): void {
    const { callers, key } = group;
    let starved = false;
    while (callers.length > 0 && !starved) {
      const idle = group.idle.at(-1);
      const fitness = idle === undefined ? undefined : this.#fitness(idle, this.#clock.now());
      if (fitness === "fresh") callers.shift()!.resolve(this.#lend(idle!, true));
      else if (fitness === "dead" || fitness === "old") {
        if (fitness === "old") this.#counters.evictions++;
        this.#lists.discard(idle!);
      } else if (callers.length <= group.preparing) break;
      else if (fitness === "stale") this.#validate(idle!);
      else if (group.entries.size >= this.#options.maxPerKey) break;
      else {
        // The first caller without a session in preparation.
        const unmet = callers.at(group.preparing)!;
        const refusal = this.#circuitOpen(key);
        if (refusal !== undefined) {
          callers.remove(unmet);
          unmet.reject(refusal);
        } else if (makeRoom(this.#lists, this.#options.maxTotalSessions, this.#counters)) {
          this.#create(group, unmet.create);
        } else starved = true;
      }
    }
    if (starved) this.#lists.starved.add(group);
    else this.#lists.starved.delete(group);
    this.#lists.dropIfEmpty(group);
  }

  /** Serves the keys that wait for the total cap, in turn, while there is room. */
  #serveStarved(): void {
    const { starved } = this.#lists;
    while (starved.size > 0 && hasRoom(this.#lists, this.#options.maxTotalSessions)) {
      const [first] = starved;
      // A key that needs more room queues again at the end.
      starved.delete(first);
      this.#serve(first);
    }
  }

  #heirOf(group: KeyGroup<S, Lease<S>>): KeyGroup<S, Lease<S>> | undefined {
    if (this.#lists.starved.size === 0) return undefined;
    return heirOf(this.#lists, group, this.#clock.now(), this.#options.acquireTimeoutMs / 4);
  }

  /** Called when a slot of the group became free. */
  #freed(group: KeyGroup<S, Lease<S>>): void {
    const heir = this.#heirOf(group);
    if (heir !== undefined) this.#serve(heir);
    this.#settle(group);
  }

  #returned(entry: PoolEntry<S, Lease<S>>, broken: boolean): void {
    // The pool or the upstream was closed meanwhile, and the session with it.
    if (entry.state !== "leased") return;
    const { group } = entry;
    const nowMs = this.#clock.now();
    const old = nowMs - entry.createdAtMs >= this.#options.ttlMs;
    const surplus = group.entries.size > this.#options.maxPerKey;
    if (broken || entry.session!.closed || old || surplus || group.retired || this.#heirOf(group)) {
      if (!broken && !entry.session!.closed && !group.retired) this.#counters.evictions++;
      this.#lists.discard(entry);
      this.#freed(group);
    } else this.#offer(entry, nowMs, true);
  }

  /** Gives an available session to the caller that has waited longest; else the session becomes idle. */
  #offer(entry: PoolEntry<S, Lease<S>>, nowMs: number, reused: boolean): void {
    const { group } = entry;
    const caller = group.callers.shift();
    if (caller !== undefined) caller.resolve(this.#lend(entry, reused));
    else if (group.retired) this.#lists.discard(entry);
    else {
      entry.idleSinceMs = nowMs;
      this.#lists.move(entry, "idle");
      // No caller of this key waits, so only other keys may use the room.
      if (this.#lists.starved.size > 0) this.#serveStarved();
      return;
    }
    this.#settle(group);
  }

  #create(group: KeyGroup<S, Lease<S>>, create: CreateSession<S>): void {
    const attempt = this.#breakers.of(group.key).enter();
    const entry = this.#lists.admit(group);
    entry.cancel = open({
      create,
      upstream: group.key.upstream,
      timeoutMs: this.#options.createTimeoutMs,
      clock: this.#clock,
      onOpened: (session) => {
        attempt.succeeded();
        entry.cancel = undefined;
        entry.session = session;
        entry.createdAtMs = this.#clock.now();
        this.#counters.total_sessions_created++;
        this.#armSweep();
        this.#offer(entry, entry.createdAtMs, false);
      },
      onFailed: (error) => {
        this.#counters.creation_failures++;
        if (this.#options.isBreakerFailure(error)) attempt.failed();
        else attempt.abandoned();
        this.#lists.move(entry, "closed");
        group.callers.shift()?.reject(error);
        this.#freed(group);
      },
      onLate: (session) => this.#lists.close(session),
    });
  }

  async #validate(entry: PoolEntry<S, Lease<S>>): Promise<void> {
    const { group } = entry;
    const { healthCheckMethods, healthCheckTimeoutMs, ttlMs } = this.#options;
    this.#lists.move(entry, "validating");
    const stop = new AbortController();
    entry.cancel = () => stop.abort();
    const limits = { timeoutMs: healthCheckTimeoutMs, clock: this.#clock, signal: stop.signal };
    const healthy = await isHealthy(entry.session!, healthCheckMethods, limits);
    // The session was closed or drained meanwhile.
    if (entry.state !== "validating") return;
    entry.cancel = undefined;
    const nowMs = this.#clock.now();
    if (healthy && !entry.session!.closed && nowMs - entry.createdAtMs < ttlMs) {
      return this.#offer(entry, nowMs, true);
    }
    if (!healthy) {
      this.#counters.health_check_failures++;
      // Sessions that were idle for longer have probably failed too. They are closed, so that callers do not find out one
      // timeout after another while new sessions could be opened.
      for (const colder of group.idle.filter(({ idleSinceMs }) => idleSinceMs <= entry.idleSinceMs)) {
        this.#lists.discard(colder);
      }
    }
    this.#lists.discard(entry);
    this.#settle(group);
  }

  #armSweep(): void {
    if (this.#sweepTimer !== undefined || this.#closed) return;
    const shortestMs = Math.min(this.#options.ttlMs, this.#options.idleEvictionMs);
    const periodMs = Math.max(MIN_SWEEP_MS, Math.min(MAX_SWEEP_MS, shortestMs / 10));
    this.#sweepTimer = this.#clock.setTimeout(() => this.#sweep(), periodMs);
    this.#options.unrefTimer?.(this.#sweepTimer);
  }

  #stopSweep(): void {
    if (this.#sweepTimer !== undefined) this.#clock.clearTimeout(this.#sweepTimer);
    this.#sweepTimer = undefined;
  }

  /** Closes idle sessions that have expired. No caller waits for them, and none may come to trigger it. */
  #sweep(): void {
    this.#sweepTimer = undefined;
    const nowMs = this.#clock.now();
    for (const entry of this.#lists.idle) {
      const fitness = this.#fitness(entry, nowMs);
      const unused = nowMs - entry.idleSinceMs >= this.#options.idleEvictionMs;
      if (!unused && fitness !== "dead" && fitness !== "old") continue;
      this.#lists.discard(entry);
      this.#counters.sessions_reaped++;
      if (this.#lists.dropIfEmpty(entry.group)) this.#counters.pool_keys_evicted++;
    }
    if (this.#lists.occupied > 0) this.#armSweep();
  }
}

type Fitness = "fresh" | "stale" | "old" | "dead";
