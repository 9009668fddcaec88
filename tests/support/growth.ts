// Whether work grows in proportion to its input, by a comparison that does not depend on the machine's speed.
import { assert } from "@std/assert";

const FACTOR = 8;
/** Between 8, which is linear, and 64, which is quadratic: the shorter run is measured less exactly. */
const MAX_GROWTH = 32;
/** The quickest run is the one that was disturbed least. */
const RUNS = 3;
/** Shorter times are not exact enough for a comparison, ms. */
const LEAST_MS = 0.3;

/** Fails where `run` takes more than in proportion longer for eight times `size`. */
export function assertLinear(run: (size: number) => void, size: number): void {
  const [small, large] = [quickest(run, size), quickest(run, size * FACTOR)];
  assert(large < small * MAX_GROWTH, `${large} ms for ${FACTOR} times the input of ${small} ms`);
}

/** Fails where `run` takes `factor` times as long as `other`. */
export function assertComparable(run: () => void, other: () => void, factor: number): void {
  const [own, others] = [quickest(run, 1), quickest(other, 1)];
  assert(own < others * factor, `${own} ms, and ${others} ms of the other`);
}

/** Sizes that `firstFault()` compares, as parts of the largest one. */
const PARTS = [FACTOR ** 3, FACTOR ** 2, FACTOR, 1];

/**
 * Looks for a size up to `max` for which a run takes more than in proportion longer than for a smaller one. It begins with small sizes,
 * so that quadratic time is found early.
 * @param prepare makes the run for a size
 * @returns the fault in words; null: none
 */
export async function firstFault(
  max: number,
  prepare: (size: number) => () => unknown,
): Promise<string | null> {
  let before = LEAST_MS;
  for (const part of PARTS) {
    const size = Math.ceil(max / part);
    const limit = Math.max(before, LEAST_MS) * MAX_GROWTH;
    const run = prepare(size);
    let ms = Infinity;
    // The second run makes the time exact enough for the next comparison.
    for (let runs = 0; runs < 2 || (runs < RUNS && ms >= limit); runs++) ms = Math.min(ms, await timeOf(run));
    if (ms >= limit) return `${ms} ms for size ${size}, and ${before} ms for an eighth of it`;
    before = ms;
  }
  return null;
}

function quickest(run: (size: number) => void, size: number): number {
  const times = Array.from({ length: RUNS }, () => {
    const from = threadMs();
    run(size);
    return threadMs() - from;
  });
  return Math.min(...times);
}

async function timeOf(run: () => unknown): Promise<number> {
  const from = threadMs();
  await run();
  return threadMs() - from;
}

const NEVER_WOKEN = new Int32Array(new SharedArrayBuffer(4));

/** CPU time that this thread has used, ms: on a busy machine a run waits for its turn. Outside Linux, the time of the clock. */
function threadMs(): number {
  if (Deno.build.os !== "linux") return performance.now();
  // The kernel adds the time of a slice when the slice ends.
  Atomics.wait(NEVER_WOKEN, 0, 0, 1);
  const [nanoseconds] = Deno.readTextFileSync("/proc/thread-self/schedstat").split(" ");
  return Number(nanoseconds) / 1e6;
}
