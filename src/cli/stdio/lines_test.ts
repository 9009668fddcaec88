import { assertEquals } from "@std/assert";
import { FakeClock } from "../../../tests/support/fake_clock.ts";
import { settle } from "../../../tests/support/fakes.ts";
import { SluiceError } from "../../base/errors.ts";
import { MAX_UNREAD_BYTES } from "../../downstream/exchange/bounded_body.ts";
import { LineWriter, readLines } from "./lines.ts";

const encoder = new TextEncoder();

async function linesOf(pieces: readonly (string | Uint8Array)[], maxBytes = 1_000): Promise<string[]> {
  async function* stream() {
    for (const piece of pieces) yield typeof piece === "string" ? encoder.encode(piece) : piece;
  }
  const lines: string[] = [];
  for await (const line of readLines(stream(), maxBytes)) {
    lines.push(line instanceof SluiceError ? line.code : line);
  }
  return lines;
}

Deno.test("readLines() gives whole lines, in whatever pieces they come", async () => {
  assertEquals(await linesOf(["a\nb\n"]), ["a", "b"]);
  assertEquals(await linesOf(["a", "b\r\n\r\n  \n", "", "c\nd"]), ["ab", "c"]);
  const bytes = encoder.encode("é€😀\n");
  assertEquals(await linesOf([...bytes].map((byte) => new Uint8Array([byte]))), ["é€😀"]);
});

Deno.test("readLines() says which line it cannot take, and takes the next one", async () => {
  assertEquals(await linesOf(["12345\n123456\n1\n"], 5), ["12345", "BODY_TOO_LARGE", "1"]);
  assertEquals(await linesOf(["123", "456", "78\n1\n"], 5), ["BODY_TOO_LARGE", "1"]);
  assertEquals(await linesOf([new Uint8Array([0xff, 0x0a]), "1\n"]), ["PARSE_ERROR", "1"]);
  assertEquals(await linesOf([new Uint8Array([0xc3, 0x0a]), "1\n"]), ["PARSE_ERROR", "1"]);
});

/** A pipe whose reader takes what it is told to. */
function pipe() {
  const written: string[] = [];
  const waiting: (() => void)[] = [];
  return {
    written,
    take: () => waiting.shift()?.(),
    write: (bytes: Uint8Array) =>
      new Promise<number>((resolve) =>
        waiting.push(() => {
          // A pipe may take a part only.
          const count = Math.min(bytes.length, 4);
          written.push(new TextDecoder().decode(bytes.subarray(0, count)));
          resolve(count);
        })
      ),
  };
}

Deno.test("LineWriter writes each message as one line, in order, in the pieces that the reader takes", async () => {
  const out = pipe();
  const writer = new LineWriter(out, (error) => {
    throw error;
  });
  writer.send('{"a":\r\n 1}');
  writer.send("[]");
  let flushed = false;
  void writer.flush().then(() => flushed = true);
  for (let i = 0; i < 4; i++) {
    assertEquals(flushed, false);
    out.take();
    await settle();
  }
  assertEquals([out.written.join(""), flushed], ['{"a":  1}\n[]\n', true]);
});

Deno.test("LineWriter gives up a reader that takes nothing with much unread, once, and one that is gone", async () => {
  const failures: unknown[] = [];
  const clock = new FakeClock();
  const out = pipe();
  const writer = new LineWriter(out, (error) => failures.push(error), clock);
  // However long one message is, it is written.
  writer.send("x".repeat(MAX_UNREAD_BYTES + 1));
  await clock.tick(9_999);
  out.take();
  await settle();
  // Slowly, but it reads.
  await clock.tick(9_999);
  writer.send("x");
  assertEquals(failures.length, 0);
  await clock.tick(1);
  writer.send("y");
  writer.send("z");
  assertEquals(failures.map(String), ["Error: the client does not read"]);

  const behind: unknown[] = [];
  const flooded = new LineWriter(pipe(), (error) => behind.push(error), clock);
  for (let i = 0; i < 16; i++) flooded.send("x".repeat(MAX_UNREAD_BYTES - 1));
  assertEquals(behind.length, 0);
  flooded.send("");
  assertEquals(behind.map(String), ["Error: the client does not read"]);

  const gone: unknown[] = [];
  const broken = new LineWriter(
    { write: () => Promise.reject(new Deno.errors.BrokenPipe()) },
    (error) => gone.push(error),
  );
  broken.send("x");
  await broken.flush();
  broken.send("y");
  assertEquals(gone.map((error) => error instanceof Deno.errors.BrokenPipe), [true]);
});
