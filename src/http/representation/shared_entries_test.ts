import { assertEquals } from "@std/assert";
import { SharedEntries } from "./shared_entries.ts";

Deno.test("SharedEntries: a caller with many entries pushes out his own, the least recently used first", () => {
  const entries = new SharedEntries<string>(10);
  const set = (key: string, caller: string, weight = 1) => entries.set(key, { caller, value: key, weight });
  for (const quiet of ["ann", "bob"]) set(`${quiet}'s`, quiet);
  for (let i = 0; i < 8; i++) set(`${i}`, "greedy");
  assertEquals(entries.get("0"), "0");
  for (let i = 8; i < 1_000; i++) set(`${i}`, "greedy");
  assertEquals([entries.get("ann's"), entries.get("bob's"), entries.get("0")], ["ann's", "bob's", undefined]);
  assertEquals([entries.get("999"), entries.size, entries.weight], ["999", 10, 10]);
  // Others take their shares from the caller with the most.
  set("dan's", "dan", 3);
  assertEquals([entries.get("ann's"), entries.get("994"), entries.get("995")], ["ann's", undefined, "995"]);
  set("too heavy", "dan", 11);
  assertEquals([entries.get("too heavy"), entries.get("dan's"), entries.weight], [undefined, "dan's", 10]);
  set("dan's", "dan", 1);
  assertEquals([entries.weight, entries.size], [8, 8]);
  entries.clear();
  assertEquals([entries.get("ann's"), entries.weight, entries.size], [undefined, 0, 0]);
});
