// The pool under random interleavings, checked against a model that counts from outside.
import { CircuitBreakers } from "../resilience/circuit_breaker.ts";
import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { SluiceError } from "../../base/errors.ts";
import type { PoolKey } from "./session_key.ts";
import type { Lease } from "./lease.ts";
import type { PoolLimits } from "./pool_options.ts";
import { SessionPool } from "./session_pool.ts";
import { FakeClock, settled } from "../../../tests/support/fake_clock.ts";
import {
  DEFAULT_LIMITS,
  FakeSession,
  keyOf,
  refused,
  unreachable,
} from "../../../tests/support/pool_fixture.ts";
import type { HealthVerdict } from "./idle_check.ts";

const KEYS = [
  keyOf("alice"),
  keyOf("bob"),
  keyOf("alice", { url: "http://v.example/mcp", upstreamId: "u2" }),
  keyOf(),
];

type Step =
  | { readonly do: "lease"; readonly key: number }
  | {
    readonly do: "release" | "break" | "die" | "abort" | "open" | "fail" | "refuse";
    readonly which: number;
  }
  | { readonly do: "probe"; readonly which: number; readonly verdict: HealthVerdict }
  | { readonly do: "tick"; readonly ms: number }
  | { readonly do: "drain"; readonly key: number };

interface Call {
  readonly key: PoolKey;
  readonly epoch: number;
  readonly sinceMs: number;
  readonly abort: AbortController;
  aborted: boolean;
}

interface Opening {
  readonly key: PoolKey;
  readonly signal: AbortSignal;
  settle(error?: unknown): void;
}

class ModelSession extends FakeSession {
  /** The number of drains of the key when the creation began. */
  readonly epoch: number;
  pendingProbe: ((verdict: HealthVerdict) => void) | undefined;

  constructor(key: PoolKey, epoch: number) {
    super(key);
    this.epoch = epoch;
    this.answer = () => new Promise((resolve) => this.pendingProbe = resolve);
  }
}

/** Drives a pool step by step, and checks every guarantee after each step. */
class Model {
  readonly clock = new FakeClock();
  readonly limits: PoolLimits;
  readonly pool: SessionPool<ModelSession>;
  readonly sessions: ModelSession[] = [];
  readonly openings = new Set<Opening>();
  /** In order of arrival. */
  readonly pending = new Set<Call>();
  readonly held: { readonly lease: Lease<ModelSession>; readonly key: PoolKey }[] = [];
  /** Drains per key. */
  readonly epochs = new Map<PoolKey, number>();
  granted = 0;
  /** The first broken guarantee that a caller met. */
  failure: unknown = undefined;

  constructor(limits: Partial<PoolLimits>) {
    this.limits = { ...DEFAULT_LIMITS, ...limits };
    this.pool = new SessionPool<ModelSession>({
      ...this.limits,
      clock: this.clock,
      breakers: new CircuitBreakers(() => ({
        threshold: this.limits.circuitBreakerThreshold,
        resetMs: this.limits.circuitBreakerResetMs,
      }), this.clock),
      isBreakerFailure: (error) => error instanceof SluiceError && error.code !== "UPSTREAM_AUTH_FAILED",
    });
  }

  async run(step: Step): Promise<void> {
    switch (step.do) {
      case "lease":
        this.#call(KEYS[step.key]);
        break;
      case "release":
        this.#takeHeld(step.which)?.release();
        break;
      case "break":
        this.#takeHeld(step.which)?.release("broken");
        break;
      case "die": {
        const alive = this.sessions.filter(({ ended }) => ended === 0);
        if (alive.length > 0) alive[step.which % alive.length].closed = true;
        break;
      }
      case "abort": {
        const call = [...this.pending][step.which % Math.max(1, this.pending.size)];
        if (call !== undefined) {
          call.aborted = true;
          call.abort.abort("aborted");
        }
        break;
      }
      case "open":
        this.#opening(step.which)?.settle();
        break;
      case "fail":
        this.#opening(step.which)?.settle(unreachable());
        break;
      case "refuse":
        this.#opening(step.which)?.settle(refused());
        break;
      case "probe": {
        const probed = this.#probed();
        if (probed.length > 0) this.#answer(probed[step.which % probed.length], step.verdict);
        break;
      }
      case "tick":
        await this.clock.tick(step.ms);
        this.#forgetSilentProbes();
        break;
      case "drain": {
        const key = KEYS[step.key];
        this.epochs.set(key, this.#epoch(key) + 1);
        this.pool.drain((each) => each.text === key.text);
      }
    }
    await settled();
    this.check();
  }

  check(): void {
    const { maxPerKey, maxTotalSessions, maxTotalKeys } = this.limits;
    const lent = new Set(this.held.map(({ lease }) => lease.session));
    assertEquals(lent.size, this.held.length, "a session is lent twice");
    for (const { lease, key } of this.held) {
      assertEquals(lease.session.openedFor.text, key.text, "a session is lent under another key");
      assertEquals(lease.session.ended, 0, "a lent session was closed");
    }
    for (const { ended } of this.sessions) assert(ended <= 1, "a session was closed twice");

    const alive = this.sessions.filter(({ ended }) => ended === 0);
    const validating = new Set(this.#probed());
    const idle = alive.filter((session) => !lent.has(session) && !validating.has(session));
    const opening = [...this.openings].filter(({ signal }) => !signal.aborted);
    const total = alive.length + opening.length;
    for (const { openedFor, epoch } of idle) {
      assertEquals(epoch, this.#epoch(openedFor), "a session from before the drain is kept");
    }
    if (maxTotalSessions > 0) assert(total <= maxTotalSessions, "more sessions than MAX_TOTAL_SESSIONS");

    for (const key of KEYS) {
      const of = (each: PoolKey) => each === key;
      const slots = alive.filter((each) => of(each.openedFor)).length +
        opening.filter((each) => of(each.key)).length;
      const callers = [...this.pending].filter((each) => of(each.key)).length;
      const preparing = opening.filter((each) => of(each.key)).length +
        [...validating].filter((each) => of(each.openedFor)).length;
      const drained = this.#epoch(key) > 0;
      if (!drained) assert(slots <= maxPerKey, "more sessions than MAX_PER_KEY");
      if (callers > preparing && !drained) {
        assertEquals(idle.filter((each) => of(each.openedFor)), [], "a caller sleeps beside an idle session");
        const roomInTotal = maxTotalSessions === 0 || total < maxTotalSessions || idle.length > 0;
        assert(slots >= maxPerKey || !roomInTotal, "a caller sleeps beside a free slot");
      }
    }

    const seen = this.pool.snapshot();
    assertEquals(seen.active_sessions, this.held.length);
    assertEquals(seen.idle_sessions, idle.length);
    assertEquals(seen.validating, validating.size);
    assertEquals(seen.creating, opening.length);
    assertEquals(seen.waiting, this.pending.size);
    assertEquals(
      seen.pools.reduce((sum, { active, available }) => sum + active + available, 0),
      lent.size + idle.length,
    );
    if (maxTotalKeys > 0 && this.epochs.size === 0) {
      assert(seen.pool_key_count <= maxTotalKeys, "too many keys");
    }
    if (total === 0 && this.pending.size === 0) {
      assertEquals(seen.pool_key_count, 0, "a key outlives its use");
    }
  }

  /** Lets the upstream finish. Then every caller must get an answer, and every session must close. */
  async finish(): Promise<void> {
    for (let round = 0; this.pending.size > 0; round++) {
      assert(round < 500, "callers wait for ever");
      for (const { lease } of this.held.splice(0)) lease.release();
      for (const session of this.#probed()) this.#answer(session, "healthy");
      for (const opening of [...this.openings]) opening.settle();
      await settled();
      this.check();
    }
    await this.pool.close();
    for (const opening of [...this.openings]) opening.settle();
    await settled();
    for (const { ended } of this.sessions) assertEquals(ended, 1, "a session was left open");
    assertEquals(this.clock.timers, 0, "a timer was left running");
  }

  #epoch(key: PoolKey): number {
    return this.epochs.get(key) ?? 0;
  }

  #call(key: PoolKey): void {
    const call: Call = {
      key,
      epoch: this.#epoch(key),
      sinceMs: this.clock.now(),
      abort: new AbortController(),
      aborted: false,
    };
    this.pending.add(call);
    this.pool.lease(key, (signal) => this.#open(key, signal), call.abort.signal).then((lease) => {
      const earlier = [...this.pending].find((each) =>
        each.key === key && each.epoch === call.epoch && !each.aborted
      );
      assertEquals(earlier, call, "a caller was passed over");
      assert(lease.session.epoch >= call.epoch, "a session from before the drain was lent");
      assert(!lease.reused || lease.session.ended === 0);
      this.pending.delete(call);
      this.granted++;
      this.held.push({ lease, key });
    }, (error) => {
      this.pending.delete(call);
      this.#judge(call, error);
    }).catch((failure) => this.failure ??= failure);
  }

  #judge(call: Call, error: unknown): void {
    if (call.aborted) return assertEquals(error, "aborted");
    if (!(error instanceof SluiceError)) throw error;
    const waitedMs = this.clock.now() - call.sinceMs;
    switch (error.code) {
      case "SESSION_POOL_TIMEOUT":
        return assert(waitedMs >= this.limits.acquireTimeoutMs, "timed out too early");
      case "SESSION_POOL_FULL":
        return assert(this.limits.maxTotalKeys > 0);
      case "UPSTREAM_CIRCUIT_OPEN":
        return assert(this.pool.snapshot().circuit_breaker_trips > 0);
      case "UPSTREAM_TIMEOUT":
      case "UPSTREAM_CONNECT_FAILED":
      case "UPSTREAM_AUTH_FAILED":
        return;
      default:
        throw error;
    }
  }

  #open(key: PoolKey, signal: AbortSignal): Promise<ModelSession> {
    const epoch = this.#epoch(key);
    return new Promise((resolve, reject) => {
      const opening: Opening = {
        key,
        signal,
        settle: (error) => {
          this.openings.delete(opening);
          if (error !== undefined) return reject(error);
          const session = new ModelSession(key, epoch);
          this.sessions.push(session);
          resolve(session);
        },
      };
      this.openings.add(opening);
      if (epoch > 0) return;
      const begun = [...this.openings].filter((each) => each.key === key && !each.signal.aborted).length;
      const unmet = [...this.pending].filter((call) => call.key === key).length;
      assert(begun <= unmet, "a session is opened for nobody");
    });
  }

  #takeHeld(which: number): Lease<ModelSession> | undefined {
    return this.held.splice(which % Math.max(1, this.held.length), 1)[0]?.lease;
  }

  #opening(which: number): Opening | undefined {
    return [...this.openings][which % Math.max(1, this.openings.size)];
  }

  /** Sessions whose health is being checked. */
  #probed(): ModelSession[] {
    return this.sessions.filter(({ pendingProbe, ended }) => pendingProbe !== undefined && ended === 0);
  }

  #answer(session: ModelSession, verdict: HealthVerdict): void {
    session.pendingProbe?.(verdict);
    session.pendingProbe = undefined;
  }

  /** The pool closes a silent session, so nothing is pending in it. */
  #forgetSilentProbes(): void {
    for (const session of this.sessions) if (session.ended > 0) session.pendingProbe = undefined;
  }
}

const RUNS = 300;
const which = fc.nat(20);
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 8, arbitrary: fc.record({ do: fc.constant("lease" as const), key: fc.nat(KEYS.length - 1) }) },
  { weight: 5, arbitrary: fc.record({ do: fc.constant("open" as const), which }) },
  { weight: 5, arbitrary: fc.record({ do: fc.constant("release" as const), which }) },
  {
    weight: 4,
    arbitrary: fc.record({ do: fc.constantFrom("break", "die", "abort", "fail", "refuse"), which }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant("probe" as const),
      which,
      verdict: fc.constantFrom<HealthVerdict>("healthy", "unsupported", "failed"),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({ do: fc.constant("tick" as const), ms: fc.constantFrom(1, 90, 400, 1_100, 6_000) }),
  },
);
const drain = fc.record({ do: fc.constant("drain" as const), key: fc.nat(KEYS.length - 1) });
const limits: fc.Arbitrary<Partial<PoolLimits>> = fc.record({
  maxPerKey: fc.integer({ min: 1, max: 3 }),
  ttlMs: fc.constantFrom(2_000, 20_000),
  healthCheckIntervalMs: fc.constantFrom(0, 500, 5_000),
  healthCheckMethods: fc.constantFrom(["ping", "skip"], ["ping", "list_tools"], ["skip"]),
  healthCheckTimeoutMs: fc.constantFrom(100, 1_000),
  acquireTimeoutMs: fc.constantFrom(1_000, 10_000),
  createTimeoutMs: fc.constantFrom(500, 5_000),
  idleEvictionMs: fc.constantFrom(1_500, 20_000),
  circuitBreakerThreshold: fc.integer({ min: 1, max: 4 }),
  circuitBreakerResetMs: fc.constantFrom(50, 3_000),
  maxTotalKeys: fc.constantFrom(0, 0, 1, 2),
  maxTotalSessions: fc.constantFrom(0, 0, 1, 2, 4),
});

async function play(settings: Partial<PoolLimits>, steps: readonly Step[]): Promise<Model> {
  const model = new Model(settings);
  for (const each of steps) {
    await model.run(each);
    if (model.failure !== undefined) throw model.failure;
  }
  await model.finish();
  if (model.failure !== undefined) throw model.failure;
  return model;
}

Deno.test("SessionPool keeps its promises under any interleaving", async () => {
  let granted = 0;
  await fc.assert(
    fc.asyncProperty(
      limits,
      fc.array(step, { minLength: 10, maxLength: 80, size: "max" }),
      async (settings, steps) => {
        granted += (await play(settings, steps)).granted;
      },
    ),
    { numRuns: RUNS },
  );
  assert(granted > RUNS, "the property says little: hardly any lease was granted");
});

Deno.test("SessionPool keeps its promises under any interleaving with drains", async () => {
  const steps = fc.array(fc.oneof({ weight: 12, arbitrary: step }, { weight: 1, arbitrary: drain }), {
    minLength: 10,
    maxLength: 80,
    size: "max",
  });
  await fc.assert(
    fc.asyncProperty(limits, steps, async (settings, all) => {
      await play(settings, all);
    }),
    { numRuns: RUNS },
  );
});
