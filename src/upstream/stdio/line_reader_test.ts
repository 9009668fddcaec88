import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { LineReader } from "./line_reader.ts";

const bytes = (text: string) => new TextEncoder().encode(text);

function read(chunks: readonly Uint8Array[], maxBytes = 1_000) {
  const lines: string[] = [];
  let tooLong = 0;
  const reader = new LineReader(maxBytes, { onLine: (line) => lines.push(line), onTooLong: () => tooLong++ });
  for (const chunk of chunks) reader.push(chunk);
  reader.end();
  return { lines, tooLong };
}

Deno.test("LineReader gives the same lines however the bytes are cut", () => {
  fc.assert(
    fc.property(
      fc.array(fc.string({ unit: "binary", maxLength: 20 }).map((text) => text.replace(/[\r\n\ufeff]/g, ""))),
      fc.constantFrom("\n", "\r\n"),
      fc.infiniteStream(fc.integer({ min: 1, max: 9 })),
      (texts, end, sizes) => {
        const whole = bytes(texts.map((text) => text + end).join(""));
        const chunks: Uint8Array[] = [];
        for (let at = 0; at < whole.length;) {
          const size = sizes.next().value!;
          chunks.push(whole.subarray(at, at += size));
        }
        // Lines without text are no messages.
        assertEquals(read(chunks), { lines: texts.filter((text) => text !== ""), tooLong: 0 });
      },
    ),
  );
});

Deno.test("LineReader passes over a line beyond the limit, once, and goes on with the next", () => {
  const long = bytes("x".repeat(11));
  const exact = "y".repeat(10);
  assertEquals(read([long, long, bytes(`\n${exact}\nz`)], 10), { lines: [exact, "z"], tooLong: 1 });
  assertEquals(read([bytes(`${"é".repeat(6)}\na\n`)], 10), { lines: ["a"], tooLong: 1 });
});
