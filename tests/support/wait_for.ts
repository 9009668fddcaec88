// Waiting for something to become true, instead of sleeping and hoping.

export interface WaitOptions {
  /** What is waited for, for the error's text; a function where only the end tells it, such as the last lines of a log. */
  readonly what: string | (() => string);
  /** Give up after this many ms; default 60 s, which a machine that is busy with something else may need. */
  readonly deadlineMs?: number;
  /** Time between two looks, ms. */
  readonly everyMs?: number;
}

export type Found<T> = Exclude<T, null | undefined | false | 0 | "">;

/**
 * Looks until `probe` gives something, and returns that. Nothing falsy and no empty list is something; a probe that throws counts as
 * "not yet".
 * @throws {Error} at the deadline, even where a look does not return, with what the last look gave or threw
 */
export async function waitFor<T>(
  probe: () => T | Promise<T>,
  { what, deadlineMs = 60_000, everyMs = 20 }: WaitOptions,
): Promise<Found<T>> {
  const deadline = Date.now() + deadlineMs;
  const late = Promise.withResolvers<typeof LATE>();
  const timer = setTimeout(() => late.resolve(LATE), deadlineMs);
  let last: Look = { outcome: "no look has returned" };
  try {
    for (;;) {
      const value = await Promise.race([look(probe), late.promise]);
      if (value === LATE) break;
      if ("found" in value) return value.found;
      last = value;
      if (Date.now() >= deadline) break;
      await new Promise((resolve) => setTimeout(resolve, everyMs));
    }
  } finally {
    clearTimeout(timer);
  }
  const text = typeof what === "string" ? what : what();
  throw new Error(`Waited ${deadlineMs} ms in vain for ${text}: ${last.outcome}`, { cause: last.error });
}

const LATE = Symbol("late");

interface Look {
  readonly outcome: string;
  readonly error?: unknown;
}

async function look<T>(probe: () => T | Promise<T>): Promise<Look | { readonly found: Found<T> }> {
  try {
    const found = await probe();
    if (found && !(Array.isArray(found) && found.length === 0)) return { found: found as Found<T> };
    return { outcome: `the last look gave ${Deno.inspect(found)}` };
  } catch (error) {
    return { outcome: `the last look threw ${error}`, error };
  }
}
