// The session pool of one worker: lends upstream sessions to callers of one key, first come, first served.
import type { CancelSignal } from "../../base/cancellation.ts";
import type { Clock } from "../../base/clock.ts";
import { SluiceError } from "../../base/errors.ts";
import type { CircuitBreakers } from "../resilience/circuit_breaker.ts";
import type { PoolSnapshot } from "./pool_metrics.ts";
import { hasRoom, heirOf, makeKeyRoom, makeRoom } from "./caps.ts";
import { ANONYMOUS, type PoolKey } from "./session_key.ts";
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
import type { PoolLimits, SessionPoolOptions } from "./pool_options.ts";
import { Waiter } from "./wait_queue.ts";
import { snapshotOf } from "./pool_snapshot.ts";

/** A tenth of the shortest life, within these bounds: how often the sweep looks for sessions that are past theirs. */
const MIN_SWEEP_MS = 100;
const MAX_SWEEP_MS = 5_000;

/**
 * Guarantees:
 * - A session is lent to one holder at a time, and only under the key that it was opened for.
 * - A slot is taken from the moment a creation starts. A creation starts only for a caller that no idle session, running
 *   validation or running creation will serve: so at any moment the creations started for a key are at most its free
 *   slots, and at most its unmet callers. One caller never causes two.
 * - A creation belongs to the key, not to the caller who caused it. What becomes available goes to the caller that waits
 *   the longest, so a caller whose own creation hangs is served by the next release; and a creation outlives its caller.
 * - A failed creation is told to the caller that waits the longest, and to no other: the rest try again themselves.
 * - No caller sleeps beside a session or slot that it could have. One that needs a new session while the circuit is open
 *   does not sleep at all, it fails.
 * - Under the total cap, keys are served in turn, so that a busy one cannot starve the others.
 */
export class SessionPool<S extends PoolSession> {
  readonly #limits: PoolLimits;
  readonly #options: SessionPoolOptions;
  readonly #clock: Clock;
  readonly #lists = new PoolLists<S, Lease<S>>(() => this.#stopSweep());
  readonly #counters = noCounts();
  readonly #breakers: CircuitBreakers;
  #sweepTimer: number | undefined;
  #closed = false;
  readonly #giveBack = (entry: PoolEntry<S, Lease<S>>, broken: boolean) => this.#returned(entry, broken);

  constructor(options: SessionPoolOptions) {
    this.#limits = options;
    this.#options = options;
    this.#clock = options.clock;
    this.#breakers = options.breakers;
  }

  /** A lease without waiting, where a fresh session lies idle; else undefined, and `lease()` is the way. The warm path. */
  tryLease(key: PoolKey): Lease<S> | undefined {
    const entry = this.#lists.groups.get(key.text)?.idle.at(-1);
    if (entry === undefined || this.#fitness(entry, this.#clock.now()) !== "fresh") return undefined;
    this.#counters.pool_hits++;
    if (key.identity === ANONYMOUS) this.#counters.anonymous_identity_count++;
    return this.#lend(entry, true);
  }

  /**
   * A lease, waited for if need be. `create` opens a session for this key; it may come to serve another caller of the key.
   * @throws {SluiceError} SESSION_POOL_TIMEOUT, SESSION_POOL_FULL, UPSTREAM_CIRCUIT_OPEN, SHUTTING_DOWN, UPSTREAM_TIMEOUT
   *  (creation took too long); whatever `create` throws; the signal's reason
   */
  async lease(key: PoolKey, create: CreateSession<S>, signal?: CancelSignal): Promise<Lease<S>> {
    signal?.throwIfAborted();
    const warm = this.tryLease(key);
    if (warm !== undefined) return warm;
    if (this.#closed) throw new SluiceError("SHUTTING_DOWN");
    const group = this.#groupOf(key);
    this.#counters.pool_misses++;
    if (key.identity === ANONYMOUS) this.#counters.anonymous_identity_count++;
    const lease = await new Promise<Lease<S>>((resolve, reject) => {
      const waiter = new Waiter(create, this.#clock.now(), resolve, reject);
      group.callers.push(waiter);
      this.#settle(group);
      if (waiter.queued) this.#bound(waiter, group, signal);
    });
    // The hand-off and the abort crossed: the session goes to the next.
    if (signal?.aborted) {
      lease.release();
      throw signal.reason;
    }
    return lease;
  }

  /**
   * Close what is idle now and what is lent when it comes back; calls that wait get new sessions.
   * Until the lent ones are back, a key may hold them besides `maxPerKey` new ones; the total cap counts them all.
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

  /** An upstream was changed or deleted: no later lease gets a session opened before, and its breaker starts afresh. */
  closeUpstream(upstreamId: string): void {
    this.#breakers.forget(upstreamId);
    this.drain((key) => key.upstreamId === upstreamId);
  }

  /** Close everything, lent sessions too; callers that wait get SHUTTING_DOWN. Resolves when all closings are said. */
  async close(): Promise<void> {
    this.#closed = true;
    const gone = new SluiceError("SHUTTING_DOWN");
    for (const group of [...this.#lists.all()]) {
      for (let caller = group.callers.shift(); caller !== undefined; caller = group.callers.shift()) {
        caller.reject(gone);
      }
      for (const entry of group.entries) this.#lists.discard(entry, gone);
      this.#lists.dropIfEmpty(group);
    }
    await Promise.all(this.#lists.closings);
  }

  snapshot(): PoolSnapshot {
    return snapshotOf(this.#lists, this.#counters, this.#breakers, this.#limits);
  }

  #groupOf(key: PoolKey): KeyGroup<S, Lease<S>> {
    const known = this.#lists.groups.get(key.text);
    if (known !== undefined) return known;
    // Before another key is dropped in favour of a call that cannot succeed.
    const refusal = this.#circuitOpen(key);
    if (refusal !== undefined) throw refusal;
    const { maxTotalKeys } = this.#limits;
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

  /** The caller did not get its lease at once: let it leave when it is aborted, or when no slot came free in time. */
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
    const timeoutMs = this.#limits.acquireTimeoutMs;
    const wait = () =>
      this.#clock.setTimeout(() => {
        // A session is being prepared for it, which has timeouts of its own: its wait for a slot is over.
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
    };
  }

  #fitness({ session, createdAtMs, idleSinceMs }: PoolEntry<S, Lease<S>>, nowMs: number): Fitness {
    if (session!.closed) return "dead";
    if (nowMs - createdAtMs >= this.#limits.ttlMs) return "old";
    return nowMs - idleSinceMs >= this.#limits.healthCheckIntervalMs ? "stale" : "fresh";
  }

  #lend(entry: PoolEntry<S, Lease<S>>, reused: boolean): Lease<S> {
    this.#lists.move(entry, "leased");
    if (reused) this.#counters.total_sessions_reused++;
    return new PoolLease(entry, reused, this.#giveBack);
  }

  /** After any change: the group's callers get what can be had, then those of other keys. */
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
      else if (group.entries.size >= this.#limits.maxPerKey) break;
      else {
        // The first caller that nothing is being prepared for.
        const unmet = callers.at(group.preparing)!;
        const refusal = this.#circuitOpen(key);
        if (refusal !== undefined) {
          callers.remove(unmet);
          unmet.reject(refusal);
        } else if (makeRoom(this.#lists, this.#limits.maxTotalSessions, this.#counters)) {
          this.#create(group, unmet.create);
        } else starved = true;
      }
    }
    if (starved) this.#lists.starved.add(group);
    else this.#lists.starved.delete(group);
    this.#lists.dropIfEmpty(group);
  }

  /** Keys that wait for the total cap, in turn, as long as there is room. */
  #serveStarved(): void {
    const { starved } = this.#lists;
    while (starved.size > 0 && hasRoom(this.#lists, this.#limits.maxTotalSessions)) {
      const [first] = starved;
      // Should it want more than there is room for, it queues again at the end.
      starved.delete(first);
      this.#serve(first);
    }
  }

  #heirOf(group: KeyGroup<S, Lease<S>>): KeyGroup<S, Lease<S>> | undefined {
    if (this.#lists.starved.size === 0) return undefined;
    return heirOf(this.#lists, group, this.#clock.now(), this.#limits.acquireTimeoutMs / 4);
  }

  /** A slot of the group came free. */
  #freed(group: KeyGroup<S, Lease<S>>): void {
    const heir = this.#heirOf(group);
    if (heir !== undefined) this.#serve(heir);
    this.#settle(group);
  }

  #returned(entry: PoolEntry<S, Lease<S>>, broken: boolean): void {
    // The pool was closed meanwhile, and the session with it.
    if (entry.state !== "leased") return;
    const { group } = entry;
    const nowMs = this.#clock.now();
    const old = nowMs - entry.createdAtMs >= this.#limits.ttlMs;
    const surplus = group.entries.size > this.#limits.maxPerKey;
    if (broken || entry.session!.closed || old || surplus || group.retired || this.#heirOf(group)) {
      if (!broken && !entry.session!.closed && !group.retired) this.#counters.evictions++;
      this.#lists.discard(entry);
      this.#freed(group);
    } else this.#offer(entry, nowMs, true);
  }

  /** A session is ready: to the caller that waits the longest, else to the idle ones. */
  #offer(entry: PoolEntry<S, Lease<S>>, nowMs: number, reused: boolean): void {
    const { group } = entry;
    const caller = group.callers.shift();
    if (caller !== undefined) caller.resolve(this.#lend(entry, reused));
    else if (group.retired) this.#lists.discard(entry);
    else {
      entry.idleSinceMs = nowMs;
      this.#lists.move(entry, "idle");
      // Nobody waits in this key: only another key can want the room.
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
      timeoutMs: this.#limits.createTimeoutMs,
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
    const { healthCheckMethods, healthCheckTimeoutMs, ttlMs } = this.#limits;
    this.#lists.move(entry, "validating");
    const stop = new AbortController();
    entry.cancel = () => stop.abort();
    const limits = { timeoutMs: healthCheckTimeoutMs, clock: this.#clock, signal: stop.signal };
    const healthy = await isHealthy(entry.session!, healthCheckMethods, limits);
    // Closed or drained meanwhile.
    if (entry.state !== "validating") return;
    entry.cancel = undefined;
    const nowMs = this.#clock.now();
    if (healthy && !entry.session!.closed && nowMs - entry.createdAtMs < ttlMs) {
      return this.#offer(entry, nowMs, true);
    }
    if (!healthy) {
      this.#counters.health_check_failures++;
      // What was silent for longer has most likely gone the same way: its callers must not find that out one timeout
      // after the other, beside a slot where a new session could be opened.
      for (const colder of group.idle.filter(({ idleSinceMs }) => idleSinceMs <= entry.idleSinceMs)) {
        this.#lists.discard(colder);
      }
    }
    this.#lists.discard(entry);
    this.#settle(group);
  }

  #armSweep(): void {
    if (this.#sweepTimer !== undefined || this.#closed) return;
    const shortestMs = Math.min(this.#limits.ttlMs, this.#limits.idleEvictionMs);
    const periodMs = Math.max(MIN_SWEEP_MS, Math.min(MAX_SWEEP_MS, shortestMs / 10));
    this.#sweepTimer = this.#clock.setTimeout(() => this.#sweep(), periodMs);
    this.#options.unrefTimer?.(this.#sweepTimer);
  }

  #stopSweep(): void {
    if (this.#sweepTimer !== undefined) this.#clock.clearTimeout(this.#sweepTimer);
    this.#sweepTimer = undefined;
  }

  /** Close the idle sessions that are past their time, for nobody may come and ask for them. Nor waits anybody for them. */
  #sweep(): void {
    this.#sweepTimer = undefined;
    const nowMs = this.#clock.now();
    for (const entry of this.#lists.idle) {
      const fitness = this.#fitness(entry, nowMs);
      const unused = nowMs - entry.idleSinceMs >= this.#limits.idleEvictionMs;
      if (!unused && fitness !== "dead" && fitness !== "old") continue;
      this.#lists.discard(entry);
      this.#counters.sessions_reaped++;
      if (this.#lists.dropIfEmpty(entry.group)) this.#counters.pool_keys_evicted++;
    }
    if (this.#lists.occupied > 0) this.#armSweep();
  }
}

type Fitness = "fresh" | "stale" | "old" | "dead";
