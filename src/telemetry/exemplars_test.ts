import { assertEquals } from "@std/assert";
import { BucketExemplars } from "./exemplars.ts";
import { BUCKETS, type Exemplar } from "./metric_values.ts";

const EXEMPLAR: Exemplar = {
  bucket: 3,
  traceId: "0af7651916cd43dd8448eb211c80319c",
  spanId: "00f067aa0ba902b7",
  seconds: 0.0071,
  at: 1_764_496_000_123.5,
};

function empty() {
  const numbers = Float64Array.from(BucketExemplars.INITIAL);
  return { numbers, exemplars: new BucketExemplars(numbers) };
}

Deno.test("BucketExemplars reads what it has kept, in the memory of another thread too", () => {
  const { numbers, exemplars } = empty();
  const above = { ...EXEMPLAR, bucket: BUCKETS.length, traceId: "f".repeat(32) };
  exemplars.keep(EXEMPLAR);
  exemplars.keep(above);
  assertEquals(new BucketExemplars(numbers).read(), [EXEMPLAR, above]);
});

Deno.test("BucketExemplars replaces an exemplar after a second, and after the clock was set back", () => {
  const rows: [age: number, isReplaced: boolean][] = [[0, false], [999, false], [1_000, true], [-1, true]];
  for (const [age, isReplaced] of rows) {
    const { exemplars } = empty();
    const next = { ...EXEMPLAR, spanId: "1".repeat(16), at: EXEMPLAR.at + age };
    exemplars.keep(EXEMPLAR);
    exemplars.keep(next);
    assertEquals(exemplars.read(), [isReplaced ? next : EXEMPLAR], `${age} ms`);
  }
});

Deno.test("BucketExemplars leaves out an exemplar whose writer has died over it", () => {
  const { numbers, exemplars } = empty();
  exemplars.keep(EXEMPLAR);
  exemplars.keep({ ...EXEMPLAR, bucket: 0 });
  const first = new Uint32Array(numbers.buffer);
  first[0]!++;
  assertEquals(exemplars.read(), [EXEMPLAR]);
});
