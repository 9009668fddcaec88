import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { SharedNumbers } from "./shared_numbers.ts";

Deno.test("SharedNumbers shows a reader all names and numbers, whatever they are, as they grow", () => {
  const entry = fc.record({
    name: fc.string({ unit: "binary", maxLength: 40 }),
    initial: fc.array(fc.double({ noNaN: true }), { maxLength: 20 }),
  });
  fc.assert(fc.property(fc.uniqueArray(entry, { selector: ({ name }) => name, maxLength: 8 }), (entries) => {
    const memory = SharedNumbers.memory(64 * 1024);
    const [writer, reader] = [new SharedNumbers(memory), new SharedNumbers(memory)];
    const expected = new Map<string, number[]>();
    for (const { name, initial } of entries) {
      const numbers = writer.add(name, initial)!;
      if (numbers.length > 0) numbers[0]!++;
      expected.set(name, [...numbers]);
      assertEquals(new Map([...reader.read()].map(([name, read]) => [name, [...read]])), expected);
    }
  }));
});

Deno.test("SharedNumbers says that it is full, and has what fits", () => {
  const numbers = new SharedNumbers(SharedNumbers.memory(100));
  assert(numbers.add("a", [1, 2, 3]) !== null);
  assertEquals(numbers.add("b", new Array(9).fill(0)), null);
  assert(numbers.add("c", [4]) !== null);
  assertEquals([...numbers.read().keys()], ["a", "c"]);
});
