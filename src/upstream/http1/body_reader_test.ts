import { assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { type BodyReader, bodyReader, ChunkedBody, FixedBody, UntilCloseBody } from "./body_reader.ts";
import { ProtocolFault } from "./protocol_fault.ts";
import { ResponseHead } from "./response_head.ts";

function bytesOf(text: string): Uint8Array {
  return Uint8Array.from(text, (char) => char.charCodeAt(0));
}

/** Feeds `wire` in steps of the given sizes; what was taken, and what was left of the last window. */
function readInSteps(body: BodyReader, wire: string, steps: readonly number[]) {
  const bytes = bytesOf(wire);
  let text = "";
  let at = 0;
  for (let i = 0; at < bytes.length && !body.done; i++) {
    const window = { bytes, start: at, end: Math.min(bytes.length, at + steps[i % steps.length]) };
    for (;;) {
      const piece = body.take(window);
      if (piece === null) break;
      text += String.fromCharCode(...piece);
    }
    if (!body.done) assertEquals(window.start, window.end, "nothing is left while more is needed");
    at = window.start;
  }
  return { text, rest: wire.slice(at), done: body.done };
}

const steps = fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 8 });

function headWith(status: number, fields: Partial<ResponseHead>): ResponseHead {
  return Object.assign(new ResponseHead("", status, true), fields);
}

Deno.test("bodyReader() follows RFC 9112 section 6.3", () => {
  assertEquals(bodyReader(headWith(200, { contentLength: 5 }), "HEAD"), null);
  assertEquals(bodyReader(headWith(204, { contentLength: 5 }), "GET"), null);
  assertEquals(bodyReader(headWith(304, { chunked: true }), "GET"), null);
  assertEquals(bodyReader(headWith(202, { contentLength: 0 }), "POST"), null);
  assertEquals(bodyReader(headWith(200, { contentLength: 5 }), "GET")?.remaining, 5);
  assertEquals(bodyReader(headWith(200, { chunked: true }), "GET") instanceof ChunkedBody, true);
  assertEquals(bodyReader(headWith(200, {}), "GET")?.endsWithStream, true);
});

Deno.test("FixedBody.take() gives exactly its length, and leaves the rest", () => {
  fc.assert(fc.property(steps, (sizes) => {
    assertEquals(readInSteps(new FixedBody(11), "hello worldHTTP/1.1", sizes).text, "hello world");
  }));
  assertEquals(readInSteps(new FixedBody(3), "abcdef", [99]), { text: "abc", rest: "def", done: true });
  assertEquals(readInSteps(new FixedBody(9), "abc", [2]), { text: "abc", rest: "", done: false });
});

Deno.test("UntilCloseBody.take() gives everything and is never done by itself", () => {
  assertEquals(readInSteps(new UntilCloseBody(), "abcdef", [4]), { text: "abcdef", rest: "", done: false });
});

Deno.test("ChunkedBody.take() decodes any chunks, extensions and trailers, however they are split", () => {
  const extension = fc.constantFrom("", ";a=b", ' ; q="x;y"', ";", "\t;a");
  const chunk = fc.tuple(
    fc.string({ minLength: 1, maxLength: 40, unit: "binary-ascii" }),
    extension,
    fc.boolean(),
  );
  const trailer = fc.constantFrom("x-a: 1\r\n", "x-b:\r\n");
  fc.assert(fc.property(fc.array(chunk), fc.array(trailer), steps, (chunks, trailers, sizes) => {
    const wire = chunks.map(([data, ext, upper]) => {
      const size = data.length.toString(16);
      return `${upper ? size.toUpperCase() : "0" + size}${ext}\r\n${data}\r\n`;
    }).join("") + `0\r\n${trailers.join("")}\r\n`;
    const expected = { text: chunks.map(([data]) => data).join(""), rest: "GARBAGE", done: true };
    assertEquals(readInSteps(new ChunkedBody(), wire + "GARBAGE", [...sizes]), expected);
  }));
});

Deno.test("ChunkedBody.take() is not done before the last line end", () => {
  const wire = "3\r\nabc\r\n0\r\nx: y\r\n\r\n";
  for (let length = 0; length < wire.length; length++) {
    assertEquals(readInSteps(new ChunkedBody(), wire.slice(0, length), [1]).done, false);
  }
});

for (
  const wire of [
    "\r\n",
    "g\r\n",
    "-1\r\n",
    "+1\r\n",
    "0x1\r\n",
    " 1\r\na\r\n",
    ";a\r\n",
    "1\na\n",
    "1 1\r\n",
    "1\rx",
    "1\r\nab",
    "1\r\na\n",
    "1\r\na\rx",
    "1;a\nb\r\n",
    "1;a\x00\r\n",
    "1000000000000\r\n",
    "0000000000001\r\n",
    "0\r\nx\n\r\n",
    "0\r\n\rx",
    `1;${"a".repeat(20_000)}\r\n`,
    "1;aaaaaaaaaaaaaaaaaaaa\r\nx\r\n".repeat(2_000),
    `0\r\n${"x: y\r\n".repeat(4_000)}\r\n`,
  ]
) {
  Deno.test(`ChunkedBody.take() refuses ${JSON.stringify(wire.slice(0, 30))} (${wire.length} bytes)`, () => {
    for (const size of [1, 7, wire.length]) {
      assertThrows(() => readInSteps(new ChunkedBody(), wire, [size]), ProtocolFault);
    }
  });
}
