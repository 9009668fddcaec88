// Room `quotas`: what users, teams, tokens and tools may use of upstreams in a window. A call is admitted while something of each of its
// quotas is left. Its time and bytes are known, and counted, when it has ended.
import { Buffer } from "node:buffer";
import { createHash } from "node:crypto";
import type { Clock } from "../../base/clock.ts";
import { reasonOf, SluiceError } from "../../base/errors.ts";
import type { QuotaRow } from "../../store/quotas/quota_rows.ts";
import type { Log } from "../../telemetry/log.ts";
import type { Count } from "../../telemetry/metrics.ts";
import type { Principal } from "../principal.ts";
import { type Amount, QuotaCounters, type Used } from "./quota_counters.ts";
import { type QuotaDefaults, type QuotaRule, QuotaRules } from "./quota_rules.ts";

/** A counter that replicas share, and what may be used of it. */
export interface SharedCounter {
  readonly name: string;
  readonly limits: Readonly<Record<Amount, number | null>>;
  /** Time to live, ms. */
  readonly ttlMs: number;
}

/** Counters in Redis. Every method throws SluiceError CACHE_UNAVAILABLE. */
export interface SharedQuotaCounters {
  /** Counts a call on all counters, or on none if one of them is used up. @returns what is used of each, in their order */
  take(
    counters: readonly SharedCounter[],
  ): Promise<{ readonly taken: boolean; readonly used: readonly Used[] }>;
  /** Adds the time and bytes of a call. */
  charge(counters: readonly SharedCounter[], micros: number, bytes: number): Promise<void>;
}

export interface QuotasDeps {
  readonly defaults: QuotaDefaults;
  /** Shared by the workers of the process. */
  readonly memory: SharedArrayBuffer;
  /** Shared by the replicas; null: each process counts alone. */
  readonly shared: SharedQuotaCounters | null;
  readonly clock: Clock;
  readonly log: Pick<Log, "warning" | "info">;
  /** Counts a refused call by the quota's kind and by what is used up. */
  readonly countRefused: Count;
  readonly countDropped: () => void;
  /** Counts calls that the other replicas do not know of. */
  readonly countAlone: () => void;
}

/** The state of a quota, for the headers of an answer. */
export interface QuotaState {
  readonly policy: string;
  readonly limit: number;
  readonly remaining: number;
  /** Seconds until the window ends. */
  readonly resetS: number;
  readonly windowS: number;
}

/** The amount, how a limit of a rule is counted, and its name for clients. */
const UNITS = [
  { amount: "calls", limit: "calls", factor: 1 },
  { amount: "micros", limit: "seconds", factor: 1_000_000 },
  { amount: "bytes", limit: "bytes", factor: 1 },
] as const;

/** A counter in Redis is kept for so long after its window, ms, because the clocks of replicas differ. */
const CLOCK_MARGIN_MS = 60_000;

export class Quotas {
  readonly #deps: QuotasDeps;
  readonly #counters: QuotaCounters;
  #rules: QuotaRules;
  #isAlone = false;

  constructor(deps: QuotasDeps) {
    this.#deps = deps;
    this.#counters = new QuotaCounters(deps.memory, deps.countDropped);
    this.#rules = new QuotaRules([], deps.defaults);
  }

  /** Has anybody a quota? Without one, calls cost only this question. */
  get isActive(): boolean {
    return !this.#rules.isEmpty;
  }

  /** Takes the quotas of a new catalog. What is used stays known. */
  use(rows: readonly QuotaRow[]): void {
    this.#rules = new QuotaRules(rows, this.#deps.defaults);
  }

  get size(): number {
    return this.isActive ? this.#counters.live(this.#deps.clock.now()) : 0;
  }

  /**
   * Makes a call, and counts it.
   * @param toolId null: the call is not of a tool
   * @param params text that is sent
   * @throws {SluiceError} QUOTA_EXCEEDED, before the call; what `send` throws
   */
  async run<Answer extends { readonly text: string }>(
    principal: Principal,
    toolId: string | null,
    params: string,
    send: () => Promise<Answer>,
  ): Promise<Answer> {
    const tool = toolId === null ? null : this.#rules.ofTool(toolId);
    const own = this.#rules.ofCaller(principal);
    const rules = tool === null ? own : [...own, tool];
    if (rules.length === 0) return await send();
    const isShared = await this.#take(rules);
    const { clock } = this.#deps;
    const startMs = clock.now();
    let bytes = Buffer.byteLength(params);
    try {
      const answer = await send();
      bytes += Buffer.byteLength(answer.text);
      return answer;
    } finally {
      this.#charge(rules, isShared, Math.max(0, clock.now() - startMs) * 1_000, bytes);
    }
  }

  /**
   * The quota of calls of the caller that is nearest to its end; null: there is none. Used-up time or bytes leave no calls. A tool's quota
   * is not the caller's.
   */
  stateOf(principal: Principal): QuotaState | null {
    const now = this.#deps.clock.now();
    let nearest: QuotaState | null = null;
    for (const rule of this.#rules.ofCaller(principal)) {
      if (rule.calls === null) continue;
      const used = this.#counters.used(this.#slotOf(rule, now));
      const isUsedUp = exceeded(rule, used) !== null;
      const state = {
        policy: rule.kind,
        limit: rule.calls,
        remaining: isUsedUp ? 0 : rule.calls - used.calls,
        resetS: secondsLeft(rule, now),
        windowS: rule.windowS,
      };
      if (nearest === null || state.remaining < nearest.remaining) nearest = state;
    }
    return nearest;
  }

  /** @returns whether the replicas have counted the call. @throws {SluiceError} QUOTA_EXCEEDED */
  async #take(rules: readonly QuotaRule[]): Promise<boolean> {
    const now = this.#deps.clock.now();
    this.#takeHere(rules, now);
    const { shared, countAlone } = this.#deps;
    if (shared === null) return false;
    let result: Awaited<ReturnType<SharedQuotaCounters["take"]>>;
    try {
      result = await shared.take(rules.map((rule) => sharedCounter(rule, now)));
      this.#tell(true);
    } catch (error) {
      this.#tell(false, reasonOf(error));
      countAlone();
      return false;
    }
    const { taken, used } = result;
    if (!taken) this.#giveBack(rules, now);
    rules.forEach((rule, i) => this.#counters.learn(this.#slotOf(rule, now), used[i]));
    const refusing = taken ? -1 : rules.findIndex((rule, i) => exceeded(rule, used[i]) !== null);
    if (refusing >= 0) throw this.#refusal(rules[refusing], used[refusing], now);
    return taken;
  }

  /** Each addition is atomic, so that workers together never admit more calls than a quota has. */
  #takeHere(rules: readonly QuotaRule[], now: number): void {
    rules.forEach((rule, i) => {
      const slot = this.#slotOf(rule, now);
      const before = this.#counters.add(slot, "calls", 1);
      const used = { ...this.#counters.used(slot), calls: before };
      if (exceeded(rule, used) === null) return;
      this.#giveBack(rules.slice(0, i + 1), now);
      throw this.#refusal(rule, used, now);
    });
  }

  #giveBack(rules: readonly QuotaRule[], now: number): void {
    for (const rule of rules) this.#counters.add(this.#slotOf(rule, now), "calls", -1);
  }

  /** Counts in the windows in which the call has ended. */
  #charge(rules: readonly QuotaRule[], isShared: boolean, micros: number, bytes: number): void {
    const now = this.#deps.clock.now();
    for (const rule of rules) {
      const slot = this.#slotOf(rule, now);
      this.#counters.add(slot, "micros", micros);
      this.#counters.add(slot, "bytes", bytes);
    }
    if (!isShared) return;
    this.#deps.shared!.charge(rules.map((rule) => sharedCounter(rule, now)), micros, bytes)
      .catch((error) => this.#tell(false, reasonOf(error)));
  }

  #slotOf(rule: QuotaRule, now: number): number {
    const window = windowOf(rule, now);
    if (rule.window !== window) {
      rule.window = window;
      rule.key = keyOf(rule.name, window);
      rule.slot = -1;
    }
    return rule.slot = this.#counters.slotOf(rule.key, endOf(rule, now), now, rule.slot);
  }

  #refusal(rule: QuotaRule, used: Used, now: number): SluiceError {
    const { kind, target, windowS } = rule;
    const unit = exceeded(rule, used)!;
    this.#deps.countRefused(kind, unit);
    return new SluiceError("QUOTA_EXCEEDED", {
      kind,
      target: kind === "token" ? "" : ` ${target}`,
      limit: rule[unit]!,
      unit,
      windowS,
      waitS: secondsLeft(rule, now),
    });
  }

  #tell(isShared: boolean, reason?: string): void {
    if (isShared !== this.#isAlone) return;
    this.#isAlone = !isShared;
    const { log } = this.#deps;
    if (isShared) log.info("quotas are counted in Redis again");
    else log.warning("quotas are not counted in Redis: each replica counts alone", { reason });
  }
}

/** Which limit of the rule is used up; null: none. */
function exceeded(rule: QuotaRule, used: Used): typeof UNITS[number]["limit"] | null {
  for (const { amount, limit, factor } of UNITS) {
    const most = rule[limit];
    if (most !== null && used[amount] >= most * factor) return limit;
  }
  return null;
}

function windowOf({ windowS }: QuotaRule, now: number): number {
  return Math.floor(now / (windowS * 1_000));
}

function endOf(rule: QuotaRule, now: number): number {
  return (windowOf(rule, now) + 1) * rule.windowS * 1_000;
}

function secondsLeft(rule: QuotaRule, now: number): number {
  return Math.max(1, Math.ceil((endOf(rule, now) - now) / 1_000));
}

/** 64 bits that are neither of the values that mark slots. */
function keyOf(name: string, window: number): bigint {
  const digest = createHash("sha256").update(`${name}:${window}`).digest();
  return digest.readBigInt64BE() | 2n;
}

function sharedCounter(rule: QuotaRule, now: number): SharedCounter {
  const { name, calls, seconds, bytes } = rule;
  return {
    name: `quota:${name}:${windowOf(rule, now)}`,
    limits: { calls, micros: seconds === null ? null : seconds * 1_000_000, bytes },
    ttlMs: endOf(rule, now) - now + CLOCK_MARGIN_MS,
  };
}
