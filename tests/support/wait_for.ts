// Waiting for something to become true, instead of sleeping and hoping.

export interface WaitOptions {
  /** What is waited for, for the error's text. */
  readonly what: string;
  /** Give up after this many ms; default 60 s, which a machine that is busy with something else may need. */
  readonly deadlineMs?: number;
  /** Time between two looks, ms. */
  readonly everyMs?: number;
}

/**
 * Looks until `probe` gives something truthy, and returns that. A probe that throws counts as "not yet".
 * @throws {Error} at the deadline, with what the probe last threw as the cause
 */
export async function waitFor<T>(
  probe: () => T | Promise<T>,
  { what, deadlineMs = 60_000, everyMs = 20 }: WaitOptions,
): Promise<NonNullable<T>> {
  const deadline = Date.now() + deadlineMs;
  let lastError: unknown;
  for (;;) {
    try {
      const value = await probe();
      if (value) return value;
      lastError = undefined;
    } catch (error) {
      lastError = error;
    }
    if (Date.now() >= deadline) {
      throw new Error(`Waited ${deadlineMs} ms in vain for ${what}`, { cause: lastError });
    }
    await new Promise((resolve) => setTimeout(resolve, everyMs));
  }
}
