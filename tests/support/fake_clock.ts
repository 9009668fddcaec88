// A clock that stands still until a test moves it.
import FakeTimers from "@sinonjs/fake-timers";
import type { Clock } from "../../src/base/clock.ts";

export class FakeClock implements Clock {
  readonly #timers = FakeTimers.createClock(1_700_000_000_000);

  now(): number {
    return this.#timers.now;
  }

  setTimeout(run: () => void, ms: number): number {
    return this.#timers.setTimeout(run, ms) as unknown as number;
  }

  clearTimeout(id: number): void {
    this.#timers.clearTimeout(id);
  }

  /** Let `ms` pass, and everything happen that is due meanwhile. */
  async tick(ms: number): Promise<void> {
    await settled();
    await this.#timers.tickAsync(ms);
    await settled();
  }

  /** Sets the time, as somebody who corrects a wrong clock does. No timer is due by that. */
  set(now: number): void {
    this.#timers.setSystemTime(now);
  }

  get timers(): number {
    return this.#timers.countTimers();
  }
}

/** All promises that can go on have gone on. */
export async function settled(): Promise<void> {
  for (let turn = 0; turn < 30; turn++) await undefined;
}
