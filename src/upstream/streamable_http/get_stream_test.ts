import { assertEquals } from "@std/assert";
import FakeTimers from "@sinonjs/fake-timers";
import { EventReader } from "../http_client/event_reader.ts";
import type { HttpResponse } from "../http_client/http_client.ts";
import { listenTo } from "./get_stream.ts";

/** A stream that stays open for `openMs` after these texts, or another answer. */
class Stream implements HttpResponse {
  constructor(
    readonly texts: readonly string[],
    readonly openMs: number,
    readonly status = 200,
    readonly type = "text/event-stream",
  ) {}

  header(): string {
    return this.type;
  }

  text(): Promise<string> {
    throw new Error("nobody reads a stream at once");
  }

  async *chunks(): AsyncGenerator<Uint8Array> {
    for (const text of this.texts) yield new TextEncoder().encode(text);
    if (this.openMs > 0) await new Promise((resolve) => setTimeout(resolve, this.openMs));
  }

  discard(): void {}
}

/** The times at which the stream is opened within `forMs`, in seconds. */
async function openings(next: (count: number) => Stream, forMs: number, isResumed = false) {
  const timers = FakeTimers.install({ toFake: ["setTimeout", "clearTimeout", "Date"], now: 0 });
  const stop = new AbortController();
  const times: number[] = [];
  const events: string[] = [];
  const gone: boolean[] = [];
  const listening = listenTo({
    open: async () => await next(times.push(Math.round(Date.now() / 1_000))),
    reader: () => new EventReader({ upstream: "up", maxResponseBytes: 1_000, caller: undefined }),
    onEvent: (data) => void events.push(data),
    signal: stop.signal,
    isResumed,
    onGone: (isCertain) => void gone.push(isCertain),
  });
  try {
    await timers.tickAsync(forMs);
  } finally {
    stop.abort();
    await timers.runAllAsync();
    await listening;
    timers.uninstall();
  }
  return { times, events, gone };
}

Deno.test("listenTo() asks ever more seldom for streams that end at once, but at least twice a minute", async () => {
  for (const texts of [[], [": hello\n\n"], ["data: not wh"]]) {
    const { times } = await openings(() => new Stream(texts, 0), 600_000);
    assertEquals(times.length >= 20 && times.length < 50, true, `${times}`);
    assertEquals(times.filter((at) => at < 10).length < 6, true, `${times}`);
  }
});

Deno.test("listenTo() asks once where the server has no stream, and ever more seldom where it may have one later", async () => {
  const kinds = { html: [200, "text/html"], json: [200, "application/json"], none: [204, ""] } as const;
  const refused = [400, 401, 403, 404, 405, 410, 422].map((status) => [status, "text/plain"] as const);
  for (const [status, type] of [...Object.values(kinds), ...refused]) {
    const { times } = await openings(() => new Stream([], 0, status, type), 600_000);
    assertEquals(times, [0], `${status} ${type}`);
  }
  for (const status of [409, 429, 500, 502, 503]) {
    const { times } = await openings(() => new Stream([], 0, status, "text/plain"), 600_000);
    assertEquals(times.length >= 20 && times.length < 50, true, `${status}: ${times}`);
  }
  const reset = await openings(() => {
    throw new Error("connection reset");
  }, 600_000);
  assertEquals(reset.times.length >= 20 && reset.times.length < 50, true, `${reset.times}`);
});

Deno.test("listenTo() asks soon again after a stream that lived", async () => {
  const lived = await openings((count) => new Stream([], count === 6 ? 60_000 : 0), 200_000);
  const ended = lived.times[5]! + 60;
  const pauses = lived.times.slice(6, 8).map((at) => at - ended);
  assertEquals(pauses, [1, 2]);
  for (const texts of [["data: 1\n\n"], ["id: 1\ndata: \n\n"], ["retry: 1000\n\n"]]) {
    const { times } = await openings(() => new Stream(texts, 0), 60_500);
    assertEquals(times.length, 61, texts[0]);
  }
});

Deno.test("listenTo() does not ask without a pause, whatever the server asks for", async () => {
  const { times, events } = await openings(() => new Stream(["retry: 0\ndata: 1\n\n"], 0), 10_000);
  assertEquals([times.length <= 101, events.length], [true, times.length]);
});

Deno.test("listenTo() tells that a session is gone, or may be, unless the server has never had a stream", async () => {
  const ask = (isResumed: boolean, ...answers: (Stream | null)[]) => {
    const next = (count: number) => answers[count - 1] ?? fail();
    return openings(next, 60_000, isResumed);
  };
  const fail = () => {
    throw new Error("the caller has too many streams");
  };
  const [stream, lost] = [new Stream([], 0), new Stream([], 0, 404, "text/plain")];
  const unsure = new Stream([], 0, 400, "text/plain");
  assertEquals((await ask(false, lost)).gone, []);
  assertEquals((await ask(false, stream, lost)).gone, [true]);
  assertEquals((await ask(false, stream, unsure)).gone, [false]);
  // A stream that waited for its place may find the session gone, and so may a worker's successor.
  assertEquals((await ask(false, null, lost)).gone, [false]);
  assertEquals((await ask(true, lost)).gone, [false]);
});
