import { assert, assertEquals } from "@std/assert";
import FakeTimers from "@sinonjs/fake-timers";
import { MemorySink } from "../../tests/support/fakes.ts";
import { createLog, type LogFields, type LogLevel, redact, stdoutSink } from "./log.ts";

function setUp({ level = "DEBUG", format = "json" }: { level?: LogLevel; format?: "json" | "text" } = {}) {
  const sink = new MemorySink();
  const log = createLog({ level, format, sink, now: () => new Date("2026-01-02T03:04:05Z") });
  return { sink, log };
}

Deno.test("createLog() writes one JSON object a line", () => {
  const { sink, log } = setUp();
  log.info("call done", { upstream: "time", ms: 12 });
  assertEquals(sink.lines, [
    '{"time":"2026-01-02T03:04:05.000Z","level":"INFO","event":"call done","upstream":"time","ms":12}\n',
  ]);
});

Deno.test("createLog() writes only what the level asks for", () => {
  const { sink, log } = setUp({ level: "WARNING" });
  log.debug("d");
  log.info("i");
  log.warning("w");
  log.error("e");
  assertEquals(sink.lines.map((line) => JSON.parse(line).event), ["w", "e"]);
});

Deno.test("Log.with() adds standing fields, which a line's own override", () => {
  const { sink, log } = setUp();
  log.with({ worker: 1 }).with({ part: "pool" }).info("x", { worker: 2 });
  const { worker, part } = JSON.parse(sink.lines[0]!);
  assertEquals([worker, part], [2, "pool"]);
});

Deno.test("createLog() as text quotes what could be mistaken for another field, line or terminal command", () => {
  const { sink, log } = setUp({ format: "text" });
  log.info("x", {
    a: "plain",
    b: 'two words="',
    c: "line\nline",
    d: "\x1b[31m",
    e: undefined,
    f: "\x7f\x9b31m",
  });
  assertEquals(
    sink.lines[0],
    '2026-01-02T03:04:05.000Z INFO x a=plain b="two words=\\"" c="line\\nline" d="\\u001b[31m" f="\\u007f\\u009b31m"\n',
  );
});

Deno.test("createLog() escapes in both formats whatever controls a terminal, breaks a line or is invisible", () => {
  const tag = String.fromCodePoint(0xe0041);
  const escapes: [character: string, escaped: string][] = [
    ["\x00", "\\u0000"],
    ["\x1b", "\\u001b"],
    ["\x7f", "\\u007f"],
    ["\x85", "\\u0085"],
    ["\x9b", "\\u009b"],
    ["\u2028", "\\u2028"],
    ["\u2029", "\\u2029"],
    ["\u061c", "\\u061c"],
    ["\u200b", "\\u200b"],
    ["\u200e", "\\u200e"],
    ["\u202e", "\\u202e"],
    ["\u2066", "\\u2066"],
    ["\ufeff", "\\ufeff"],
    [tag, "\\udb40\\udc41"],
  ];
  for (const format of ["json", "text"] as const) {
    const { sink, log } = setUp({ format });
    for (const [character, escaped] of escapes) {
      log.info("x", { a: `<${character}>`, b: { c: [character] } });
      const line = sink.lines.at(-1)!;
      assertEquals([escaped, line.includes(`"<${escaped}>"`), line.includes(`{"c":["${escaped}"]}`)], [
        escaped,
        true,
        true,
      ]);
      assertEquals([escaped, line.slice(0, -1).includes(character)], [escaped, false]);
      if (format === "json") assertEquals(JSON.parse(line).a, `<${character}>`);
    }
    log.info("x", { a: "é…日本🎉" });
    assertEquals(sink.lines.at(-1)!.includes("é…日本🎉"), true);
  }
});

Deno.test("redact() masks what is named like a secret, at every depth and in pairs", () => {
  const fields: LogFields = {
    Authorization: "Bearer x",
    cookie: "x",
    dbPassword: "x",
    jwt_secret_key: "x",
    accessToken: "x",
    "X-API-Key": "x",
    apikey: "x",
    credentials: { user: "x" },
    request: { headers: [["authorization", "Bearer x"], ["accept", "text/plain"]], list: [{ secret: 1 }] },
  };
  const text = JSON.stringify(redact(fields));
  assertEquals(text.includes('x"'), false, text);
  assertEquals((redact(fields).request as LogFields).headers, [["authorization", "***"], [
    "accept",
    "text/plain",
  ]]);
});

Deno.test("redact() leaves alone what only looks alike", () => {
  const fields = { tokens: 3, maxTokens: 5, tool: "a", secret: null, pair: ["a", "b"], nothing: undefined };
  assertEquals(redact(fields), fields);
});

Deno.test("redact() masks userinfo and parameters of URLs, wherever they stand", () => {
  const cause = new TypeError("error sending request for url (http://u:pw@api.example/mcp?api_key=hunter2)");
  const { error, text, url } = redact({
    error: new Error("failed", { cause }),
    text: "see https://a.example/x?token=hunter2 and postgresql://me:hunter2@db/x now",
    url: new URL("https://a.example/?q=hunter2"),
  });
  assertEquals(text, "see https://a.example/x?*** and postgresql://***@db/x now");
  assertEquals(url, "https://a.example/?***");
  assert(String(error).includes("http://***@api.example/mcp?***)"), String(error));
  assertEquals(`${error}`.includes("hunter2"), false);
});

Deno.test("redact() gives errors as words with their causes", () => {
  const { error } = redact({ error: new Error("outer", { cause: new Error("inner", { cause: "root" }) }) });
  assert(/outer[\s\S]* <- [\s\S]*inner[\s\S]* <- root/.test(String(error)), String(error));
});

Deno.test("createLog() never throws: cycles, big integers, invalid dates", () => {
  const { sink, log } = setUp();
  const cycle: Record<string, unknown> = {};
  cycle.self = cycle;
  const error = new Error("round");
  error.cause = error;
  log.info("x", { cycle, error, big: 10n, when: new Date(NaN), day: new Date(0) });
  const { big, when, day } = JSON.parse(sink.lines[0]!);
  assertEquals([big, when, day], ["10", "invalid date", "1970-01-01T00:00:00.000Z"]);
});

/** Standard output whose writes end when the test says so. */
class SlowOutput {
  text = "";
  fails = false;
  #waiting: (() => void)[] = [];

  write(bytes: Uint8Array): Promise<number> {
    if (this.fails) return Promise.reject(new Error("broken pipe"));
    // Short writes, as pipes make them.
    const part = bytes.subarray(0, 10);
    return new Promise((resolve) =>
      this.#waiting.push(() => {
        this.text += new TextDecoder().decode(part);
        resolve(part.length);
      })
    );
  }

  async flow(): Promise<void> {
    while (this.#waiting.length > 0) {
      this.#waiting.shift()!();
      for (let i = 0; i < 5; i++) await Promise.resolve();
    }
  }
}

Deno.test("stdoutSink() writes every line whole and in order, and flush() waits for it", async () => {
  const out = new SlowOutput();
  const sink = stdoutSink(out);
  sink.write("first line that is long\n");
  sink.write("second\n");
  const flushed = sink.flush();
  await out.flow();
  await flushed;
  assertEquals(out.text, "first line that is long\nsecond\n");
});

Deno.test("stdoutSink() bounds what waits for a reader that has stopped, and says how much was lost", async () => {
  const out = new SlowOutput();
  const sink = stdoutSink(out, 20);
  sink.write("under way\n");
  for (let i = 0; i < 10; i++) sink.write("waiting line\n");
  await out.flow();
  sink.write("later\n");
  await out.flow();
  assertEquals(
    out.text,
    'under way\nwaiting line\n{"level":"WARNING","event":"log lines lost","lost":9}\nlater\n',
  );
});

Deno.test("stdoutSink() survives an output that is gone", async () => {
  const out = new SlowOutput();
  const sink = stdoutSink(out);
  out.fails = true;
  sink.write("lost\n");
  await sink.flush();
  out.fails = false;
  sink.write("back\n");
  await out.flow();
  await sink.flush();
  assertEquals(out.text, "back\n");
});

Deno.test("stdoutSink() counts every lost line of a text of several, and says so without waiting for another", async () => {
  const out = new SlowOutput();
  const sink = stdoutSink(out, 20);
  sink.write("under way\n");
  sink.write("one\ntwo\nthree\nfour\nfive\n");
  await out.flow();
  assertEquals(out.text, 'under way\n{"level":"WARNING","event":"log lines lost","lost":5}\n');
});

Deno.test("stdoutSink().flush() does not wait for ever for a reader that has stopped", async () => {
  const timers = FakeTimers.install({ toFake: ["setTimeout", "clearTimeout"] });
  try {
    const sink = stdoutSink(new SlowOutput());
    sink.write("never read\n");
    let isOver = false;
    void sink.flush().then(() => isOver = true);
    await timers.tickAsync(1_999);
    assertEquals(isOver, false);
    await timers.tickAsync(1);
    assertEquals(isOver, true);
  } finally {
    timers.uninstall();
  }
});
