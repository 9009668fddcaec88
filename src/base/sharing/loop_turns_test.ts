import { assertEquals } from "@std/assert";
import { LoopTurns } from "./loop_turns.ts";

/** An event loop that turns when it is told to. */
function fakeLoop() {
  let now = 0;
  let timers: { run: () => void; at: number }[] = [];
  return {
    now: () => now,
    later: (run: () => void, ms: number) => void timers.push({ run, at: now + ms }),
    async turn(ms: number) {
      now += ms;
      const due = timers.filter(({ at }) => at <= now);
      timers = timers.filter(({ at }) => at > now);
      for (const { run } of due) run();
      for (let n = 0; n < 10; n++) await Promise.resolve();
    },
  };
}

Deno.test("LoopTurns: one piece per turn of the event loop, callers by turns, and a rest as long as the piece", async () => {
  const loop = fakeLoop();
  const turns = new LoopTurns(loop);
  const begun: string[] = [];
  const piece = async (name: string) => {
    await turns.next(name.split(" ")[0]);
    begun.push(name);
  };
  const all = ["eve 1", "eve 2", "eve 3", "bob 1"].map(piece);
  await loop.turn(0);
  assertEquals(begun, ["eve 1"]);
  // The first piece took 30 ms: so long, nothing large begins.
  await loop.turn(30);
  await loop.turn(20);
  assertEquals(begun, ["eve 1", "eve 2"].slice(0, begun.length));
  while (begun.length < 4) await loop.turn(10);
  assertEquals(begun, ["eve 1", "eve 2", "bob 1", "eve 3"]);
  await Promise.all(all);
  for (let n = 0; n < 3; n++) await loop.turn(100);
  await piece("bob 2");
  assertEquals(begun.at(-1), "bob 2");
});
