import { assert, assertEquals } from "@std/assert";
import { createLog, lineOf, type LogFormat } from "./log.ts";
import { readLine } from "./log_line.ts";
import { type LogQuery, RecentLog } from "./recent_log.ts";

function setUp(maxBytes = 1_000_000, format: LogFormat = "json") {
  const recent = new RecentLog(maxBytes);
  const clock = { now: new Date("2026-01-02T03:04:05Z") };
  const log = createLog({ level: "DEBUG", format, sink: recent, now: () => clock.now });
  const request = (...lines: Record<string, unknown>[]) =>
    recent.write(
      lines.map((fields) =>
        lineOf(format, { time: clock.now.toISOString(), level: "INFO", event: "request", ...fields })
      ).join(""),
      "request",
    );
  const events = (query: Partial<LogQuery> = {}) =>
    recent.find({ limit: 100, ...query }).records.map(({ fields }) => fields.name ?? fields.event);
  return { recent, clock, log, request, events };
}

for (const format of ["json", "text"] as const) {
  Deno.test(`RecentLog finds lines by each condition, the newest first (${format})`, () => {
    const { log, request, events, clock } = setUp(1_000_000, format);
    log.debug("low", { name: "a" });
    request({ name: "b", caller: "ann@x", tool: "time-now", upstream: "time", correlationId: "c1" });
    request({ name: "c", caller: "bob", tool: "time-now", code: "UPSTREAM_TIMEOUT" }, { name: "d" });
    clock.now = new Date("2026-01-02T03:05:05Z");
    log.warning("two words", {
      name: "e",
      upstream: 'odd "name"\nwith=all',
      correlationId: "c1",
      deep: { a: ["x y"] },
    });
    assertEquals(events(), ["e", "d", "c", "b", "a"]);
    assertEquals(events({ caller: "ann@x" }), ["b"]);
    assertEquals(events({ caller: "ann" }), []);
    assertEquals(events({ tool: "time-now" }), ["c", "b"]);
    assertEquals(events({ tool: "time-now", caller: "bob" }), ["c"]);
    assertEquals(events({ upstream: 'odd "name"\nwith=all' }), ["e"]);
    assertEquals(events({ correlationId: "c1" }), ["e", "b"]);
    assertEquals(events({ level: "WARNING" }), ["e"]);
    assertEquals(events({ level: "INFO" }), ["e", "d", "c", "b"]);
    assertEquals(events({ text: "TWO WORDS" }), ["e"]);
    assertEquals(events({ failed: true }), ["e", "c"]);
    assertEquals(events({ since: Date.parse("2026-01-02T03:04:35Z") }), ["e"]);
    assertEquals(events({ limit: 2 }), ["e", "d"]);
  });

  Deno.test(`RecentLog finds names that the line has in another spelling, and texts as people read them (${format})`, () => {
    const { log, events } = setUp(1_000_000, format);
    const names = ["CORP\\ann", 'a "b"', "x\u200by", "[x", "{x", "a[b", "true", "a=b"];
    for (const name of names) log.info("request", { name, caller: name, tool: name, upstream: "last" });
    for (const name of names) {
      assertEquals(events({ caller: name, tool: name, upstream: "last" }).map(String), [name]);
      assertEquals(events({ text: name.toUpperCase() }).length, 1, name);
    }
  });

  Deno.test(`readLine() reads back what the log writes (${format})`, () => {
    const fields = {
      ...{ time: "2026-01-02T03:04:05.000Z", level: "INFO", event: "worker died" },
      ...{
        plain: "a",
        number: 12.5,
        yes: true,
        nothing: null,
        text: 'b "c" \\ = {',
        list: [1, { d: "e f" }],
      },
      ...{ line: "x\ny", hidden: "\u202e" },
    };
    const line = lineOf(format, fields);
    assert(line.endsWith("\n"));
    assertEquals(readLine(line.slice(0, -1)), fields);
    assertEquals(readLine("what a library prints"), null);
  });
}

Deno.test("RecentLog stays within its memory, and lines of requests push out no event", () => {
  const { recent, log, request, events } = setUp(20_000);
  log.error("kept");
  for (let i = 0; i < 1_000; i++) request({ name: i, tool: "t".repeat(50) });
  assert(recent.bytes <= 20_000, String(recent.bytes));
  assertEquals(events().at(-1), "kept");
  assertEquals(events()[0], 999);
  request({ name: "x".repeat(20_000) });
  assertEquals(events()[0], 999);
  assertEquals(new RecentLog(0).find({ limit: 1 }).records, []);
});

Deno.test("RecentLog gives what is new since a line; an id of another process stands before all lines", () => {
  const { recent, log, events } = setUp();
  log.info("a");
  const { latest } = recent.find({ limit: 1 });
  assertEquals(events({ after: latest }), []);
  log.info("b");
  log.info("c");
  assertEquals(events({ after: latest }), ["c", "b"]);
  const { records, isCut } = recent.find({ limit: 1, after: latest });
  assertEquals([records[0]!.fields.event, isCut], ["c", true]);
  assertEquals(events({ after: records[0]!.id }), []);
  assertEquals(events({ after: setUp().recent.find({ limit: 1 }).latest }), ["c", "b", "a"]);
});

Deno.test("RecentLog keeps no record of the audit trail", () => {
  const { recent, events } = setUp();
  recent.write('{"event":"audit","operation":"createUser"}\n', "audit");
  assertEquals(events(), []);
});
