import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { SluiceError } from "../../base/errors.ts";
import { checkHeaders, encodeHead, RequestBuffer, RequestHeads } from "./request_head.ts";
import { targetOf } from "../dial/target.ts";

const target = targetOf(new URL("http://up.test:8080/mcp?a=%20b#fragment"));
const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

Deno.test("RequestBuffer.encode() writes one message: head, length, body", () => {
  const head = encodeHead(target, "POST", [["accept", "a/b"], ["x", "1"]]);
  assertEquals(
    text(new RequestBuffer().encode(head, "POST", "{}")),
    "POST /mcp?a=%20b HTTP/1.1\r\nhost: up.test:8080\r\naccept: a/b\r\nx: 1\r\ncontent-length: 2\r\n\r\n{}",
  );
});

Deno.test("RequestBuffer.encode() gives a length where there could be a body, and none where there is none", () => {
  const buffer = new RequestBuffer();
  const encode = (method: string, body?: string) =>
    text(buffer.encode(encodeHead(target, method, []), method, body));
  for (const method of ["GET", "HEAD", "DELETE"]) assert(!encode(method).includes("content-length"));
  for (const method of ["POST", "PUT", "PATCH"]) {
    assert(encode(method).endsWith("\r\ncontent-length: 0\r\n\r\n"));
  }
  assert(encode("DELETE", "x").endsWith("\r\ncontent-length: 1\r\n\r\nx"));
});

Deno.test("RequestBuffer.encode() counts the body in bytes, whatever it held before", () => {
  const buffer = new RequestBuffer();
  const head = encodeHead(target, "POST", []);
  const unit = fc.constantFrom("a", "é", "語", "😀", "\ud800");
  const size = fc.constantFrom(0, 1, 9, 10, 99, 1_000, 1_365, 4_000, 5_000, 70_000);
  fc.assert(fc.property(unit, unit, size, fc.boolean(), (first, rest, count, trims) => {
    if (trims) buffer.trim();
    const body = first + rest.repeat(count);
    const bytes = new TextEncoder().encode(body);
    const expected = `${text(head)}content-length: ${bytes.length}\r\n\r\n${text(bytes)}`;
    assertEquals(text(buffer.encode(head, "POST", body)) === expected, true);
  }));
});

Deno.test("encodeHead() sends header values as one byte for each character", () => {
  const bytes = encodeHead(target, "GET", [["x", "é\xff"]]);
  assertEquals([...bytes.slice(-7)], [120, 58, 32, 0xe9, 0xff, 13, 10]);
});

for (
  const [name, value] of [
    ["x", "a\r\nb: c"],
    ["x", "a\n"],
    ["x", "a\rb"],
    ["x", "a\0"],
    ["x", "語"],
    ["x\r\ny", "a"],
    ["x y", "a"],
    ["x:", "a"],
    ["", "a"],
    ["X", "a"],
    ["host", "other"],
    ["content-length", "1"],
    ["transfer-encoding", "chunked"],
    ["connection", "close"],
    ["expect", "100-continue"],
  ]
) {
  Deno.test(`checkHeaders() refuses ${JSON.stringify([name, value])} without repeating the value`, () => {
    const error = assertThrows(() => checkHeaders([["ok", "1"], [name, value]]), SluiceError);
    assertEquals(error.code, "INVALID_REQUEST");
    assert(value.length < 5 || !error.message.includes(value));
  });
}

Deno.test("RequestHeads.get() encodes a frozen list once for a target and method, an open one every time", () => {
  const heads = new RequestHeads();
  const frozen = Object.freeze<[string, string][]>([["x", "1"]]);
  const first = heads.get(target, "POST", frozen);
  assert(heads.get(target, "POST", frozen) === first);
  assert(text(heads.get(target, "DELETE", frozen)).startsWith("DELETE "));
  const other = targetOf(new URL("http://other.test/"));
  assert(text(heads.get(other, "DELETE", frozen)).includes("host: other.test\r\n"));
  const open: [string, string][] = [["x", "1"]];
  heads.get(target, "POST", open);
  open[0] = ["x", "a\r\nb"];
  assertThrows(() => heads.get(target, "POST", open), SluiceError);
});
