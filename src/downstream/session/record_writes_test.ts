import { assertEquals, assertRejects } from "@std/assert";
import { FakeClock } from "../../../tests/support/fake_clock.ts";
import { RecordWrites } from "./record_writes.ts";

const CHARS = 100_000;

function setUp(chars: number) {
  const clock = new FakeClock();
  let state = 0;
  const written: number[] = [];
  const writes = new RecordWrites(clock, () => {
    written.push(state);
    return Promise.resolve(chars);
  });
  const change = () => {
    state++;
    return writes.changed();
  };
  return { clock, written, change };
}

Deno.test("RecordWrites.changed() resolves when the change is written", async () => {
  const { written, change } = setUp(100);
  for (let n = 1; n <= 3; n++) {
    await change();
    assertEquals(written, [1, 2, 3].slice(0, n));
  }
});

Deno.test("RecordWrites.changed() shares one write among the changes in the pause after a large one", async () => {
  const { clock, written, change } = setUp(CHARS);
  await change();
  const changes = Array.from({ length: 50 }, change);
  await clock.tick(99);
  assertEquals(written, [1]);
  await clock.tick(1);
  assertEquals(written, [1, 51]);
  await Promise.all(changes);
});

Deno.test("RecordWrites.changed() tells of a failed write, and the next change writes again", async () => {
  const clock = new FakeClock();
  let fails = true;
  const writes = new RecordWrites(
    clock,
    () => fails ? Promise.reject(new Error("away")) : Promise.resolve(1),
  );
  await assertRejects(() => writes.changed(), Error, "away");
  fails = false;
  await writes.changed();
});
