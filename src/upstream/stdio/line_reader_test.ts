import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { EDGE_CHARS, type Edges } from "../duplex/overlong_response.ts";
import { type Line, LineReader } from "./line_reader.ts";

const bytes = (text: string) => new TextEncoder().encode(text);

function read(chunks: readonly Uint8Array[], maxBytes = 1_000) {
  /** Both in the order in which they ended. */
  const order: (string | Edges)[] = [];
  const reader = new LineReader({ maxBytes });
  const take = (ended: Line[]) => {
    for (const line of ended) {
      order.push(line instanceof Uint8Array ? new TextDecoder().decode(line) : line.edges);
    }
  };
  for (const chunk of chunks) take(reader.push(chunk));
  take(reader.end());
  const lines = order.filter((line) => typeof line === "string");
  return { lines, tooLong: order.filter((line) => typeof line !== "string"), order };
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
        // Empty lines are no messages.
        assertEquals(read(chunks).order, texts.filter((text) => text !== ""));
      },
    ),
  );
});

Deno.test("LineReader passes over a line beyond the limit, once, and goes on with the next", () => {
  const long = "x".repeat(11);
  const exact = "y".repeat(10);
  assertEquals(read([bytes(long), bytes(long), bytes(`\n${exact}\nz`)], 10).order, [
    { start: long, end: long + long },
    exact,
    "z",
  ]);
  const six = "é".repeat(6);
  assertEquals(read([bytes(`a\n${six}\nb\n`)], 10).order, ["a", { start: six, end: six }, "b"]);
});

Deno.test("LineReader keeps both ends of a line beyond the limit, however the bytes are cut", () => {
  const line = Array.from({ length: 200 }, (_, i) => `${i},`).join("");
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 300 }), fc.integer({ min: 1, max: 400 }), (size, maxBytes) => {
      const whole = bytes(line);
      const chunks: Uint8Array[] = [];
      for (let at = 0; at < whole.length; at += size) chunks.push(whole.subarray(at, at + size));
      const { lines, tooLong: [edges, ...others] } = read(chunks, maxBytes);
      assertEquals([lines, others, edges!.end], [[], [], line.slice(-EDGE_CHARS)]);
      // Each end of an overlong line is known up to the limit.
      assert(line.startsWith(edges!.start) && edges!.start.length >= Math.min(EDGE_CHARS, maxBytes));
    }),
  );
});
