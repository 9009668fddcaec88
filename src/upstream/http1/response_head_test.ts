import { assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { ProtocolFault } from "./protocol_fault.ts";
import { HeadScanner, MAX_HEADER_FIELDS, parseResponseHead, type ResponseHead } from "./response_head.ts";

function bytesOf(text: string): Uint8Array {
  return Uint8Array.from(text, (char) => char.charCodeAt(0));
}

function parse(text: string): ResponseHead {
  const bytes = bytesOf(text);
  const length = new HeadScanner().scan(bytes, 0, bytes.length);
  assertEquals(length, bytes.length, "the scanner finds the end");
  return parseResponseHead(bytes, 0, length);
}

function faultOf(text: string): string {
  return assertThrows(() => parse(text), ProtocolFault).message;
}

const OK = "HTTP/1.1 200 OK\r\n";

Deno.test("parseResponseHead() reads status, framing and headers in any case", () => {
  const head = parse(
    OK + "Content-Type:application/json \r\nCONTENT-LENGTH: \t12\r\nx-a: 1\r\nX-A:2\r\nempty:\r\n\r\n",
  );
  assertEquals([head.status, head.contentLength, head.chunked, head.keepAlive], [200, 12, false, true]);
  assertEquals(head.header("content-type"), "application/json");
  assertEquals(head.header("x-a"), "1, 2");
  assertEquals(head.header("empty"), "");
  assertEquals(head.header("a"), null);
  assertEquals(head.header("type"), null);
});

Deno.test("parseResponseHead() takes a status line without a reason", () => {
  assertEquals(parse("HTTP/1.1 204\r\n\r\n").status, 204);
  assertEquals(parse("HTTP/1.1 503 \r\n\r\n").status, 503);
});

Deno.test("parseResponseHead() keeps bytes above ASCII as latin1, wherever they stand", () => {
  const head = parse("HTTP/1.1 200 \xc3\xa9\r\nx-name: caf\xe9\xa0\r\ncontent-length: 3\r\n\r\n");
  assertEquals(head.header("x-name"), "caf\xe9\xa0");
  assertEquals(head.contentLength, 3);
});

for (
  const [keepAlive, text] of [
    [true, OK],
    [true, OK + "Connection: keep-alive\r\n"],
    [true, OK + "Connection: Keep-Alive, x\r\n"],
    [false, OK + "Connection: close\r\n"],
    [false, OK + "connection: x , CLOSE\r\n"],
    [false, OK + "connection: close\r\nconnection: keep-alive\r\n"],
    [false, OK + "connection: keep-alive\r\nconnection: close\r\n"],
    [false, "HTTP/1.0 200 OK\r\n"],
    [true, "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n"],
    [false, "HTTP/1.0 200 OK\r\nConnection: keep-alive, close\r\n"],
  ] as const
) {
  Deno.test(`parseResponseHead() keepAlive is ${keepAlive} for ${JSON.stringify(text)}`, () => {
    assertEquals(parse(text + "\r\n").keepAlive, keepAlive);
  });
}

Deno.test("parseResponseHead() reads how long the peer keeps an idle connection", () => {
  assertEquals(parse(OK + "Keep-Alive: timeout=5, max=100\r\n\r\n").keepAliveHintMs, 5_000);
  assertEquals(parse(OK + "Keep-Alive: max=1\r\n\r\n").keepAliveHintMs, Infinity);
});

for (
  const [fault, lines] of [
    ["content-length is given twice", "content-length: 2\r\ncontent-length: 2\r\n"],
    ["content-length is given twice", "content-length: 2\r\nContent-Length: 3\r\n"],
    ["an invalid content-length", "content-length: 2, 2\r\n"],
    ["an invalid content-length", "content-length: -1\r\n"],
    ["an invalid content-length", "content-length: +1\r\n"],
    ["an invalid content-length", "content-length: 0x10\r\n"],
    ["an invalid content-length", "content-length: \r\n"],
    ["an invalid content-length", "content-length: 5\xa0\r\n"],
    ["an invalid content-length", "content-length: 9999999999999999\r\n"],
    ["both content-length and transfer-encoding", "content-length: 2\r\ntransfer-encoding: chunked\r\n"],
    ["both content-length and transfer-encoding", "transfer-encoding: chunked\r\ncontent-length: 2\r\n"],
    ["a transfer-encoding other than chunked", "transfer-encoding: gzip, chunked\r\n"],
    ["a transfer-encoding other than chunked", "transfer-encoding: identity\r\n"],
    [
      "a transfer-encoding other than chunked",
      "transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n",
    ],
    ["a header value holds a control character", "transfer-encoding: \x0bchunked\r\n"],
    ["a folded header line", "x-a: 1\r\n folded\r\n"],
    ["a folded header line", "\tx-a: 1\r\n"],
    ["a malformed header name", "content-length : 2\r\n"],
    ["a malformed header name", ": 2\r\n"],
    ["a malformed header name", "no colon\r\n"],
    ["a malformed header name", "x\x00y: 2\r\n"],
    ["a header value holds a control character", "x: a\x00b\r\n"],
    ["a header value holds a control character", "x: a\rb\r\n"],
    ["a header value holds a control character", "x: a\x7f\r\n"],
  ] as const
) {
  Deno.test(`parseResponseHead() refuses ${JSON.stringify(lines)}`, () => {
    assertEquals(faultOf(`${OK}${lines}\r\n`), fault);
  });
}

for (
  const [fault, head] of [
    ["not an HTTP/1.1 status line", "HTTP/1.2 200 OK\r\n\r\n"],
    ["not an HTTP/1.1 status line", "HTTP/2 200\r\n\r\n"],
    ["a malformed status line", "HTTP/1.1  200 OK\r\n\r\n"],
    ["a malformed status line", "HTTP/1.1 20 OK\r\n\r\n"],
    ["a malformed status line", "HTTP/1.1 2000\r\n\r\n"],
    ["a malformed status line", "HTTP/1.1 600 X\r\n\r\n"],
    ["a malformed status line", "HTTP/1.1\r\n\r\n"],
    ["the status line holds a control character", "HTTP/1.1 200 a\rb\r\n\r\n"],
    ["transfer-encoding in an HTTP/1.0 answer", "HTTP/1.0 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"],
    ["an interim answer announces a body", "HTTP/1.1 103 X\r\ncontent-length: 1\r\n\r\n"],
    [`more than ${MAX_HEADER_FIELDS} header fields`, OK + "x: 1\r\n".repeat(MAX_HEADER_FIELDS + 1) + "\r\n"],
  ] as const
) {
  Deno.test(`parseResponseHead() says "${fault}" of ${JSON.stringify(head.slice(0, 40))}`, () => {
    assertEquals(faultOf(head), fault);
  });
}

Deno.test("HeadScanner.scan() refuses a line that ends without CR as soon as it has come", () => {
  for (const text of ["HTTP/1.1 200 OK\n", OK + "x: 1\n", OK + "\n", "\n"]) {
    const bytes = bytesOf(text);
    assertThrows(() => new HeadScanner().scan(bytes, 0, bytes.length), ProtocolFault);
  }
});

Deno.test("HeadScanner.scan() says at the first wrong byte that the peer speaks another protocol", () => {
  for (const text of ["S", "SSH-2.0-x", "\x15\x03\x01", "HTTQ", "\r\nHTTP/1.1 200"]) {
    const bytes = bytesOf(text);
    const fault = assertThrows(() => new HeadScanner().scan(bytes, 0, bytes.length), ProtocolFault);
    assertEquals(fault.message, "the answer is not HTTP/1.1");
  }
});

Deno.test("HeadScanner.scan() finds the same end however the bytes are split, and not in stale bytes behind them", () => {
  const head = OK + "content-type: text/plain\r\nx: \r\n\r\n";
  fc.assert(fc.property(
    fc.nat(20),
    fc.array(fc.integer({ min: 1, max: 12 }), { minLength: 1 }),
    (offset, steps) => {
      const buffer = new Uint8Array(offset + head.length + 40).fill(10);
      const whole = bytesOf(head + "HTTP/1.1 ");
      const scanner = new HeadScanner();
      let end = 0;
      for (let i = 0; end < whole.length; i++) {
        const next = Math.min(whole.length, end + steps[i % steps.length]);
        buffer.set(whole.subarray(end, next), offset + end);
        end = next;
        const found = scanner.scan(buffer, offset, offset + end);
        assertEquals(found, end < head.length ? -1 : head.length);
        if (found >= 0) break;
      }
    },
  ));
});

Deno.test("parseResponseHead() never fails otherwise than with ProtocolFault", () => {
  const piece = fc.constantFrom(
    "HTTP/1.1",
    " ",
    "200",
    "\r\n",
    "\r",
    "\n",
    ":",
    "a",
    "content-length",
    "\x00",
    "\xff",
  );
  fc.assert(fc.property(fc.array(piece, { maxLength: 30 }), (pieces) => {
    const bytes = bytesOf("HTTP/1.1 2" + pieces.join("") + "\r\n\r\n");
    try {
      const length = new HeadScanner().scan(bytes, 0, bytes.length);
      parseResponseHead(bytes, 0, length);
    } catch (error) {
      if (!(error instanceof ProtocolFault)) throw error;
    }
  }));
});
