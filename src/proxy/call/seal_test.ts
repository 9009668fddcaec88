import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { Seal } from "./seal.ts";

Deno.test("Seal.open() reads what any worker with the same secret sealed, in the same context and for the same purpose", () => {
  fc.assert(fc.property(fc.string(), fc.string({ unit: "binary" }), (context, text) => {
    const sealed = new Seal("secret", "x").seal(context, text);
    assertEquals(/^[A-Za-z0-9_-]+$/.test(sealed), true);
    assertEquals(new Seal("secret", "x").seal(context, text), sealed);
    assertEquals(new Seal("secret", "x").open(context, sealed), text.toWellFormed());
    assertEquals(new Seal("secret", "x").open(`${context}.`, sealed), null);
    assertEquals(new Seal("secret", "y").open(context, sealed), null);
    assertEquals(new Seal("other", "x").open(context, sealed), null);
  }));
});

Deno.test("Seal.open() takes nothing that was not sealed", () => {
  const seal = new Seal("secret", "x");
  const sealed = seal.seal("c", "text");
  for (let i = 0; i < sealed.length - 1; i++) {
    const other = sealed[i] === "A" ? "B" : "A";
    assertEquals(seal.open("c", sealed.slice(0, i) + other + sealed.slice(i + 1)), null, `at ${i}`);
  }
  for (const shorter of ["", "A", "AAAA", sealed.slice(4), sealed.slice(0, -4), "日本"]) {
    assertEquals(seal.open("c", shorter), null);
  }
});
