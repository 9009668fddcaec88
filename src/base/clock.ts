// Time as a dependency. Code that waits or expires takes a `Clock`, so that its tests need no real time.
import type { CancelSignal } from "./cancellation.ts";

/** The system's clock, or a fake one in tests. Times are in ms. */
export interface Clock {
  /** Wall clock, ms since the epoch. */
  now(): number;
  setTimeout(run: () => void, ms: number): number;
  clearTimeout(id: number): void;
}

/** The longest delay of a timer, ms. A timer with a longer delay fires at once. */
export const MAX_TIMER_MS = 2 ** 31 - 1;

export const systemClock: Clock = {
  now: () => Date.now(),
  setTimeout: (run, ms) => globalThis.setTimeout(run, ms) as unknown as number,
  clearTimeout: (id) => globalThis.clearTimeout(id),
};

/** Resolves after `ms`. Rejects with the signal's reason if the signal is aborted first. */
export function sleep(clock: Clock, ms: number, signal?: CancelSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason);
    const id = clock.setTimeout(() => {
      signal?.removeEventListener("abort", onAbort);
      resolve();
    }, ms);
    const onAbort = () => {
      clock.clearTimeout(id);
      reject(signal!.reason);
    };
    signal?.addEventListener("abort", onAbort, { once: true });
  });
}

/**
 * Runs `work` every `ms`, counted from the end of the previous run; the first run starts after `ms`.
 * @param work never rejects
 * @returns a function that ends the repetition
 */
export function repeat(clock: Clock, ms: number, work: () => Promise<unknown>): () => void {
  let timer: number | undefined;
  let isStopped = false;
  const wait = () => {
    timer = clock.setTimeout(() => work().finally(() => isStopped || wait()), ms);
  };
  wait();
  return () => {
    isStopped = true;
    clock.clearTimeout(timer!);
  };
}

/** Waits for `work` for at most `ms`. @returns true if it has ended. @throws the rejection of `work` */
export async function within(clock: Clock, ms: number, work: Promise<unknown>): Promise<boolean> {
  const stop = new AbortController();
  const late = sleep(clock, ms, stop.signal).then(() => false, () => true);
  try {
    return await Promise.race([work.then(() => true), late]);
  } finally {
    stop.abort();
  }
}
