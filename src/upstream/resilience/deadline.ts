// The time that one exchange with an upstream may take, and the error for one that takes longer.
import { Cancellation, type CancelSignal } from "../../base/cancellation.ts";
import { type Clock, MAX_TIMER_MS, systemClock } from "../../base/clock.ts";
import { SluiceError } from "../../base/errors.ts";

/** A limit of time, and the setting that it comes from, which the error text names. */
export interface TimeLimit {
  readonly ms: number;
  readonly setting: string;
}

/** @param phase what the upstream did not do in time, for example "open a session" */
export function upstreamTimeout(upstream: string, phase: string, { ms, setting }: TimeLimit): SluiceError {
  return new SluiceError("UPSTREAM_TIMEOUT", { upstream, phase, timeoutMs: ms, setting });
}

/** A time limit that runs. Time in which the upstream waits for the client does not count. */
export class Deadline implements TimeLimit {
  /** Wall clock, ms since the epoch. Moves later when a hold ends. */
  at: number;
  #holds = 0;
  #heldSince = 0;

  /**
   * @param ms how long the exchange may take from `now`
   * @param setting where `ms` comes from
   */
  constructor(readonly ms: number, readonly setting: string, now = Date.now()) {
    this.at = now + ms;
  }

  /** The upstream has asked the client a question, and the exchange cannot go on before the answer. */
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
  /** Ends the work before its time. */
  readonly signal?: CancelSignal;
  /** Default: the system's. */
  readonly clock?: Clock;
}

/**
 * Runs work that must be over at `deadline.at`: its signal is aborted then, and when the outer signal is. The work has to give
 * up on that, for which there is `unlessAborted`. Holds are for requests that are under way, and do not count here.
 * @throws {SluiceError} UPSTREAM_TIMEOUT; the reason of the outer signal; what `work` throws
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
