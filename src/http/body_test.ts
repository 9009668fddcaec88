import { assertEquals, assertRejects } from "@std/assert";
import { SluiceError } from "../base/errors.ts";
import { ClientMemory } from "../base/sharing/client_memory.ts";
import { principal, SERVED } from "../../tests/support/fakes.ts";
import { FakeClock, settled } from "../../tests/support/fake_clock.ts";
import { bodyReader, readText } from "./body.ts";

interface Given {
  readonly body: BodyInit;
  readonly headers?: Record<string, string>;
}

function request({ body, headers = {} }: Given): Request {
  return new Request("http://gateway/rpc", {
    method: "POST",
    body,
    headers: { "content-type": "application/json", ...headers },
  });
}

function chunked(...chunks: Uint8Array[]): ReadableStream<Uint8Array> {
  return ReadableStream.from(chunks);
}

async function codeOf(given: Given, maxBytes = 10): Promise<string> {
  const error = await assertRejects(() => readText(request(given), maxBytes), SluiceError);
  return error.code;
}

const bytes = (text: string) => new TextEncoder().encode(text);

Deno.test("readText() reads a body of exactly the limit, with and without content-length", async () => {
  const text = '"1234567"'.padEnd(10);
  assertEquals(await readText(request({ body: text, headers: { "content-length": "10" } }), 10), text);
  const pieces = chunked(bytes(text.slice(0, 4)), bytes(text.slice(4)));
  assertEquals(await readText(request({ body: pieces }), 10), text);
});

Deno.test("readText() refuses a byte more, with and without content-length", async () => {
  assertEquals(await codeOf({ body: "x".repeat(11), headers: { "content-length": "11" } }), "BODY_TOO_LARGE");
  assertEquals(await codeOf({ body: chunked(bytes("x".repeat(6)), bytes("x".repeat(5))) }), "BODY_TOO_LARGE");
});

Deno.test("readText() stops reading a chunked body at the limit", async () => {
  let pulled = 0;
  let cancelled = false;
  const endless = new ReadableStream<Uint8Array>({
    pull: (controller) => (pulled++, controller.enqueue(bytes("xxxx"))),
    cancel: () => void (cancelled = true),
  });
  assertEquals(await codeOf({ body: endless }), "BODY_TOO_LARGE");
  assertEquals(cancelled, true);
  assertEquals(pulled < 10, true);
});

Deno.test("readText() joins characters that are split between chunks", async () => {
  const text = bytes('"é"');
  assertEquals(await readText(request({ body: chunked(text.slice(0, 2), text.slice(2)) }), 10), '"é"');
});

Deno.test("readText() takes JSON by its media type, whatever its case and parameters", async () => {
  for (
    const type of [
      "application/json",
      "Application/JSON",
      "application/json; charset=utf-8",
      "application/json ;x",
    ]
  ) {
    assertEquals(await readText(request({ body: "1", headers: { "content-type": type } }), 10), "1");
  }
});

function compressed(coding: "gzip" | "deflate", text: string): Promise<Uint8Array<ArrayBuffer>> {
  return new Response(new Blob([text]).stream().pipeThrough(new CompressionStream(coding))).bytes();
}

Deno.test("readText() decodes a compressed body up to the limit, and refuses other codings by name", async () => {
  const given = async (coding: string, body: BodyInit) => ({ body, headers: { "content-encoding": coding } });
  for (const coding of ["gzip", "deflate"] as const) {
    const text = JSON.stringify("é".repeat(400));
    const asked = await given(coding === "gzip" ? "GZIP" : coding, await compressed(coding, text));
    assertEquals(await readText(request(asked), 802), text);
    assertEquals(await codeOf(asked, 801), "BODY_TOO_LARGE");
    assertEquals(await codeOf(await given(coding, '{"a":1}')), "INVALID_REQUEST");
    // The decoded size is bounded, whatever it would be.
    const bomb = await compressed(coding, "0".repeat(30_000_000));
    assertEquals(bomb.length < 40_000, true);
    assertEquals(await codeOf(await given(coding, bomb), 40_000), "BODY_TOO_LARGE");
  }
  const error = await assertRejects(async () => await readText(request(await given("br", "1")), 10));
  assertEquals((error as Error).message, "Content-Encoding must be gzip, deflate");
});

Deno.test("readText() refuses other media types and encoded bodies", async () => {
  for (const type of ["text/plain", "application/jsonx", "application/json-rpc", "x-application/json", ""]) {
    assertEquals(
      await codeOf({ body: "1", headers: { "content-type": type } }),
      "UNSUPPORTED_MEDIA_TYPE",
      type,
    );
  }
  assertEquals(await codeOf({ body: "1", headers: { "content-encoding": "br" } }), "UNSUPPORTED_ENCODING");
});

Deno.test("readText() calls what is not UTF-8 a parse error", async () => {
  assertEquals(await codeOf({ body: Uint8Array.of(0x22, 0xff, 0x22) }), "PARSE_ERROR");
});

Deno.test("readText() blames the client for a body that breaks off", async () => {
  const broken = new ReadableStream<Uint8Array>({
    start: (controller) => controller.error(new TypeError("connection reset")),
  });
  assertEquals(await codeOf({ body: broken }), "INVALID_REQUEST");
});

/** A body that comes when it is told to; `failure` breaks it off. */
function slowBody(): { request: Request; send: (text: string) => void; breakOff: () => void } {
  let controller!: ReadableStreamDefaultController<Uint8Array>;
  const body = new ReadableStream<Uint8Array>({ start: (given) => void (controller = given) });
  return {
    request: request({ body }),
    send: (text) => {
      controller.enqueue(bytes(text));
      controller.close();
    },
    breakOff: () => controller.error(new TypeError("the connection is gone")),
  };
}

Deno.test("bodyReader() gives each body its own time, with one timer for all", async () => {
  const clock = new FakeClock();
  const read = bodyReader({ maxBytes: 100, timeoutMs: 1_000 }, clock);
  const outcomes: string[] = [];
  const begin = (name: string) =>
    void read(slowBody().request).catch((error: SluiceError) => outcomes.push(`${name}: ${error.message}`));
  begin("first");
  await clock.tick(600);
  begin("second");
  assertEquals(clock.timers, 1);
  await clock.tick(400);
  const late = "The request body did not arrive within 1000 ms (HTTP_BODY_TIMEOUT)";
  assertEquals(outcomes, [`first: ${late}`]);
  await clock.tick(600);
  assertEquals([outcomes, clock.timers], [[`first: ${late}`, `second: ${late}`], 0]);
});

Deno.test("bodyReader() takes back the deadline of a body that has come, and of one that broke off", async () => {
  const clock = new FakeClock();
  const read = bodyReader({ maxBytes: 100, timeoutMs: 1_000 }, clock);
  const [whole, broken] = [slowBody(), slowBody()];
  const [text, failure] = [read(whole.request), assertRejects(() => read(broken.request), SluiceError)];
  whole.send('{"a":1}');
  broken.breakOff();
  assertEquals([await text, (await failure).code], ['{"a":1}', "INVALID_REQUEST"]);
  await clock.tick(1_000);
  assertEquals(clock.timers, 0);
});

Deno.test("bodyReader() lets a failure after the deadline go unnoticed", async () => {
  const clock = new FakeClock();
  const read = bodyReader({ maxBytes: 100, timeoutMs: 1_000 }, clock);
  const body = slowBody();
  const failure = assertRejects(() => read(body.request), SluiceError);
  await clock.tick(1_000);
  assertEquals((await failure).code, "BODY_TIMEOUT");
  body.breakOff();
  await settled();
});

Deno.test("readText() leaves the event loop between two large texts, and does not hold a small one back", async () => {
  const order: string[] = [];
  const read = async (name: string, chars: number) => {
    await readText(request({ body: `"${"x".repeat(chars)}"` }), 1024 * 1024);
    if (order.push(name) === 1) setTimeout(() => order.push("another's"), 0);
  };
  await Promise.all([read("large 1", 500_000), read("large 2", 500_000)]);
  assertEquals(order, ["large 1", "another's", "large 2"]);
  await Promise.all([read("large 3", 500_000), read("large 4", 500_000), read("small", 10)]);
  assertEquals(order.indexOf("small") < order.indexOf("large 4"), true);
});

/** A reader that counts for eve, and what is counted. */
function counting(maxChars: number) {
  const memory = new ClientMemory(maxChars);
  const clock = new FakeClock();
  const readBody = bodyReader({ maxBytes: 1_000_000, timeoutMs: 1_000 }, clock, memory);
  const answered = Promise.withResolvers<void>();
  const sender = {
    principal: principal({ subject: "eve" }),
    info: { ...SERVED, completed: answered.promise },
  };
  let controller!: ReadableStreamDefaultController<Uint8Array>;
  let isCancelled = false;
  const body = new ReadableStream<Uint8Array>({
    start: (given) => void (controller = given),
    cancel: () => void (isCancelled = true),
  });
  const send = async (chars: number) => {
    controller.enqueue(bytes("1".repeat(chars)));
    await settled();
  };
  const text = readBody(request({ body }), sender);
  const end = () => controller.close();
  return { memory, clock, text, send, end, answered, isCancelled: () => isCancelled };
}

Deno.test("bodyReader() counts a large body while it arrives, and until it is answered", async () => {
  const { memory, text, send, end, answered } = counting(1_000_000);
  await send(60_000);
  assertEquals(memory.chars, 0);
  await send(60_000);
  assertEquals(memory.chars, 120_000);
  end();
  assertEquals([(await text).length, memory.chars], [120_000, 120_000]);
  answered.resolve();
  await settled();
  assertEquals(memory.chars, 0);
});

Deno.test("bodyReader() refuses what the sender has no memory for, and gives back what a failed body had", async () => {
  const ends: [code: string, end: (given: ReturnType<typeof counting>) => unknown][] = [
    ["CLIENT_MEMORY_FULL", ({ send }) => send(100_000)],
    ["CLIENT_MEMORY_FULL", ({ memory }) => memory.shed(0)],
    ["BODY_TIMEOUT", ({ clock }) => clock.tick(1_000)],
  ];
  for (const [code, end] of ends) {
    const given = counting(300_000);
    const failure = assertRejects(() => given.text, SluiceError);
    await given.send(100_000);
    assertEquals(given.memory.chars, 100_000);
    await end(given);
    assertEquals((await failure).code, code);
    await given.clock.tick(1_000);
    assertEquals([given.memory.chars, given.isCancelled(), given.clock.timers], [0, true, 0], code);
  }
});

Deno.test("bodyReader() counts what a compressed body becomes", async () => {
  const memory = new ClientMemory(1_000_000);
  const readBody = bodyReader({ maxBytes: 1_000_000, timeoutMs: 1_000 }, new FakeClock(), memory);
  const answered = Promise.withResolvers<void>();
  const sender = { principal: principal(), info: { ...SERVED, completed: answered.promise } };
  const body = await compressed("gzip", "1".repeat(400_000));
  const read = () => readBody(request({ body, headers: { "content-encoding": "gzip" } }), sender);
  await read();
  assertEquals(memory.chars, 400_000);
  assertEquals((await assertRejects(read, SluiceError)).code, "CLIENT_MEMORY_FULL");
});

Deno.test("bodyReader() refuses no compressed body for memory that it does not need", async () => {
  const memory = new ClientMemory(1_000_000);
  const readBody = bodyReader({ maxBytes: 1_000_000, timeoutMs: 1_000 }, new FakeClock(), memory);
  const sender = { principal: principal(), info: SERVED };
  const text = crypto.getRandomValues(new Uint8Array(4_000)).toHex();
  const body = await compressed("gzip", text);
  const read = () => readBody(request({ body, headers: { "content-encoding": "gzip" } }), sender);
  assertEquals(await Promise.all(Array.from({ length: 20 }, read)), Array(20).fill(text));
});
