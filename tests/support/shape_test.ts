import { assertEquals } from "@std/assert";
import { missingLine, missingMember } from "./shape.ts";

Deno.test("missingLine() wants the shown lines in their order, whatever numbers and tokens they have", () => {
  const output = "sluice 0.3.1 (abcdef1)\n  started in 12 ms\ntoken eyJhbGci.eyJz.abc_\nend";
  assertEquals(missingLine("sluice 0.1.0 (…)\nstarted in 9 ms\n…\nend", output), null);
  assertEquals(missingLine("token eyJ…", output), null);
  assertEquals(missingLine("end\ntoken eyJx", output), "token eyJx");
  assertEquals(missingLine("started in 9 s", output), "started in 9 s");
});

Deno.test("missingMember() wants the shown members with the same strings, and any numbers and ids", () => {
  const output = {
    id: "0b5c1d6e-1111-4222-8333-444455556666",
    name: "x",
    n: 3,
    ok: true,
    tags: [{ a: 1 }, { b: "c" }],
  };
  assertEquals(
    missingMember({ id: "aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee", n: 7, ok: true, "…": "…" }, output),
    null,
  );
  assertEquals(missingMember({ tags: [{ b: "c" }, "…"] }, output), null);
  assertEquals(missingMember({ tags: [{ b: "d" }] }, output), "$.tags[0]");
  assertEquals(missingMember({ name: "y" }, output), "$.name");
  assertEquals(missingMember({ ok: false }, output), "$.ok");
  assertEquals(missingMember({ other: "…" }, output), "$.other");
});
