import { assertEquals } from "@std/assert";
import { FakeClock } from "../../../tests/support/fake_clock.ts";
import { createLog } from "../log.ts";
import { SpanQueue, type SpanQueueOptions } from "./span_queue.ts";

const SPAN = new Uint8Array(10);

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
  const spans = (length: number) => Array.from({ length }, () => SPAN);
  return { clock, lines, counts, queue, spans };
}

Deno.test("SpanQueue sends a full batch at once, and the rest after its delay", async () => {
  const batches: number[] = [];
  const { clock, counts, queue, spans } = setUp((batch) => {
    batches.push(batch.length);
    return Promise.resolve({ refused: 0, why: "" });
  });
  queue.add(spans(1));
  assertEquals(batches, []);
  await clock.tick(100);
  queue.add(spans(6));
  await clock.tick(0);
  assertEquals([batches, counts], [[1, 4, 2], { sent: 7 }]);
});

Deno.test("SpanQueue loses what finds no place, and what was tried four times", async () => {
  let tries = 0;
  const { clock, counts, lines, queue, spans } = setUp(() => {
    tries++;
    return Promise.reject(new Error("collector:4318 answered HTTP 503"));
  });
  queue.add(spans(4));
  await clock.tick(0);
  queue.add(spans(12));
  assertEquals([queue.hasRoom, counts], [false, { queue_full: 2 }]);
  await clock.tick(7_000);
  assertEquals([tries, counts.not_delivered], [5, 4]);
  assertEquals(lines.length, 1);
  await Promise.all([queue.close(), clock.tick(5_000)]);
  assertEquals(counts.not_delivered, 14);
});

Deno.test("SpanQueue sends nothing again that is refused for good", async () => {
  const { clock, counts, queue, spans } = setUp((batch) =>
    Promise.resolve({ refused: batch.length - 1, why: "collector:4318 refused spans: too old" })
  );
  queue.add(spans(4));
  await clock.tick(10_000);
  assertEquals(counts, { refused: 3, sent: 1 });
});
