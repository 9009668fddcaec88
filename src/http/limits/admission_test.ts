import { assertEquals } from "@std/assert";
import { settled } from "../../../tests/support/fake_clock.ts";
import { Admission, REFUSED } from "./admission.ts";

Deno.test("Admission.enter() lets in as many as the limit, and one more for each that leaves", () => {
  const admission = new Admission({ requests: 2, streams: 1 });
  const first = admission.enter();
  admission.enter();
  assertEquals([admission.enter(), admission.requestsInFlight], [REFUSED, 2]);
  admission.leave(first);
  assertEquals(admission.enter() === REFUSED, false);
  assertEquals([admission.enter(), admission.requestsInFlight], [REFUSED, 2]);
});

Deno.test("Admission.leaveAsStream() gives the request's place back and takes one among the streams until the end", async () => {
  for (const vanishes of [false, true]) {
    const admission = new Admission({ requests: 1, streams: 2 });
    admission.enter();
    const ended = Promise.withResolvers<void>();
    admission.leaveAsStream(ended.promise);
    assertEquals([admission.requestsInFlight, admission.streamCount], [0, 1]);
    assertEquals(admission.enter() === REFUSED, false);
    if (vanishes) ended.reject(new Error("the client is gone"));
    else ended.resolve();
    await settled();
    assertEquals([admission.requestsInFlight, admission.streamCount], [1, 0]);
  }
});

Deno.test("Admission.leaveAsStream() keeps the request's place where the streams are full", async () => {
  const admission = new Admission({ requests: 2, streams: 1 });
  const ends = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  for (const { promise } of ends) {
    admission.enter();
    admission.leaveAsStream(promise);
  }
  assertEquals([admission.streamsAreFull, admission.requestsInFlight, admission.streamCount], [true, 1, 1]);
  // The place among the streams that becomes free is for the next one: who kept the other gives that back.
  ends[0]!.resolve();
  await settled();
  assertEquals([admission.streamsAreFull, admission.requestsInFlight, admission.streamCount], [false, 1, 0]);
  ends[1]!.resolve();
  await settled();
  assertEquals([admission.requestsInFlight, admission.streamCount], [0, 0]);
});

Deno.test("Admission with a fixed limit reads no clock", () => {
  let reads = 0;
  const admission = new Admission({ requests: 1, streams: 1 }, () => ++reads);
  admission.leave(admission.enter());
  assertEquals(reads, 0);
});

Deno.test("Admission with requests auto starts low and follows latency", () => {
  let nowMs = 0;
  const admission = new Admission({ requests: "auto", streams: 1 }, () => nowMs);
  assertEquals(admission.requestLimit, 20);
  const round = (latencyMs: number) => {
    const tickets = Array.from({ length: admission.requestLimit }, () => admission.enter());
    assertEquals(admission.enter(), REFUSED);
    nowMs += latencyMs;
    for (const ticket of tickets) admission.leave(ticket);
  };
  for (let i = 0; i < 5; i++) round(100);
  const before = admission.requestLimit;
  for (let i = 0; i < 3; i++) round(1_000);
  assertEquals([before > 40, admission.requestLimit < before], [true, true]);
  assertEquals(admission.requestsInFlight, 0);
});
