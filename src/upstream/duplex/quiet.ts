// When nothing happens on a connection: is the other side still there, and does anybody still want it?
import type { Clock } from "../../base/clock.ts";

export interface QuietLimits {
  /** A connection without a call for so long ends, ms; Infinity: never. One with subscriptions stays. */
  readonly idleMs: number;
  /** Ask whether the other side is there after so long a silence, ms; as long again without a word, and it is gone. Infinity: never. */
  readonly pingAfterMs: number;
}

interface QuietEvents {
  /** Calls are under way: they have deadlines of their own, and a server that works may well be silent. */
  readonly isBusy: () => boolean;
  /** Somebody waits: for the answer to a call, or for what comes on a request that stays open. */
  readonly isWanted: () => boolean;
  readonly ping: () => void;
  readonly onIdle: () => void;
  readonly onDead: () => void;
}

export class Quiet {
  readonly #limits: QuietLimits;
  readonly #clock: Clock;
  readonly #events: QuietEvents;
  #timer: number | undefined;
  #usedAt = 0;
  #heardAt = 0;
  #pingedAt: number | null = null;
  #hasSubscribed = false;

  constructor(limits: QuietLimits, clock: Clock, events: QuietEvents) {
    this.#limits = limits;
    this.#clock = clock;
    this.#events = events;
  }

  start(): void {
    this.#usedAt = this.#heardAt = this.#clock.now();
    this.#sleep();
  }

  stop(): void {
    if (this.#timer !== undefined) this.#clock.clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  /** A call begins or ends. */
  used(subscribes = false): void {
    this.#usedAt = this.#clock.now();
    this.#hasSubscribed ||= subscribes;
  }

  heard(): void {
    this.#heardAt = this.#clock.now();
    this.#pingedAt = null;
  }

  /** The timer is not moved with every message: it wakes, looks, and sleeps on. */
  #look(): void {
    const now = this.#clock.now();
    if (this.#events.isWanted()) this.#usedAt = now;
    if (this.#events.isBusy()) {
      this.#usedAt = this.#heardAt = now;
      this.#pingedAt = null;
    } else if (!this.#hasSubscribed && now - this.#usedAt >= this.#limits.idleMs) {
      return this.#events.onIdle();
    } else if (this.#pingedAt !== null && now - this.#pingedAt >= this.#limits.pingAfterMs) {
      return this.#events.onDead();
    } else if (this.#pingedAt === null && now - this.#heardAt >= this.#limits.pingAfterMs) {
      this.#pingedAt = now;
      this.#events.ping();
    }
    this.#sleep();
  }

  #sleep(): void {
    const { idleMs, pingAfterMs } = this.#limits;
    const nextMs = Math.min(
      this.#hasSubscribed ? Infinity : this.#usedAt + idleMs,
      (this.#pingedAt ?? this.#heardAt) + pingAfterMs,
    ) - this.#clock.now();
    if (nextMs === Infinity) return;
    this.#timer = this.#clock.setTimeout(() => this.#look(), Math.max(1, nextMs));
  }
}
