import { assertEquals } from "@std/assert";
import FakeTimers from "@sinonjs/fake-timers";
import { Deadline } from "../resilience/deadline.ts";
import { keepStreamOpen, pauseBeforeResume, type StreamEnd } from "./stream_reopening.ts";

/** The number of openings over time. */
async function openings(end: StreamEnd, ...ticks: number[]): Promise<number[]> {
  const timers = FakeTimers.install({ toFake: ["setTimeout", "clearTimeout", "Date"] });
  const stop = new AbortController();
  let count = 0;
  const listening = keepStreamOpen(() => (count++, Promise.resolve(end)), stop.signal);
  const counts: number[] = [];
  try {
    for (const ms of ticks) {
      await timers.tickAsync(ms);
      counts.push(count);
    }
  } finally {
    stop.abort();
    await listening;
    timers.uninstall();
  }
  return counts;
}

Deno.test("keepStreamOpen() makes the pause that the server asks for, however long", async () => {
  assertEquals(await openings({ outcome: "ended", retryMs: 60_000 }, 59_999, 1, 59_999, 1), [1, 2, 2, 3]);
  assertEquals(await openings({ outcome: "failed", retryMs: 60_000 }, 59_999, 1), [1, 2]);
  assertEquals(await openings({ outcome: "ended", retryMs: 1e15 }, 86_400_000), [1]);
  assertEquals(await openings({ outcome: "ended" }, 999, 1), [1, 2]);
});

Deno.test("pauseBeforeResume() makes the pause that the server asks for, no longer than the call has", async () => {
  const timers = FakeTimers.install({ toFake: ["setTimeout", "clearTimeout", "Date"] });
  try {
    for (const [retryMs, expected] of [[45_000, 45_000], [90_000, 60_000], [null, 1_000]] as const) {
      const began = Date.now();
      const pause = pauseBeforeResume(retryMs, { deadline: new Deadline(60_000, "X") });
      await timers.runAllAsync();
      await pause;
      assertEquals(Date.now() - began, expected);
    }
  } finally {
    timers.uninstall();
  }
});
