// Rate limits: how many requests a caller may send in a minute, by kind of address. Decided here and now, from what this worker
// has counted itself and what it has last been told of the others.
import { BoundedMap } from "../base/bounded_map.ts";
import type { Clock } from "../base/clock.ts";
import { SluiceError } from "../base/errors.ts";
import { type Tier, TIERS } from "./rate_tiers.ts";

/** Requests in a minute: RATE_LIMIT_{tier}_RPM and RATE_LIMIT_{tier}_BURST. */
export interface TierLimit {
  readonly rpm: number;
  readonly burst: number;
}

/** What one caller has been let in for in one minute of the clock. */
export interface Count extends CountName {
  /** By all workers, as far as this one knows. */
  total: number;
  /** By this one. */
  own: number;
  /** Of these, what the others have been told. */
  told: number;
}

export interface CountName {
  readonly tier: Tier;
  readonly caller: string;
  /** Minutes since the epoch. */
  readonly minute: number;
}

/** What one worker has let in of what another asked for. */
export interface OwnCounts {
  /** Names a worker among those of its process, its predecessors included. */
  readonly by: string;
  /** In the order of the question. */
  readonly counts: readonly number[];
}

export interface RateLimiterDeps {
  readonly limits: Readonly<Record<Tier, TierLimit>>;
  readonly clock: Clock;
  /** Counts a request that was refused. */
  readonly countLimited: (tier: Tier) => void;
  /** How many callers of each tier are remembered. */
  readonly maxCallers?: number;
}

/** A minute slides over two of the clock: of the one before counts what still lies in it, as if it had been spread evenly. */
interface Window {
  previous: Count;
  current: Count;
  /** How often it is still to be spoken of with the others. */
  rounds: number;
}

export const MINUTE_MS = 60_000;

const MAX_CALLERS = 20_000;

/** Once to tell the others, and once more to hear what they let in at the same time. */
const ROUNDS = 2;

/** Less than any request, more than what is lost in rounding. */
const NOTHING = 1e-6;

export class RateLimiter {
  readonly #deps: RateLimiterDeps;
  /** By tier and caller, those of the oldest minute first. */
  readonly #windows: Readonly<Record<Tier, BoundedMap<string, Window>>>;
  #news: Window[] = [];

  constructor(deps: RateLimiterDeps) {
    this.#deps = deps;
    // If there are too many, the caller who came first in the oldest minute begins anew: nobody is refused for want of memory.
    const windows = () =>
      new BoundedMap<string, Window>({ maxEntries: deps.maxCallers ?? MAX_CALLERS, onEvict: stopTelling });
    this.#windows = { high: windows(), medium: windows(), low: windows() };
  }

  /**
   * Let a request in, and count it.
   * @param count how many messages it has: a batch costs as many requests
   * @param counted how many of these have been counted before
   * @throws {SluiceError} RATE_LIMITED, and then nothing more is counted; BATCH_TOO_LONG for what could never be let in
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
      if (window.rounds < ROUNDS) this.#speakOf(window);
      return;
    }
    countLimited(tier);
    throw new SluiceError("RATE_LIMITED", {
      limit,
      settings: `RATE_LIMIT_${tier.toUpperCase()}_RPM and _BURST`,
      waitS: Math.max(1, Math.ceil(waitMs(window, now, limit - count) / 1000)),
    });
  }

  /** How many callers are remembered. */
  get size(): number {
    return TIERS.reduce((sum, tier) => sum + this.#windows[tier].size, 0);
  }

  /** What is to be told and asked now: both minutes of every caller who was let in lately. */
  takeNews(): Count[] {
    const news = this.#news.filter(({ rounds }) => rounds > 0);
    this.#news = news.filter((window) => --window.rounds > 0);
    return news.flatMap(({ current, previous }) => [current, previous]);
  }

  /** @param others how many the other workers have let in, as they say now */
  learn(count: Count, others: number): void {
    // What was known before stays true where others have forgotten it: a worker that was replaced, a Redis that came back empty.
    count.total = Math.max(count.total, count.own + others);
  }

  /** What was to be told has reached nobody. */
  keepNews(counts: readonly Count[]): void {
    for (const { tier, caller } of counts) {
      const window = this.#windows[tier].get(caller);
      if (window !== undefined) this.#speakOf(window);
    }
  }

  /** What this worker alone has let in; 0 where it knows nothing. */
  ownOf({ tier, caller, minute }: CountName): number {
    const window = this.#windows[tier].get(caller);
    if (window?.current.minute === minute) return window.current.own;
    return window?.previous.minute === minute ? window.previous.own : 0;
  }

  /** Forget callers of whom nothing counts any more. */
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
    // A clock that is set back a little goes on in the minute that it had begun.
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
    // Sets it again: it takes its place behind those of older minutes.
    windows.set(caller, known);
    return known;
  }

  #speakOf(window: Window): void {
    if (window.rounds === 0) this.#news.push(window);
    window.rounds = ROUNDS;
  }
}

/** A forgotten window is not told to the others either: its caller may come back, and has one count for each minute. */
function stopTelling(window: Window): void {
  window.rounds = 0;
}

function newCount(name: CountName): Count {
  return { ...name, total: 0, own: 0, told: 0 };
}

function usedOf({ previous, current }: Window, now: number): number {
  return previous.total * (1 - partOf(current.minute, now)) + current.total;
}

/** How much of the minute is over, 0 to 1. */
function partOf(minute: number, now: number): number {
  return Math.max(0, now / MINUTE_MS - minute);
}

/** How long until no more than `room` is used, if nobody comes meanwhile. */
function waitMs({ previous, current }: Window, now: number, room: number): number {
  // In this minute, while the one before fades; else in the next, while this one does.
  const [fading, kept, begin] = current.total <= room
    ? [previous.total, current.total, current.minute]
    : [current.total, 0, current.minute + 1];
  const part = Math.max(0, 1 - (room - kept) / fading);
  return (begin + part) * MINUTE_MS - now;
}
