// When requests arrive: at a rate that does not depend on answers.

/** The times of the arrivals. */
export interface Schedule {
  /** The next arrival, ms since the start; Infinity: there is none. */
  next(): number;
}

export interface Rate {
  /** Requests a second at the start. */
  readonly from: number;
  /** Requests a second at the end. In between the rate changes linearly. */
  readonly to: number;
  readonly arrivals: "constant" | "poisson";
}

/** @param random a number from 0 to below 1 */
export function scheduleOf(
  { from, to, arrivals }: Rate,
  durationMs: number,
  random = Math.random,
): Schedule {
  const step = arrivals === "constant" ? () => 1 : () => -Math.log(1 - random());
  // A Poisson process of this rate is one of rate 1, stretched like the constant arrivals.
  let due = arrivals === "constant" ? 0 : step();
  return {
    next() {
      const at = timeOf(due, from / 1_000, to / 1_000, durationMs);
      due += step();
      return at;
    },
  };
}

/** How many requests have arrived `ms` after the start, in the mean. */
export function arrivedBy(ms: number, { from, to }: Rate, durationMs: number): number {
  return (from * ms + (to - from) * ms * ms / (2 * durationMs)) / 1_000;
}

/** When `count` requests have arrived: the inverse of `arrivedBy`. @param from, to by ms */
function timeOf(count: number, from: number, to: number, durationMs: number): number {
  const root = Math.sqrt(from * from + 2 * (to - from) * count / durationMs);
  // A rate that falls to 0 leaves no time for more.
  if (Number.isNaN(root)) return Infinity;
  return count === 0 ? 0 : 2 * count / (from + root);
}
