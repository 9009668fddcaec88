// What a call waits for before it can be sent, within the time that the whole call may take.
import { Cancellation, type CancelSignal } from "../../base/cancellation.ts";
import { SluiceError } from "../../base/errors.ts";

/** When a call must be over: see SessionCall. */
export interface TimedCall {
  readonly timeoutMs: number;
  readonly timeoutSetting: string;
  readonly startedAt?: number;
  readonly signal?: CancelSignal;
}

export interface Wait {
  readonly upstream: string;
  /** What the upstream did not do where time runs out, for the error text: "open a session". */
  readonly phase: string;
}

/**
 * The outcome of `work`, which gives up when its signal is aborted: the call was cancelled, or its time is over.
 * @throws {SluiceError} UPSTREAM_TIMEOUT with the phase; the reason of the call's signal; what `work` throws
 */
export async function inTime<T>(
  { timeoutMs, timeoutSetting, startedAt = Date.now(), signal }: TimedCall,
  { upstream, phase }: Wait,
  work: (signal: CancelSignal) => Promise<T>,
): Promise<T> {
  const giveUp = new Cancellation();
  const leave = () => giveUp.cancel(signal!.reason);
  if (signal?.aborted) leave();
  signal?.addEventListener("abort", leave, { once: true });
  const timer = setTimeout(() => {
    giveUp.cancel(
      new SluiceError("UPSTREAM_TIMEOUT", { upstream, phase, timeoutMs, setting: timeoutSetting }),
    );
  }, Math.min(MAX_TIMER_MS, Math.max(0, startedAt + timeoutMs - Date.now())));
  try {
    return await work(giveUp);
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", leave);
  }
}

/** What a timer can hold. */
const MAX_TIMER_MS = 2 ** 31 - 1;
