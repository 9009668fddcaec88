import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { BoundedMap } from "./bounded_map.ts";

Deno.test("BoundedMap evicts the entry whose set is the longest ago, whatever was read since", () => {
  const map = new BoundedMap<string, number>({ maxEntries: 2 });
  map.set("a", 1);
  map.set("b", 2);
  assertEquals(map.get("a"), 1);
  map.set("c", 3);
  assertEquals([...map], [["b", 2], ["c", 3]]);
});

Deno.test("BoundedMap that counts gets evicts the least recently used entry", () => {
  const map = new BoundedMap<string, number>({ maxEntries: 3, ageFrom: "get" });
  for (const [key, value] of [["a", 1], ["b", 2], ["c", 3]] as const) map.set(key, value);
  map.get("a");
  map.get("a");
  map.get("b");
  map.get("unknown");
  map.set("d", 4);
  assertEquals([...map.keys()], ["a", "b", "d"]);
  map.delete("d");
  map.get("a");
  assertEquals([...map.keys()], ["b", "a"]);
});

Deno.test("BoundedMap makes a key that is set again the newest, and evicts nothing for it", () => {
  const map = new BoundedMap<string, number>({ maxEntries: 2 });
  map.set("a", 1);
  map.set("b", 2);
  map.set("a", 3);
  assertEquals([...map], [["b", 2], ["a", 3]]);
});

Deno.test("BoundedMap keeps the sum of weights below its limit, and no entry that exceeds it alone", () => {
  const map = new BoundedMap<string, string>({
    maxWeight: 10,
    weightOf: (key, value) => key.length + value.length,
  });
  map.set("a", "1234");
  map.set("b", "1234");
  assertEquals([map.weight, map.size], [10, 2]);
  map.set("c", "1");
  assertEquals([[...map.keys()], map.weight], [["b", "c"], 7]);
  map.set("b", "1");
  assertEquals(map.weight, 4);
  map.set("c", "1234567890");
  assertEquals([[...map.keys()], map.weight], [["b"], 2]);
  map.clear();
  assertEquals([map.weight, map.size], [0, 0]);
});

Deno.test("BoundedMap evicts a dispensable entry first, else the oldest", () => {
  const evicted: string[] = [];
  const map = new BoundedMap<string, { spare: boolean }>({
    maxEntries: 3,
    isDispensable: ({ spare }) => spare,
    onEvict: (_value, key) => evicted.push(key),
  });
  map.set("a", { spare: false });
  map.set("b", { spare: true });
  map.set("c", { spare: true });
  map.set("d", { spare: false });
  map.set("e", { spare: false });
  map.set("f", { spare: false });
  assertEquals(evicted, ["b", "c", "a"]);
});

Deno.test("BoundedMap reports evictions only: no delete, no clear, no new value", () => {
  const evicted: [string, number][] = [];
  const map = new BoundedMap<string, number>({
    maxEntries: 1,
    onEvict: (value, key) => evicted.push([key, value]),
  });
  map.set("a", 1);
  map.set("a", 2);
  map.delete("a");
  map.set("b", 3);
  map.set("c", 4);
  map.clear();
  assertEquals(evicted, [["b", 3]]);
});

Deno.test("BoundedMap agrees with a list that is searched, for any sequence of operations", () => {
  const operation = fc.tuple(fc.constantFrom("get", "set", "delete"), fc.integer({ min: 0, max: 6 }));
  const sequence = fc.array(fc.tuple(operation, fc.integer({ min: 1, max: 5 })), { maxLength: 60 });
  fc.assert(fc.property(sequence, fc.constantFrom("set" as const, "get" as const), (steps, ageFrom) => {
    const map = new BoundedMap<number, number>({
      maxEntries: 4,
      maxWeight: 12,
      weightOf: (_key, value) => value,
      ageFrom,
    });
    let list: [number, number][] = [];
    const sum = () => list.reduce((total, [, value]) => total + value, 0);
    for (const [[what, key], value] of steps) {
      const known = list.find(([other]) => other === key);
      if (what === "get") {
        assertEquals(map.get(key), known?.[1]);
        if (known !== undefined && ageFrom === "get") {
          list = [...list.filter((entry) => entry !== known), known];
        }
      } else {
        list = list.filter((entry) => entry !== known);
        if (what === "delete") assertEquals(map.delete(key), known !== undefined);
        else {
          map.set(key, value);
          while (list.length >= 4 || sum() + value > 12) list.shift();
          list.push([key, value]);
        }
      }
      assertEquals([[...map], map.weight], [list, sum()]);
    }
  }));
});
