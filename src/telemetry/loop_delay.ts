// Measures how long the event loop of this thread lets a timer wait. Deno has no monitorEventLoopDelay().
import type { HistogramChild } from "./metric_values.ts";

/** How often it looks. A delay shorter than this may go unseen. */
export const LOOK_MS = 200;

/** @param now by performance.now() @returns ends it */
export function measureLoopDelay(
  delays: Pick<HistogramChild, "observe">,
  now: () => number = () => performance.now(),
): () => void {
  let dueAt = now() + LOOK_MS;
  const timer = setInterval(() => {
    const at = now();
    delays.observe(Math.max(0, at - dueAt) / 1_000);
    dueAt = at + LOOK_MS;
  }, LOOK_MS);
  Deno.unrefTimer(timer);
  return () => clearInterval(timer);
}
