// Cancellation of calls. Nearly every call can be cancelled and is not, so a signal that nobody uses must cost next to nothing.

/** The part of an `AbortSignal` that the gateway uses. An `AbortSignal` satisfies it. */
export interface CancelSignal {
  readonly aborted: boolean;
  readonly reason: unknown;
  throwIfAborted(): void;
  addEventListener(type: "abort", listener: () => void, options?: { once?: boolean }): void;
  removeEventListener(type: "abort", listener: () => void): void;
}

/** A controller and its signal in one object. It has no events, which makes it much cheaper than an `AbortController`. */
export class Cancellation implements CancelSignal {
  aborted = false;
  reason: unknown = undefined;
  #listeners: (() => void)[] = [];

  /** Only the first call has an effect. Listeners run at once, in the order in which they were added. */
  cancel(reason: unknown): void {
    if (this.aborted) return;
    this.aborted = true;
    this.reason = reason;
    const listeners = this.#listeners;
    this.#listeners = [];
    for (const listener of listeners) listener();
  }

  throwIfAborted(): void {
    if (this.aborted) throw this.reason;
  }

  addEventListener(_type: "abort", listener: () => void): void {
    if (!this.aborted) this.#listeners.push(listener);
  }

  removeEventListener(_type: "abort", listener: () => void): void {
    const at = this.#listeners.indexOf(listener);
    if (at >= 0) this.#listeners.splice(at, 1);
  }
}

/**
 * Waits for `work` until the signal is aborted. The work itself goes on: other callers may wait for it.
 * @param dispose takes the result of work that ends after the signal was aborted
 * @throws the signal's reason; the rejection of `work`
 */
export function unlessAborted<T>(
  work: Promise<T>,
  signal: CancelSignal | undefined,
  dispose: (late: T) => void = () => {},
): Promise<T> {
  if (signal === undefined) return work;
  return new Promise((resolve, reject) => {
    const leave = () => reject(signal.reason);
    if (signal.aborted) leave();
    signal.addEventListener("abort", leave, { once: true });
    work.then((value) => {
      if (signal.aborted) dispose(value);
      else resolve(value);
    }, reject).finally(() => signal.removeEventListener("abort", leave));
  });
}
