import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { NumberedTable } from "./numbered_table.ts";

Deno.test("NumberedTable finds members by their numbers, as a Map would, and gives no number twice", () => {
  fc.assert(fc.property(
    fc.array(fc.oneof(fc.constant("add" as const), fc.nat(40)), { maxLength: 300 }),
    (steps) => {
      const table = new NumberedTable<string>();
      const model = new Map<number, string>();
      const given: number[] = [];
      for (const step of steps) {
        if (step === "add") {
          const member = `m${given.length}`;
          const number = table.add(member);
          assertEquals(given.includes(number), false);
          given.push(number);
          model.set(number, member);
        } else {
          const number = given[step] ?? 0;
          assertEquals(table.delete(number), model.delete(number));
        }
        assertEquals(table.size, model.size);
      }
      for (const number of [0, ...given]) assertEquals(table.get(number), model.get(number));
      assertEquals(table.members().sort(), [...model.values()].sort());
    },
  ));
});

Deno.test("NumberedTable does not grow beside a member that stays", () => {
  const table = new NumberedTable<string>();
  const stays = table.add("stays");
  for (let i = 0; i < 100_000; i++) table.delete(table.add("goes"));
  assertEquals([table.size, table.get(stays)], [1, "stays"]);
  assertEquals(table.add("last") < 120_000, true);
});
