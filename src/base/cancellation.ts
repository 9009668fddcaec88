// Giving up, as cheap as a call needs it: what most calls have is a right to be cancelled that nobody uses.

/** The part of an AbortSignal that we rely on; an AbortSignal is one. */
export interface CancelSignal {
  readonly aborted: boolean;
  readonly reason: unknown;
  throwIfAborted(): void;
  addEventListener(type: "abort", listener: () => void, options?: { once?: boolean }): void;
  removeEventListener(type: "abort", listener: () => void): void;
}

/** An AbortController and its signal in one object, without events: making one and listening to it costs next to nothing. */
export class Cancellation implements CancelSignal {
  aborted = false;
  reason: unknown = undefined;
  #listeners: (() => void)[] = [];

  /** Only the first call counts. Listeners run at once, in the order in which they came. */
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
 * The outcome of `work`, which goes on when the signal is aborted: this caller stops waiting for it.
 * @param dispose takes a result that nobody waits for any more
 * @throws the signal's reason; what `work` rejects with
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
