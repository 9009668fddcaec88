import { assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { assertLinear } from "../../tests/support/growth.ts";
import { encodeSseEvent, SseDecoder } from "./sse.ts";

const bytes = (text: string) => new TextEncoder().encode(text);
const decode = (text: string) => new SseDecoder(1_000_000).push(bytes(text));

Deno.test("SseDecoder.push() reads fields, comments, multi-line data and every line ending", () => {
  const events = decode(
    "\ufeff: hello\nevent: a\ndata: 1\ndata:2\nid: 7\n\ndata: x\r\n\r\ndata: y\r\revent: lost\n\ndata\n\n",
  );
  assertEquals(events, [
    { event: "a", data: "1\n2", id: "7" },
    { event: "message", data: "x", id: "7" },
    { event: "message", data: "y", id: "7" },
    { event: "message", data: "", id: "7" },
  ]);
});

Deno.test("SseDecoder.push() takes the retry delay and the last id", () => {
  const decoder = new SseDecoder(1000);
  decoder.push(bytes("retry: 250\nid: e1\ndata: \n\nretry: soon\n"));
  assertEquals([decoder.retryMs, decoder.lastEventId], [250, "e1"]);
});

Deno.test("SseDecoder.push() gives the same events however the bytes are cut", () => {
  const stream =
    "id: 1\r\ndata: a\u00e4\u20ac\ud83d\ude00\r\n\r\ndata: b\n\n: c\rdata: d\r\rdata: e\ndata: f\r\n\n";
  const whole = decode(stream);
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1 }), (sizes) => {
      const decoder = new SseDecoder(1_000_000);
      const all = bytes(stream);
      const events = [];
      for (let at = 0, i = 0; at < all.length; i++) {
        const size = sizes[i % sizes.length]!;
        events.push(...decoder.push(all.subarray(at, at + size)));
        at += size;
      }
      assertEquals(events, whole);
    }),
  );
});

Deno.test("SseDecoder.push() gives an event whose lines end in CR as soon as it is whole", () => {
  const decoder = new SseDecoder(1000);
  const data = (text: string) => decoder.push(bytes(text)).map(({ data }) => data);
  assertEquals(data("data: 1\r\r"), ["1"]);
  assertEquals(data("data: 2\r"), []);
  assertEquals(data("\n\r"), ["2"]);
  assertEquals(data("\ndata: 3\n\n"), ["3"]);
  assertEquals(data("\r"), []);
});

Deno.test("SseDecoder.push() refuses an event beyond its limit", () => {
  const decoder = new SseDecoder(10);
  decoder.push(bytes("data: 1234"));
  assertThrows(() => decoder.push(bytes("567890")), RangeError);
  const lines = new SseDecoder(10);
  assertThrows(() => lines.push(bytes("data: 123456\ndata: 123456\ndata")), RangeError);
});

Deno.test("encodeSseEvent() is read back whole by SseDecoder", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary-ascii" }), (data) => {
      const [event] = decode(encodeSseEvent(data, { event: "message", id: "1" }));
      assertEquals(event, { event: "message", data: data.replace(/\r\n|\r/g, "\n"), id: "1" });
    }),
  );
});

Deno.test("SseDecoder.push() needs time in proportion to a line that comes in many pieces", () => {
  const piece = bytes("x".repeat(1_000));
  // Copying all of it with every piece is quadratic.
  assertLinear((pieces) => {
    const decoder = new SseDecoder(20_000_000);
    decoder.push(bytes("data: "));
    for (let i = 0; i < pieces; i++) decoder.push(piece);
    const [event] = decoder.push(bytes("\n\n"));
    assertEquals(event!.data.length, pieces * 1_000);
  }, 500);
});

Deno.test("SseDecoder.push() bounds an event of many lines without data", () => {
  const decoder = new SseDecoder(1_000);
  assertThrows(() => {
    for (let i = 0; i < 1_001; i++) decoder.push(bytes("data\n"));
  }, RangeError);
});
