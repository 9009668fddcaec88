import { assertEquals } from "@std/assert";
import { ExecutionMeter } from "../telemetry/executions.ts";
import { SharedNumbers } from "../telemetry/shared_numbers.ts";
import { ExecutionLedger } from "./execution_ledger.ts";

function worker() {
  const shared = new SharedNumbers(SharedNumbers.memory(256 * 1024));
  return { shared, meter: new ExecutionMeter(shared, () => {}) };
}

const shown = (ledger: ExecutionLedger) => {
  const batch = ledger.batch();
  return batch === null
    ? null
    : [batch.sequence, ...batch.counts.map(({ id, count }) => [id, count] as const).toSorted()];
};

Deno.test("ExecutionLedger adds up the workers, and gives a batch until it is written, then what is new", () => {
  const ledger = new ExecutionLedger("w");
  const [one, two] = [worker(), worker()];
  const read = () => [one, two].forEach(({ shared }) => ledger.read(shared));
  assertEquals(shown(ledger), null);
  one.meter.ended("tool", "a", 1, 1, false);
  two.meter.ended("tool", "a", 1, 1, false);
  two.meter.ended("tool", "b", 1, 1, false);
  read();
  assertEquals(shown(ledger), [1, ["a", 2], ["b", 1]]);
  one.meter.ended("tool", "a", 1, 1, false);
  read();
  assertEquals(shown(ledger), [1, ["a", 2], ["b", 1]]);
  ledger.written(7);
  assertEquals(shown(ledger), [1, ["a", 2], ["b", 1]]);
  ledger.written(1);
  assertEquals(shown(ledger), [2, ["a", 1]]);
  ledger.written(2);
  read();
  assertEquals([shown(ledger), ledger.batch()], [null, null]);
});

Deno.test("ExecutionLedger gives thousands of entries in several batches", () => {
  const ledger = new ExecutionLedger("w");
  const { shared, meter } = worker();
  for (let i = 0; i < 1_200; i++) meter.ended("tool", `t${i}`, 1, 1, false);
  ledger.read(shared);
  const sizes: number[] = [];
  for (let batch = ledger.batch(); batch !== null; batch = ledger.batch()) {
    sizes.push(batch.counts.length);
    ledger.written(batch.sequence);
  }
  assertEquals(sizes, [500, 500, 200]);
});
