// Whether work grows in proportion to its input, by a comparison that does not depend on the machine's speed.
import { assert } from "@std/assert";

const FACTOR = 8;
/** Between 8, which is linear, and 64, which is quadratic: the shorter run is measured less exactly. */
const MAX_GROWTH = 32;
/** The quickest run is the one that was disturbed least. */
const RUNS = 3;

/** Fails where `run` takes more than in proportion longer for eight times `size`. */
export function assertLinear(run: (size: number) => void, size: number): void {
  const [small, large] = [quickest(run, size), quickest(run, size * FACTOR)];
  assert(large < small * MAX_GROWTH, `${large} ms for ${FACTOR} times the input of ${small} ms`);
}

function quickest(run: (size: number) => void, size: number): number {
  const times = Array.from({ length: RUNS }, () => {
    const from = threadMs();
    run(size);
    return threadMs() - from;
  });
  return Math.min(...times);
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
