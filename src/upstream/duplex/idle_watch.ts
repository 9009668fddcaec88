// Watches a silent connection: closes it when idle, and pings to find out whether the other side has gone.
import type { Clock } from "../../base/clock.ts";

export interface IdleLimits {
  /** Idle time after which a connection without subscriptions is closed, ms; Infinity: never. */
  readonly idleMs: number;
  /**
   * Silence after which the other side is pinged, ms. After the same time without an answer it counts as gone. Infinity:
   * never.
   */
  readonly pingAfterMs: number;
}

interface IdleEvents {
  /** Calls are running. They have deadlines, and a working server may be silent. */
  readonly isBusy: () => boolean;
  /** A caller waits for a response, or for notifications of a long-lived request. */
  readonly isWanted: () => boolean;
  readonly ping: () => void;
  readonly onIdle: () => void;
  readonly onDead: () => void;
}

export class IdleWatch {
  readonly #limits: IdleLimits;
  readonly #clock: Clock;
  readonly #events: IdleEvents;
  #timer: number | undefined;
  #usedAt = 0;
  #heardAt = 0;
  #pingedAt: number | null = null;
  #hasSubscribed = false;

  constructor(limits: IdleLimits, clock: Clock, events: IdleEvents) {
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

  /** Called when a call starts or ends. */
  used(subscribes = false): void {
    this.#usedAt = this.#clock.now();
    this.#hasSubscribed ||= subscribes;
  }

  heard(): void {
    this.#heardAt = this.#clock.now();
    this.#pingedAt = null;
  }

  /** The timer is not reset by each message. It checks the times when it fires. */
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
