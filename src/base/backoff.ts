// Exponential backoff with full jitter.

export interface BackoffOptions {
  readonly baseMs: number;
  readonly maxMs: number;
  /** 0..1, injected by tests. */
  readonly random?: () => number;
}

/** Delay before try number `attempt` (0 = first repetition), in ms: at least half of the exponential step, so that it grows. */
export function backoffMs(attempt: number, { baseMs, maxMs, random = Math.random }: BackoffOptions): number {
  const step = Math.min(maxMs, baseMs * 2 ** attempt);
  return Math.round(step / 2 + random() * step / 2);
}
