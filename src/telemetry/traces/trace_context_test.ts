import { assertEquals } from "@std/assert";
import { newSpanId, newTraceId, randomIn, readContext, traceparentOf } from "./trace_context.ts";

const TRACE = "4bf92f3577b34da6a3ce929d0e0e4736";
const SPAN = "00f067aa0ba902b7";

Deno.test("readContext() takes what W3C Trace Context takes, also of later versions", () => {
  const context = { traceId: TRACE, spanId: SPAN, isSampled: true, state: null };
  for (const text of [`00-${TRACE}-${SPAN}-01`, `00-${TRACE}-${SPAN}-ff`, `cc-${TRACE}-${SPAN}-01-more`]) {
    assertEquals(readContext(text, null), context, text);
  }
  assertEquals(readContext(`00-${TRACE}-${SPAN}-02`, null), { ...context, isSampled: false });
  assertEquals(traceparentOf(context), `00-${TRACE}-${SPAN}-01`);
});

Deno.test("readContext() refuses everything else, so that the trace begins here", () => {
  const bad = [
    undefined,
    7,
    "",
    `ff-${TRACE}-${SPAN}-01`,
    `00-${TRACE}-${SPAN}-01-more`,
    `00-${"0".repeat(32)}-${SPAN}-01`,
    `00-${TRACE}-${"0".repeat(16)}-01`,
    `00-${TRACE.toUpperCase()}-${SPAN}-01`,
    `00-${TRACE}-${SPAN}`,
    `00-${TRACE}-${SPAN}-01\r\nx: y`,
    ` 00-${TRACE}-${SPAN}-01`,
  ];
  for (const text of bad) assertEquals(readContext(text, null), null, String(text));
});

Deno.test("readContext() passes a state on that a header can carry, and drops any other", () => {
  const stateOf = (text: unknown) => readContext(`00-${TRACE}-${SPAN}-01`, text)?.state;
  assertEquals(stateOf("a=1,b=2"), "a=1,b=2");
  const many = Array.from({ length: 33 }, (_, i) => `k${i}=1`).join(",");
  for (const bad of ["", "a=1\r\nx: y", "é=1", "a=".padEnd(600, "x"), many, 7]) {
    assertEquals(stateOf(bad), null);
  }
});

Deno.test("newTraceId() and newSpanId() make ids that readContext() takes, each another one", () => {
  const ids = Array.from({ length: 1_000 }, newTraceId);
  assertEquals(new Set(ids).size, 1_000);
  for (const id of ids) assertEquals(readContext(`00-${id}-${newSpanId()}-00`, null)?.traceId, id);
  const randoms = [0, 2 ** -52, 0.1, 0.5, 1 - 2 ** -52];
  assertEquals(
    randoms.map((random) => randomIn(newTraceId(random))),
    randoms.map((random) => Math.floor(random * 2 ** 52) / 2 ** 52),
  );
});
