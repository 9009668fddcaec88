import { assertEquals } from "@std/assert";
import { QuotaCounters, quotaMemory } from "./quota_counters.ts";

Deno.test("QuotaCounters of several workers count in one memory, and start again in another window", () => {
  const memory = quotaMemory(1_000);
  const [one, other] = [new QuotaCounters(memory, () => {}), new QuotaCounters(memory, () => {})];
  const slot = one.slotOf(77n, 2_000, 1_000);
  assertEquals([one.add(slot, "calls", 1), one.add(slot, "bytes", 5)], [0, 0]);
  assertEquals(other.slotOf(77n, 2_000, 1_000), slot);
  assertEquals(other.add(slot, "calls", 1), 1);
  assertEquals(other.used(slot), { calls: 2, micros: 0, bytes: 5 });
  other.learn(slot, { calls: 1, micros: 9, bytes: 7 });
  assertEquals(one.used(slot), { calls: 2, micros: 9, bytes: 7 });
  assertEquals([one.live(1_999), one.live(2_000)], [1, 0]);
  // Long after its end the slot is free for another key, which starts from zero.
  const next = other.slotOf(77n + 1_000n, 9_000, 8_000);
  assertEquals([next, other.used(next)], [slot, { calls: 0, micros: 0, bytes: 0 }]);
  assertEquals(one.slotOf(77n, 10_000, 8_000, slot) === slot, false);
});

Deno.test("QuotaCounters in a full table start the counter that ends first from zero, and say so", () => {
  let dropped = 0;
  const counters = new QuotaCounters(quotaMemory(16), () => dropped++);
  const slots = Array.from({ length: 16 }, (_, i) => counters.slotOf(BigInt(100 + i), 5_000 + i, 0));
  assertEquals([new Set(slots).size, dropped], [16, 0]);
  assertEquals([counters.slotOf(500n, 6_000, 0), dropped], [slots[0], 1]);
  assertEquals([1, 2, 3].map((i) => counters.slotOf(BigInt(100 + i), 5_000 + i, 0)), slots.slice(1, 4));
});

Deno.test("QuotaCounters lose no count to workers that claim and count at the same time", async () => {
  const memory = quotaMemory(64);
  const source = `
    import { QuotaCounters } from ${JSON.stringify(new URL("./quota_counters.ts", import.meta.url).href)};
    self.onmessage = ({ data }) => {
      const counters = new QuotaCounters(data, () => {});
      for (let round = 0; round < 3_000; round++) {
        counters.add(counters.slotOf(BigInt(1_000 + round % 40), 5_000, 0), "calls", 1);
      }
      self.postMessage(null);
    };`;
  const url = `data:application/typescript,${encodeURIComponent(source)}`;
  await Promise.all([0, 1].map(() =>
    new Promise<void>((resolve, reject) => {
      const worker = new Worker(url, { type: "module" });
      worker.onerror = reject;
      worker.onmessage = () => (worker.terminate(), resolve());
      worker.postMessage(memory);
    })
  ));
  const counters = new QuotaCounters(memory, () => {});
  const counts = Array.from(
    { length: 40 },
    (_, i) => counters.used(counters.slotOf(BigInt(1_000 + i), 5_000, 0)).calls,
  );
  assertEquals(counts, Array(40).fill(150));
});
