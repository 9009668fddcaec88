// One timer for all bodies that are being read: every one has the same time, so they expire in the order in which they began.
import type { Clock } from "../base/clock.ts";
import { SluiceError } from "../base/errors.ts";

interface Reading {
  /** Wall clock, ms. */
  readonly expiresAt: number;
  readonly expire: () => void;
}

export class BodyDeadlines {
  readonly #timeoutMs: number;
  readonly #clock: Clock;
  /** Oldest first. */
  readonly #readings = new Set<Reading>();
  #isArmed = false;

  constructor(timeoutMs: number, clock: Clock) {
    this.#timeoutMs = timeoutMs;
    this.#clock = clock;
  }

  /** What `body` resolves to, or its failure. @throws {SluiceError} BODY_TIMEOUT */
  within<T>(body: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      const timeoutMs = this.#timeoutMs;
      const reading: Reading = {
        expiresAt: this.#clock.now() + timeoutMs,
        expire: () => reject(new SluiceError("BODY_TIMEOUT", { timeoutMs })),
      };
      this.#readings.add(reading);
      if (!this.#isArmed) this.#arm(timeoutMs);
      body.then((value) => {
        this.#readings.delete(reading);
        resolve(value);
      }, (error) => {
        this.#readings.delete(reading);
        reject(error);
      });
    });
  }

  // Not disarmed when the last body has come: the next request would only arm it again.
  #arm(ms: number): void {
    this.#isArmed = true;
    this.#clock.setTimeout(() => {
      this.#isArmed = false;
      this.#expire();
    }, ms);
  }

  #expire(): void {
    const now = this.#clock.now();
    for (const reading of this.#readings) {
      if (reading.expiresAt > now) return this.#arm(reading.expiresAt - now);
      this.#readings.delete(reading);
      reading.expire();
    }
  }
}
