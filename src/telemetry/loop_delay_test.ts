import { assertEquals } from "@std/assert";
import FakeTimers from "@sinonjs/fake-timers";
import { LOOK_MS, measureLoopDelay } from "./loop_delay.ts";

Deno.test("measureLoopDelay() observes by how much its timer is late, until it is ended", () => {
  const timers = FakeTimers.install({ toFake: ["setInterval", "clearInterval"] });
  const unref = Deno.unrefTimer;
  Deno.unrefTimer = () => {};
  try {
    let now = 0;
    const delays: number[] = [];
    const end = measureLoopDelay({ observe: (seconds) => delays.push(seconds) }, () => now);
    for (const late of [0, 500, -1]) {
      now += LOOK_MS + late;
      timers.tick(LOOK_MS);
    }
    end();
    timers.tick(LOOK_MS);
    assertEquals(delays, [0, 0.5, 0]);
  } finally {
    Deno.unrefTimer = unref;
    timers.uninstall();
  }
});
