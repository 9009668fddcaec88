import { assertEquals, assertRejects } from "@std/assert";
import { batchPlaces } from "../../../tests/support/batch_places.ts";
import { settled } from "../../../tests/support/fake_clock.ts";
import { principal } from "../../../tests/support/fakes.ts";
import { ANONYMOUS } from "../../auth/authenticate.ts";
import { SluiceError } from "../../base/errors.ts";
import { type BatchPlaces, serveBatch } from "./batch.ts";

/** Serves a batch of ten messages. @returns how many run at once */
function begin(places: BatchPlaces, who = principal()) {
  let running = 0;
  let most = 0;
  const gate = Promise.withResolvers<void>();
  const done = serveBatch([..."abcdefghij"], who, places, async (message) => {
    most = Math.max(most, ++running);
    await gate.promise;
    running--;
    return message.toUpperCase();
  });
  return { atOnce: async () => (await settled(), most), release: gate.resolve, done };
}

Deno.test("serveBatch() runs as many messages at once as it gets places, and answers all in their order", async () => {
  for (
    const [requests, calls, who, atOnce] of [
      [100, 100, principal(), 10],
      [4, 100, principal(), 4],
      [100, 3, principal(), 3],
      [100, 3, ANONYMOUS, 10],
    ] as const
  ) {
    const places = batchPlaces(requests, calls);
    // The batch's own place.
    places.admission.enterMore(1);
    const caller = places.callers.enter(who);
    const batch = begin(places, who);
    assertEquals(await batch.atOnce(), atOnce);
    assertEquals(caller?.calls ?? atOnce, atOnce);
    batch.release();
    assertEquals(await batch.done, [..."ABCDEFGHIJ"]);
    assertEquals([caller?.calls ?? 1, places.admission.enterMore(1_000)], [1, requests - 1]);
  }
});

Deno.test("serveBatch() answers also where the worker is full", async () => {
  const places = batchPlaces(1);
  places.admission.enterMore(1);
  const batch = begin(places);
  assertEquals(await batch.atOnce(), 1);
  batch.release();
  assertEquals(await batch.done, [..."ABCDEFGHIJ"]);
});

Deno.test("serveBatch() stops where the answers exceed the caller's memory, and gives it back", async () => {
  const places = batchPlaces(2, 1_000, 1_000, 8 * 1024 * 1024);
  places.admission.enterMore(1);
  let served = 0;
  const list = () => Promise.resolve("x".repeat(++served && 1024 * 1024));
  const batch = (length: number) => serveBatch(Array.from({ length }, () => null), principal(), places, list);
  assertEquals((await batch(3)).length, 3);
  // Half of the memory: the fifth answer is too much, and one more was under way.
  served = 0;
  const { code } = await assertRejects(() => batch(100), SluiceError);
  assertEquals([code, served <= 6, places.memory.chars], ["CLIENT_MEMORY_FULL", true, 0]);
  assertEquals(places.admission.enterMore(1_000), 1);
});
