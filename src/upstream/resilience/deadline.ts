// When an exchange with an upstream must be over. Time in which the upstream waits for the client does not count.

export class Deadline {
  /** Wall clock, ms since the epoch. Moves later when a hold ends. */
  at: number;
  #holds = 0;
  #heldSince = 0;

  /**
   * @param ms how long the exchange may take from now
   * @param setting where `ms` comes from, for the error text
   */
  constructor(readonly ms: number, readonly setting: string, now = Date.now()) {
    this.at = now + ms;
  }

  /** The upstream has asked the client something, and neither it nor we can go on before the answer. */
  get isHeld(): boolean {
    return this.#holds > 0;
  }

  hold(now = Date.now()): void {
    if (this.#holds++ === 0) this.#heldSince = now;
  }

  release(now = Date.now()): void {
    if (--this.#holds === 0) this.at += now - this.#heldSince;
  }
}
