// Exponential backoff with jitter.

export interface BackoffOptions {
  readonly baseMs: number;
  readonly maxMs: number;
  /** Random numbers from 0 to 1; a test passes its own. */
  readonly random?: () => number;
}

/** The delay before retry number `attempt` (0 for the first), ms. It is at least half of the exponential step, so that it grows. */
export function backoffMs(attempt: number, { baseMs, maxMs, random = Math.random }: BackoffOptions): number {
  const step = Math.min(maxMs, baseMs * 2 ** attempt);
  return Math.round(step / 2 + random() * step / 2);
}
