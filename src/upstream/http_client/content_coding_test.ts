import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { brotliCompressSync, constants, createGzip, deflateRawSync, deflateSync, gzipSync } from "node:zlib";
import { SluiceError } from "../../base/errors.ts";
import { decoded } from "./content_coding.ts";
import type { HttpResponse } from "./http_client.ts";

/** A response whose body comes in these pieces. `pieces` counts those that were read, `isLeft` whether the reader has left. */
class Coded implements HttpResponse {
  readonly status = 200;
  pieces = 0;
  isLeft = false;

  constructor(readonly body: AsyncIterable<Uint8Array> | Iterable<Uint8Array>) {}

  header(): null {
    return null;
  }

  text(): Promise<string> {
    throw new Error("nobody reads the coded text");
  }

  async *chunks(): AsyncGenerator<Uint8Array> {
    try {
      for await (const piece of this.body) {
        this.pieces++;
        yield piece;
      }
    } finally {
      this.isLeft = true;
    }
  }

  discard(): void {
    this.isLeft = true;
  }
}

const TEXT = JSON.stringify({ words: Array.from({ length: 5_000 }, (_, i) => `wörd ${i * 7919 % 997}`) });

function* cut(bytes: Uint8Array, size: number): Generator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

const CODINGS: [string, (text: string) => Uint8Array][] = [
  ["gzip", gzipSync],
  ["X-GZip", gzipSync],
  ["deflate", deflateSync],
  ["deflate", deflateRawSync],
  [" br ", brotliCompressSync],
];

Deno.test("decoded() gives the text of every coding, however it is cut", async () => {
  for (const [coding, encode] of CODINGS) {
    for (const size of [1, 100, 1_000_000]) {
      const coded = new Coded(cut(encode(TEXT), size));
      const text = await decoded(coded, coding, { upstream: "up" }).text(1_000_000);
      assertEquals([text === TEXT, coded.isLeft], [true, true], `${coding} in pieces of ${size}`);
    }
    assertEquals(await decoded(new Coded([]), coding, { upstream: "up" }).text(10), "");
  }
});

Deno.test("decoded() leaves a response without a coding as it is", () => {
  const plain = new Coded([]);
  assertEquals([decoded(plain, "identity", { upstream: "up" }), decoded(plain, "", { upstream: "up" })], [
    plain,
    plain,
  ]);
});

Deno.test("decoded() stops reading a body that becomes too large", async () => {
  const bomb = gzipSync(new Uint8Array(100_000_000), { level: 9 });
  for (const limit of [10, 1_000_000]) {
    const coded = new Coded(cut(bomb, 1_000));
    const error = await assertRejects(
      () => decoded(coded, "gzip", { upstream: "up" }).text(limit),
      SluiceError,
    );
    assertEquals([error.code, error.params.limit, coded.isLeft], [
      "UPSTREAM_RESPONSE_TOO_LARGE",
      limit,
      true,
    ]);
    assertEquals(coded.pieces < 10, true, `${coded.pieces} pieces were read`);
  }
});

Deno.test("decoded() gives each event of a stream as it comes, and leaves when its reader leaves", async () => {
  const gzip = createGzip();
  const coming: Uint8Array[] = [];
  gzip.on("data", (piece) => coming.push(piece));
  async function* events() {
    for (let i = 0;; i++) {
      gzip.write(`data: ${i}\n\n`);
      await new Promise<void>((resolve) => gzip.flush(constants.Z_SYNC_FLUSH, () => resolve()));
      yield* coming.splice(0);
      // The server is silent until its reader has left: what it sent has to arrive all the same.
      if (i === 2) await new Promise<never>(() => {});
    }
  }
  const coded = new Coded(events());
  let text = "";
  for await (const piece of decoded(coded, "gzip", { upstream: "up" }).chunks()) {
    text += new TextDecoder().decode(piece);
    if (text.includes("data: 2")) break;
  }
  assertEquals(text, "data: 0\n\ndata: 1\n\ndata: 2\n\n");
  gzip.destroy();
});

Deno.test("decoded() gives what came of a body that breaks off", async () => {
  const whole = gzipSync(TEXT);
  const text = await decoded(new Coded([whole.subarray(0, whole.length - 20)]), "gzip", { upstream: "up" })
    .text(1_000_000);
  assertEquals([TEXT.startsWith(text), text.length > 1_000], [true, true]);
});

Deno.test("decoded() names a coding that it does not know, or that the body does not have", async () => {
  const cases: [string, Uint8Array, string][] = [
    ["zstd", new Uint8Array([1]), 'the content coding "zstd"'],
    ["gzip, br", new Uint8Array([1]), 'the content coding "gzip, br"'],
    ["gzip", new TextEncoder().encode('{"jsonrpc":"2.0"}'), "not valid gzip"],
    ["br", new TextEncoder().encode('{"jsonrpc":"2.0"}'), "not valid br"],
  ];
  for (const [coding, body, words] of cases) {
    const asked = () => decoded(new Coded([body]), coding, { upstream: "up" }).text(100);
    const error = await assertRejects(asked, SluiceError);
    assertEquals(error.code, "UPSTREAM_PROTOCOL_ERROR");
    assertStringIncludes(error.message, words);
  }
});

Deno.test("decoded() passes on why a body could not be received", async () => {
  const lost = new SluiceError("UPSTREAM_CLOSED", { upstream: "up", sent: 1 });
  // deno-lint-ignore require-yield -- nothing comes before the failure
  async function* failing(): AsyncGenerator<Uint8Array> {
    await Promise.resolve();
    throw lost;
  }
  const error = await assertRejects(() =>
    decoded(new Coded(failing()), "gzip", { upstream: "up" }).text(100)
  );
  assertEquals(error, lost);
});
