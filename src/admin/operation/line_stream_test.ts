import { assert, assertEquals } from "@std/assert";
import FakeTimers from "@sinonjs/fake-timers";
import { createLog } from "../../telemetry/log.ts";
import { RecentLog } from "../../telemetry/recent_log.ts";
import type { LogLines } from "../rest/deps.ts";
import { LineStream } from "./line_stream.ts";

async function setUp() {
  const recent = new RecentLog(1_000_000);
  let looks = 0;
  const lines: LogLines = {
    find: (query) => {
      looks++;
      return Promise.resolve(recent.find(query));
    },
    streams: new Set(),
  };
  const leaving = new AbortController();
  const log = createLog({ level: "INFO", format: "json", sink: recent });
  log.info("before");
  const stream = await LineStream.open(
    lines,
    { limit: 100, level: "INFO" },
    leaving.signal,
    ({ fields }) => String(fields.event),
  );
  const reader = stream.readable.getReader();
  const read = async () => {
    const { value, done } = await reader.read();
    return { text: new TextDecoder().decode(value), done };
  };
  return { log, lines, leaving, read, looks: () => looks };
}

Deno.test("LineStream sends new lines once a second, and nothing that the client has not asked for", async () => {
  using time = new FakeTime();
  const { log, read, looks } = await setUp();
  assertEquals((await read()).text, ": keepalive\n\n");
  const looksBefore = looks();
  await time.pass(10_000);
  assertEquals(looks(), looksBefore);
  const next = read();
  await time.pass(500);
  log.info("a");
  log.info("b");
  await time.pass(1_000);
  assertEquals((await next).text.replaceAll(/^id: .*$/gm, "id"), "id\ndata: a\n\nid\ndata: b\n\n");
});

Deno.test("LineStream ends when the client leaves, when the worker ends, and after two minutes", async () => {
  using time = new FakeTime();
  for (const end of ["client", "worker", "time"]) {
    const { read, lines, leaving } = await setUp();
    await read();
    const last = read();
    if (end === "client") leaving.abort();
    else if (end === "worker") { for (const stream of lines.streams) stream.end(); }
    else await time.pass(14_000);
    if (end === "time") {
      assertEquals((await last).text, ": keepalive\n\n");
      let ended = false;
      void (async () => {
        while (!(await read()).done);
        ended = true;
      })();
      await time.pass(125_000);
      assert(ended);
    } else assertEquals([end, (await last).done], [end, true]);
    assertEquals(lines.streams.size, 0);
  }
});

class FakeTime {
  readonly #clock = FakeTimers.install({ toFake: ["setTimeout", "clearTimeout", "performance"] });

  async pass(ms: number): Promise<void> {
    await this.#clock.tickAsync(ms);
  }

  [Symbol.dispose](): void {
    this.#clock.uninstall();
  }
}
