// The time limit of one exchange with an upstream, and the error for an exchange that exceeds it.
import { Cancellation, type CancelSignal } from "../../base/cancellation.ts";
import { type Clock, MAX_TIMER_MS, systemClock } from "../../base/clock.ts";
import { SluiceError } from "../../base/errors.ts";

/** A time limit, and the setting that it comes from. The error text names the setting. */
export interface TimeLimit {
  readonly ms: number;
  readonly setting: string;
}

/** @param phase the action that the upstream did not complete in time, for example "open a session" */
export function upstreamTimeout(upstream: string, phase: string, { ms, setting }: TimeLimit): SluiceError {
  return new SluiceError("UPSTREAM_TIMEOUT", { upstream, phase, timeoutMs: ms, setting });
}

/** A running time limit. Time in which the upstream waits for the client does not count. */
export class Deadline implements TimeLimit {
  /** Wall clock, ms since the epoch. Moves later when a hold ends. */
  at: number;
  #holds = 0;
  #heldSince = 0;

  /**
   * @param ms the duration from `now`
   * @param setting the origin of `ms`, for the error text
   */
  constructor(readonly ms: number, readonly setting: string, now = Date.now()) {
    this.at = now + ms;
  }

  /** The upstream has asked the client a question, and the exchange waits for the answer. */
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

export interface TimedWork {
  readonly upstream: string;
  /** See `upstreamTimeout`. */
  readonly phase: string;
  /** Ends the work early. */
  readonly signal?: CancelSignal;
  /** Default: the system's. */
  readonly clock?: Clock;
}

/**
 * Runs work that must end by `deadline.at`. The signal of the work is aborted then, or when the outer signal is aborted; the
 * work must end on that (see `unlessAborted`). Holds do not extend the time: they belong to requests that have been sent.
 * @throws {SluiceError} UPSTREAM_TIMEOUT; the reason of the outer signal; the rejection of `work`
 */
export async function inTime<T>(
  deadline: Deadline,
  { upstream, phase, signal, clock = systemClock }: TimedWork,
  work: (signal: CancelSignal) => Promise<T>,
): Promise<T> {
  const giveUp = new Cancellation();
  const onAbort = () => giveUp.cancel(signal!.reason);
  if (signal?.aborted) onAbort();
  signal?.addEventListener("abort", onAbort, { once: true });
  const expire = () => giveUp.cancel(upstreamTimeout(upstream, phase, deadline));
  const timer = clock.setTimeout(expire, Math.min(MAX_TIMER_MS, Math.max(0, deadline.at - clock.now())));
  try {
    return await work(giveUp);
  } finally {
    clock.clearTimeout(timer);
    signal?.removeEventListener("abort", onAbort);
  }
}
