import { assertEquals } from "@std/assert";
import { FakeClock } from "../../../tests/support/fake_clock.ts";
import { createLog } from "../log.ts";
import { SpanQueue, type SpanQueueOptions } from "./span_queue.ts";

function setUp(post: SpanQueueOptions["post"]) {
  const clock = new FakeClock();
  const lines: string[] = [];
  const counts: Record<string, number> = {};
  const count = (name: string, spans: number) => counts[name] = (counts[name] ?? 0) + spans;
  const queue = new SpanQueue({
    clock,
    log: createLog({ level: "INFO", format: "json", sink: { write: (text) => void lines.push(text) } }),
    ...{ delayMs: 100, maxWaiting: 10, maxBatch: 4, post },
    countSent: (spans) => count("sent", spans),
    countLost: (reason, spans) => count(reason, spans),
  });
  const add = (...counts: number[]) => {
    for (const count of counts) queue.add({ bytes: new Uint8Array(10 * count), count });
  };
  return { clock, lines, counts, queue, add };
}

Deno.test("SpanQueue sends a full batch at once, and the rest after its delay", async () => {
  const batches: number[] = [];
  const { clock, counts, add } = setUp((batch) => {
    batches.push(batch.count);
    return Promise.resolve({ refused: 0, why: "" });
  });
  add(1);
  assertEquals(batches, []);
  await clock.tick(100);
  add(2, 1, 3);
  await clock.tick(99);
  // What is left waits for more.
  assertEquals([batches, counts], [[1, 3], { sent: 4 }]);
  await clock.tick(1);
  assertEquals([batches, counts], [[1, 3, 3], { sent: 7 }]);
});

Deno.test("SpanQueue loses what finds no place, and what was tried four times", async () => {
  let tries = 0;
  const { clock, counts, lines, queue, add } = setUp(() => {
    tries++;
    return Promise.reject(new Error("collector:4318 answered HTTP 503"));
  });
  add(4);
  await clock.tick(0);
  add(4, 4);
  assertEquals(queue.add({ bytes: new Uint8Array(40), count: 4 }), false);
  assertEquals([queue.hasRoom, queue.length, counts], [true, 8, { queue_full: 4 }]);
  add(2);
  assertEquals(queue.hasRoom, false);
  await clock.tick(7_000);
  assertEquals([tries, counts.not_delivered], [5, 4]);
  assertEquals(lines.length, 1);
  await Promise.all([queue.close(), clock.tick(5_000)]);
  assertEquals(counts.not_delivered, 14);
});

Deno.test("SpanQueue sends nothing again that is refused for good", async () => {
  const { clock, counts, add } = setUp((batch) =>
    Promise.resolve({ refused: batch.count - 1, why: "collector:4318 refused spans: too old" })
  );
  add(4);
  await clock.tick(10_000);
  assertEquals(counts, { refused: 3, sent: 1 });
});
