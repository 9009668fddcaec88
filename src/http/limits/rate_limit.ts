// Rate limits per caller and minute, by tier of endpoint. A worker decides at once, from its own count and the last known counts of
// the other workers.
import { BoundedMap } from "../../base/bounded_map.ts";
import type { Clock } from "../../base/clock.ts";
import { SluiceError } from "../../base/errors.ts";
import { type Tier, TIERS } from "./rate_tiers.ts";

/** Requests per minute: RATE_LIMIT_{tier}_RPM plus RATE_LIMIT_{tier}_BURST. */
export interface TierLimit {
  readonly rpm: number;
  readonly burst: number;
}

/** Admitted requests of one caller in one clock minute. */
export interface Count extends CountName {
  /** Of all workers, as far as this one knows. */
  total: number;
  /** Of this worker. */
  own: number;
  /** The part of `own` that the other workers know. */
  told: number;
}

export interface CountName {
  readonly tier: Tier;
  readonly caller: string;
  /** Minutes since the epoch. */
  readonly minute: number;
}

/** One worker's counts, in reply to another worker's question. */
export interface OwnCounts {
  /** The id of the worker; a successor has its own. */
  readonly by: string;
  /** In the order of the names asked for. */
  readonly counts: readonly number[];
}

export interface RateLimiterDeps {
  readonly limits: Readonly<Record<Tier, TierLimit>>;
  readonly clock: Clock;
  /** Counts a refused request. */
  readonly countLimited: (tier: Tier) => void;
  /** Callers kept per tier. */
  readonly maxCallers?: number;
}

/** The state of a limit of requests in a window. */
export interface LimitState {
  /** The name of the limit. */
  readonly policy: string;
  readonly limit: number;
  readonly remaining: number;
  /** Seconds. If nothing remains: until there is something again. */
  readonly resetS: number;
  readonly windowS: number;
}

/** A sliding minute over two clock minutes. Of the previous one the share that still lies in it counts, as if spread evenly. */
interface Window {
  previous: Count;
  current: Count;
  /** Exchanges with the other workers that are still due. */
  rounds: number;
}

export const MINUTE_MS = 60_000;

const MAX_CALLERS = 20_000;

/** One exchange tells the others, a second learns what they admitted at the same time. */
const ROUNDS = 2;

/** Tolerance for rounding; less than one request. */
const NOTHING = 1e-6;

export class RateLimiter {
  readonly #deps: RateLimiterDeps;
  /** By tier and caller, oldest minute first. */
  readonly #windows: Readonly<Record<Tier, BoundedMap<string, Window>>>;
  #news: Window[] = [];

  constructor(deps: RateLimiterDeps) {
    this.#deps = deps;
    // Above the cap the oldest caller starts from zero. No request is refused for lack of memory.
    const windows = () =>
      new BoundedMap<string, Window>({ maxEntries: deps.maxCallers ?? MAX_CALLERS, onEvict: stopTelling });
    this.#windows = { high: windows(), medium: windows(), low: windows() };
  }

  /**
   * Admits and counts a request.
   * @param count messages in the request: each of a batch counts
   * @param counted messages of it that were counted before
   * @throws {SluiceError} RATE_LIMITED, which counts nothing; BATCH_TOO_LONG for a batch above the whole limit
   */
  take(tier: Tier, caller: string, count = 1, counted = 0): void {
    const { limits, clock, countLimited } = this.#deps;
    const { rpm, burst } = limits[tier];
    const limit = rpm + burst;
    if (count > limit) throw new SluiceError("BATCH_TOO_LONG", { limit });
    const now = clock.now();
    const window = this.#windowOf(tier, caller, now);
    const more = count - counted;
    if (usedOf(window, now) + more <= limit + NOTHING) {
      window.current.total += more;
      window.current.own += more;
      if (window.rounds < ROUNDS) this.#exchangeLater(window);
      return;
    }
    countLimited(tier);
    throw new SluiceError("RATE_LIMITED", {
      limit,
      window: "a minute",
      settings: `RATE_LIMIT_${tier.toUpperCase()}_RPM and _BURST`,
      waitS: Math.max(1, Math.ceil(waitMs(window, now, limit - count) / 1000)),
    });
  }

  /** What is left to a caller now. */
  stateOf(tier: Tier, caller: string): LimitState {
    const { limits, clock } = this.#deps;
    const limit = limits[tier].rpm + limits[tier].burst;
    const now = clock.now();
    const window = this.#windowOf(tier, caller, now);
    const remaining = Math.max(0, Math.floor(limit - usedOf(window, now) + NOTHING));
    const resetMs = remaining === 0
      ? waitMs(window, now, limit - 1)
      : (window.current.minute + 1) * MINUTE_MS - now;
    const resetS = Math.max(1, Math.ceil(resetMs / 1_000));
    return { policy: tier, limit, remaining, resetS, windowS: MINUTE_MS / 1_000 };
  }

  /** Callers kept, of all tiers. */
  get size(): number {
    return TIERS.reduce((sum, tier) => sum + this.#windows[tier].size, 0);
  }

  /** The counts for the next exchange: both minutes of every caller that was admitted lately. */
  takeNews(): Count[] {
    const news = this.#news.filter(({ rounds }) => rounds > 0);
    this.#news = news.filter((window) => --window.rounds > 0);
    return news.flatMap(({ current, previous }) => [current, previous]);
  }

  /** @param others the sum of the other workers' counts */
  learn(count: Count, others: number): void {
    // A known total stays when the others have lost theirs: a replaced worker, a Redis that returned empty.
    count.total = Math.max(count.total, count.own + others);
  }

  /** The exchange failed: its counts stay due. */
  keepNews(counts: readonly Count[]): void {
    for (const { tier, caller } of counts) {
      const window = this.#windows[tier].get(caller);
      if (window !== undefined) this.#exchangeLater(window);
    }
  }

  /** This worker's own count; 0 for an unknown caller. */
  ownOf({ tier, caller, minute }: CountName): number {
    const window = this.#windows[tier].get(caller);
    if (window?.current.minute === minute) return window.current.own;
    return window?.previous.minute === minute ? window.previous.own : 0;
  }

  /** Drops callers whose two minutes are over. */
  sweep(): void {
    const lastMinute = Math.floor(this.#deps.clock.now() / MINUTE_MS) - 1;
    for (const windows of Object.values(this.#windows)) {
      for (const window of windows.values()) {
        if (window.current.minute >= lastMinute) break;
        windows.delete(window.current.caller);
        stopTelling(window);
      }
    }
  }

  #windowOf(tier: Tier, caller: string, now: number): Window {
    const minute = Math.floor(now / MINUTE_MS);
    const windows = this.#windows[tier];
    const known = windows.get(caller);
    // After a small step back of the clock the begun minute goes on.
    if (known?.current.minute === minute || known?.current.minute === minute + 1) return known;
    const next = newCount({ tier, caller, minute });
    if (known === undefined) {
      const window = {
        previous: newCount({ tier, caller, minute: minute - 1 }),
        current: next,
        rounds: 0,
      };
      windows.set(caller, window);
      return window;
    }
    known.previous = known.current.minute === minute - 1
      ? known.current
      : newCount({ tier, caller, minute: minute - 1 });
    known.current = next;
    // Set again to move it behind the callers of older minutes.
    windows.set(caller, known);
    return known;
  }

  #exchangeLater(window: Window): void {
    if (window.rounds === 0) this.#news.push(window);
    window.rounds = ROUNDS;
  }
}

/** A dropped window takes part in no exchange: its caller may return, and must have one count per minute. */
function stopTelling(window: Window): void {
  window.rounds = 0;
}

function newCount(name: CountName): Count {
  return { ...name, total: 0, own: 0, told: 0 };
}

function usedOf({ previous, current }: Window, now: number): number {
  return previous.total * (1 - partOf(current.minute, now)) + current.total;
}

/** The elapsed part of the minute, 0 to 1. */
function partOf(minute: number, now: number): number {
  return Math.max(0, now / MINUTE_MS - minute);
}

/** ms until at most `room` requests count, if none is admitted meanwhile. */
function waitMs({ previous, current }: Window, now: number, room: number): number {
  // Within this minute, while the previous one fades; else within the next, while this one fades.
  const [fading, kept, begin] = current.total <= room
    ? [previous.total, current.total, current.minute]
    : [current.total, 0, current.minute + 1];
  const part = Math.max(0, 1 - (room - kept) / fading);
  return (begin + part) * MINUTE_MS - now;
}

/**
 * Describes the limit that has fewest requests left: in the three fields that most gateways send, and in the two fields of the IETF draft
 * (draft-ietf-httpapi-ratelimit-headers-10).
 */
export function setLimitHeaders(headers: Headers, states: readonly (LimitState | null)[]): void {
  let nearest: LimitState | null = null;
  for (const state of states) {
    if (state !== null && (nearest === null || state.remaining < nearest.remaining)) nearest = state;
  }
  if (nearest === null) return;
  const { policy, limit, remaining, resetS, windowS } = nearest;
  headers.set("ratelimit-limit", String(limit));
  headers.set("ratelimit-remaining", String(remaining));
  headers.set("ratelimit-reset", String(resetS));
  headers.set("ratelimit-policy", `"${policy}";q=${limit};w=${windowS}`);
  headers.set("ratelimit", `"${policy}";r=${remaining};t=${resetS}`);
}
