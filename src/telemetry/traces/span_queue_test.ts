import { assertEquals } from "@std/assert";
import { FakeClock } from "../../../tests/support/fake_clock.ts";
import { testTracer } from "../../../tests/support/test_tracer.ts";
import { createLog } from "../log.ts";
import type { Batch } from "./otlp.ts";
import type { Span } from "./span.ts";
import { SpanQueue, type SpanQueueOptions } from "./span_queue.ts";

function setUp(post: SpanQueueOptions["post"], limits = { maxWaiting: 10, maxBatch: 4 }) {
  const clock = new FakeClock();
  const lines: string[] = [];
  const counts: Record<string, number> = {};
  const count = (name: string, spans: number) => counts[name] = (counts[name] ?? 0) + spans;
  const taken: Span[] = [];
  const queue = new SpanQueue({
    clock,
    log: createLog({ level: "INFO", format: "json", sink: { write: (text) => void lines.push(text) } }),
    ...{ delayMs: 100, ...limits, post },
    taken: (first) => void taken.push(first),
    countSent: (spans) => count("sent", spans),
    countLost: (reason, spans) => count(reason, spans),
  });
  const tracer = testTracer({
    sampler: () => true,
    maxOpenSpans: 1_000,
    export: (first, count) => queue.add(first, count),
  });
  /** Adds traces of so many spans each. */
  const add = (...counts: number[]) => {
    for (const count of counts) {
      const root = tracer.begin(null).begin("root", "server");
      for (let n = 1; n < count; n++) root.begin("part", "internal").end();
      root.end();
    }
  };
  return { clock, lines, counts, queue, add, tracer, taken };
}

const ACCEPTED = { refused: 0, why: "" };

/** A queue that keeps what it sends. */
function recording(limits?: Parameters<typeof setUp>[1]) {
  const batches: Batch[] = [];
  const parts = setUp((batch) => {
    batches.push(batch);
    return Promise.resolve(ACCEPTED);
  }, limits);
  return { ...parts, batches };
}

Deno.test("SpanQueue sends a full batch at once, and the rest after its delay", async () => {
  const { clock, counts, add, batches } = recording();
  const sent = () => batches.map(({ count }) => count);
  add(1);
  assertEquals(sent(), []);
  await clock.tick(100);
  add(2, 1, 3);
  await clock.tick(99);
  // What is left waits for more.
  assertEquals([sent(), counts], [[1, 3], { sent: 4 }]);
  await clock.tick(1);
  assertEquals([sent(), counts], [[1, 3, 3], { sent: 7 }]);
});

Deno.test("SpanQueue splits batches between traces alone, and one of more spans than a batch may have is sent by itself", async () => {
  const { clock, add, batches } = recording({ maxWaiting: 1_000, maxBatch: 4 });
  add(3, 2, 6, 1, 4, 1);
  await clock.tick(100);
  assertEquals(batches.map(({ count }) => count), [3, 2, 6, 1, 4, 1]);
});

Deno.test("SpanQueue encodes thirty-two traces together, and fewer when their delay is over", async () => {
  const { clock, add, taken, queue } = recording({ maxWaiting: 1_000, maxBatch: 100 });
  add(...Array(31).fill(2));
  assertEquals([taken.length, queue.length], [0, 62]);
  add(2);
  assertEquals([taken.length, queue.length], [32, 64]);
  add(1);
  assertEquals([taken.length, queue.length], [32, 65]);
  await clock.tick(100);
  assertEquals([taken.length, queue.length], [33, 0]);
});

Deno.test("SpanQueue loses what finds no place, and what was tried four times", async () => {
  let tries = 0;
  const { clock, counts, lines, queue, add, taken } = setUp(() => {
    tries++;
    return Promise.reject(new Error("collector:4318 answered HTTP 503"));
  });
  add(4);
  await clock.tick(0);
  add(4, 4);
  // A trace is lost as a whole.
  add(4);
  assertEquals([queue.length, counts], [8, { queue_full: 4 }]);
  add(2);
  add(1);
  assertEquals([queue.length, counts], [10, { queue_full: 5 }]);
  await clock.tick(7_000);
  assertEquals([tries, counts.not_delivered], [5, 4]);
  assertEquals(lines.length, 1);
  await Promise.all([queue.close(), clock.tick(5_000)]);
  assertEquals([counts.not_delivered, taken.length], [14, 4]);
});

Deno.test("SpanQueue counts as lost what has ended while it was closed", async () => {
  let answer = () => {};
  const { counts, queue, add } = setUp(() => new Promise((resolve) => answer = () => resolve(ACCEPTED)));
  add(2);
  const closed = queue.close();
  add(3);
  answer();
  await closed;
  assertEquals([counts, queue.length], [{ sent: 2, not_delivered: 3 }, 0]);
});

Deno.test("SpanQueue sends nothing again that is refused for good", async () => {
  const { clock, counts, add } = setUp((batch) =>
    Promise.resolve({ refused: batch.count - 1, why: "collector:4318 refused spans: too old" })
  );
  add(4);
  await clock.tick(10_000);
  assertEquals(counts, { refused: 3, sent: 1 });
});
