import { assert, assertAlmostEquals, assertEquals } from "@std/assert";
import { Latencies } from "./latencies.ts";

function latencies(...times: number[]): Latencies {
  const found = new Latencies();
  for (const ms of times) found.record(ms);
  return found;
}

Deno.test("Latencies keeps 0.1 % from a microsecond to an hour, and bounds what is longer", () => {
  for (const ms of [0.001, 0.25, 1, 17.3, 950, 61_000, 3_599_000]) {
    assertAlmostEquals(latencies(ms).percentile(99)!, ms, ms / 1_000 + 0.0005);
  }
  assertAlmostEquals(latencies(10_000_000).percentile(50)!, 3_600_000, 3_600);
  assertEquals(latencies(-0.1).percentile(50), 0);
});

Deno.test("Latencies.add() and decode() keep every value: the merged percentiles are those of all", () => {
  const all = new Latencies();
  const parts = [new Latencies(), new Latencies(), new Latencies()];
  for (let index = 1; index <= 3_000; index++) {
    all.record(index / 10);
    parts[index % 3]!.record(index / 10);
  }
  const merged = new Latencies();
  const stored = new Latencies();
  for (const part of parts) {
    merged.add(part);
    stored.add(Latencies.decode(part.encode()));
  }
  assertEquals(merged.summary, all.summary);
  assertEquals([all.summary.max, all.summary.p9999], [300, 300]);
  assertAlmostEquals(merged.percentile(99)!, 297, 0.3);
  assertEquals([stored.count, stored.percentile(99)], [3_000, all.percentile(99)]);
  assertAlmostEquals(stored.summary.max!, 300, 0.3);
  parts[0]!.reset();
  assertEquals([parts[0]!.count, parts[0]!.summary.max, merged.count], [0, null, 3_000]);
});

Deno.test("Latencies of nothing has no percentiles, and reports null", () => {
  const { p99, max, mean } = new Latencies().summary;
  assertEquals([p99, max, mean, new Latencies().percentile(50)], [null, null, null, null]);
  const empty = new Latencies();
  empty.add(new Latencies());
  assert(empty.count === 0);
});
