import { assertEquals, assertThrows } from "@std/assert";
import { sql, type SqlQuery } from "./sql.ts";

Deno.test("sql binds what is put in, and takes pieces of itself as text", () => {
  const where = sql`WHERE a = ${1} AND b = ${"x'; DROP"}`;
  const { parts, values } = sql`SELECT * FROM ${sql.id("tools")} ${where} LIMIT ${5}`;
  assertEquals(parts, ['SELECT * FROM "tools" WHERE a = ', " AND b = ", " LIMIT ", ""]);
  assertEquals(values, [1, "x'; DROP", 5]);
});

Deno.test("sql.join() and sql.list() put separators between", () => {
  assertEquals(text(sql.join([sql`a = ${1}`, sql`b = ${2}`], " AND ")), "a = ? AND b = ?");
  assertEquals(text(sql`x IN ${sql.list(["a", "b", null])}`), "x IN (?, ?, ?)");
  assertEquals(text(sql.join([])), "");
  assertThrows(() => sql.list([]), TypeError);
});

Deno.test("sql.id() refuses what is not an identifier", () => {
  for (const name of ['a"b', "", "Ab", "a b", "1a"]) assertThrows(() => sql.id(name), TypeError);
});

Deno.test("sql refuses undefined", () => {
  assertThrows(() => sql`${undefined as unknown as null}`, TypeError);
});

function text({ parts }: SqlQuery): string {
  return parts.join("?");
}
