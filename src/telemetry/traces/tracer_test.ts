import { assertEquals } from "@std/assert";
import { testTracer } from "../../../tests/support/test_tracer.ts";
import { samplerOf } from "./sampler.ts";
import type { Span } from "./span.ts";
import type { TracerOptions } from "./tracer.ts";
import { newTraceId, type TraceContext } from "./trace_context.ts";

function setUp(options: Partial<TracerOptions> = {}) {
  const exported: string[][] = [];
  const lost: number[] = [];
  const tracer = testTracer({
    export: (first) => void exported.push(namesIn(first)),
    countLost: (_reason, spans) => void lost.push(spans),
    ...options,
  });
  return { tracer, exported, lost };
}

function namesIn(first: Span): string[] {
  const names: string[] = [];
  for (let span: Span | undefined = first; span !== undefined; span = span.following) names.push(span.name);
  return names;
}

Deno.test("Tracer exports at the end what is sampled, slow or has failed", () => {
  const rows: [Partial<TracerOptions>, errorType: string, number][] = [
    [{}, "", 0],
    [{ sampler: () => true }, "", 1],
    [{ slowMs: 0 }, "", 1],
    [{}, "tool_error", 1],
    [{ keepsFailed: false }, "tool_error", 0],
  ];
  for (const [options, errorType, count] of rows) {
    const { tracer, exported } = setUp(options);
    const edge = tracer.begin(null).begin("edge", "server");
    const call = edge.begin("call", "client");
    edge.end();
    assertEquals([exported.length, tracer.openSpans], [0, 2]);
    call.end(errorType);
    call.end("ended before");
    assertEquals([exported.length, tracer.openSpans], [count, 0]);
  }
});

Deno.test("A trace may show what ends now if it is exported then, or if its end is not known yet", () => {
  const rows: [Partial<TracerOptions>, hasFailed: boolean, mayShow: boolean][] = [
    [{}, false, false],
    [{ sampler: () => true }, false, true],
    [{ slowMs: 0 }, false, true],
    [{}, true, true],
    [{ keepsFailed: false }, true, false],
  ];
  for (const [options, hasFailed, mayShow] of rows) {
    const edge = setUp(options).tracer.begin(null).begin("edge", "server");
    const call = edge.begin("call", "client");
    assertEquals(edge.trace.mayShow(performance.now()), true);
    call.end(hasFailed ? "tool_error" : "");
    assertEquals(edge.trace.mayShow(performance.now()), mayShow);
  }
});

Deno.test("A trace that would keep a span above the limit loses all of its own, which are counted", () => {
  const { tracer, exported, lost } = setUp({ sampler: () => true, maxOpenSpans: 3 });
  const kept = tracer.begin(null).begin("kept", "server");
  const forgotten = tracer.begin(null).begin("forgotten", "server");
  const part = forgotten.begin("part", "client");
  const late = tracer.begin(null).begin("late", "server");
  assertEquals([tracer.openSpans, lost], [3, [1]]);
  const surplus = forgotten.begin("surplus", "internal");
  assertEquals([tracer.openSpans, lost], [1, [1, 2, 1]]);
  // There is room again, but half a trace says nothing.
  late.begin("part of late", "client").end();
  for (const span of [surplus, part, forgotten, late, kept]) span.end();
  tracer.begin(null).begin("next", "server").end();
  assertEquals([exported, lost, tracer.openSpans], [[["kept"], ["next"]], [1, 2, 1, 1], 0]);
});

Deno.test("A trace of as many spans as it may have keeps them at the limit of all", () => {
  const { tracer, exported, lost } = setUp({ sampler: () => true, maxOpenSpans: 500 });
  const edge = tracer.begin(null).begin("edge", "server");
  for (let part = 1; part < 500; part++) edge.begin("part", "internal").end();
  edge.begin("surplus", "internal").end();
  assertEquals([tracer.openSpans, lost], [500, [1]]);
  edge.end();
  assertEquals([exported.map(({ length }) => length), tracer.openSpans], [[500], 0]);
});

Deno.test("A trace that has begun here becomes its caller's until its id is known", () => {
  const { tracer } = setUp();
  const context = { traceId: newTraceId(), spanId: "00f067aa0ba902b7", isSampled: true, state: "a=1" };
  const edge = tracer.begin(null).begin("edge", "server");
  assertEquals(edge.under(context), edge);
  assertEquals([edge.trace.id, edge.context.state], [context.traceId, "a=1"]);
  const ended = tracer.begin(null).begin("ended", "server");
  ended.end();
  assertEquals(ended.trace.adopt(context), false);
  const other = { ...context, traceId: newTraceId() };
  const linked = edge.under(other).begin("call", "server");
  assertEquals([linked.trace.id, linked.link, linked.trace.parent], [other.traceId, edge, other]);
});

Deno.test("samplerOf() follows the caller where it is asked to, and takes its part of all traces otherwise", () => {
  const ids = Array.from({ length: 10_000 }, () => newTraceId());
  const parentOf = (traceId: string) => ({
    traceId,
    spanId: "00f067aa0ba902b7",
    isSampled: false,
    state: null,
  });
  const part = (ratio: number) => {
    const sampler = samplerOf("traceidratio", ratio);
    return ids.filter((id) => sampler(parentOf(id), NaN)).length;
  };
  assertEquals([part(0), part(1)], [0, 10_000]);
  const tenth = part(0.1);
  assertEquals(tenth > 800 && tenth < 1_200, true, String(tenth));
  const parent = { ...parentOf(ids[0]!), isSampled: true };
  assertEquals(samplerOf("parentbased_traceidratio", 0)(parent, 0.5), true);
  assertEquals(samplerOf("parentbased_always_on", 1)({ ...parent, isSampled: false }, 0.5), false);
  assertEquals(samplerOf("traceidratio", 0)(parent, 0.5), false);
  // What is decided here by a random number, the next program decides alike by the id.
  const tenthOf = samplerOf("traceidratio", 0.1);
  for (let i = 0; i < 1_000; i++) {
    const random = Math.random();
    assertEquals(tenthOf(parentOf(newTraceId(random)), NaN), tenthOf(null, random));
  }
});

Deno.test("An upstream is told of a trace if it is sampled, and otherwise what the client has said", () => {
  const client = { traceId: newTraceId(), spanId: "00f067aa0ba902b7", isSampled: false, state: "a=1" };
  const told = (isSampled: boolean, context: TraceContext | null) => {
    const { tracer } = setUp({ sampler: () => isSampled });
    const span = tracer.begin(context).begin("edge", "server").begin("call", "client");
    const lines = span.headers.map(([name, value]) => `${name}: ${value}\r\n`).join("");
    assertEquals(span.headerLines, lines);
    return { lines, own: `traceparent: 00-${span.trace.id}-${span.id}-01\r\n` };
  };
  assertEquals(told(false, null).lines, "");
  assertEquals(
    told(false, client).lines,
    `traceparent: 00-${client.traceId}-${client.spanId}-00\r\ntracestate: a=1\r\n`,
  );
  const begun = told(true, null);
  assertEquals(begun.lines, begun.own);
  const continued = told(true, client);
  assertEquals(continued.lines, `${continued.own}tracestate: a=1\r\n`);
});
