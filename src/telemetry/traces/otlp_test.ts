import { assertEquals } from "@std/assert";
import { testTracer } from "../../../tests/support/test_tracer.ts";
import { type Batch, BatchEncoder, encodeRequest } from "./otlp.ts";
import type { Span } from "./span.ts";

/** The fields of a message that have a length, in their order, by their numbers. */
function fieldsOf(message: Uint8Array): Array<readonly [field: number, bytes: Uint8Array]> {
  const fields: Array<readonly [number, Uint8Array]> = [];
  let at = 0;
  const varint = () => {
    let [value, shift] = [0, 0];
    for (let isLast = false; !isLast; shift += 7) {
      const byte = message[at++]!;
      value |= (byte & 127) << shift;
      isLast = byte < 128;
    }
    return value;
  };
  while (at < message.length) {
    const tag = varint();
    const wire = tag & 7;
    if (wire === 0) varint();
    else if (wire === 1) at += 8;
    else if (wire === 5) at += 4;
    else {
      assertEquals(wire, 2);
      const length = varint();
      fields.push([tag >> 3, message.subarray(at, at += length)]);
    }
  }
  assertEquals(at, message.length);
  return fields;
}

function partsOf(message: Uint8Array): Uint8Array[] {
  return fieldsOf(message).map(([, bytes]) => bytes);
}

/** Ids and name of a span. */
function readSpan(message: Uint8Array) {
  const fields = new Map(fieldsOf(message));
  const hex = (field: number) => fields.get(field)?.toHex();
  return { traceId: hex(1), id: hex(2), parentId: hex(4), name: new TextDecoder().decode(fields.get(5)) };
}

function spansOf({ spans }: Batch) {
  return partsOf(spans).map(readSpan);
}

/** A trace with a part and a nested span, whose first span is longer than 127 bytes. */
function endedTrace(): Span {
  const tracer = testTracer({ sampler: () => true, export: (span) => first = span });
  let first: Span | undefined;
  const root = tracer.begin(null).begin("root", "server");
  root.subject = {
    describe: (to) => to.attribute("text", "x".repeat(200)),
    parts: () => [{ name: "part", startedAt: 1, endedAt: 2, errorType: "" }],
  };
  root.begin("nested", "client").end("timeout");
  root.end();
  return first!;
}

Deno.test("BatchEncoder writes each span with the ids of its trace and of its parent", () => {
  const encoder = new BatchEncoder();
  const first = endedTrace();
  assertEquals([encoder.add(first), encoder.add(endedTrace()), encoder.count], [3, 3, 6]);
  const spans = spansOf(encoder.take());
  const { trace: { id: traceId }, id } = first;
  const [, part] = spans;
  assertEquals(spans.slice(0, 3), [
    { traceId, id, parentId: undefined, name: "root" },
    { traceId, id: part!.id, parentId: id, name: "part" },
    { traceId, id: first.following!.id, parentId: id, name: "nested" },
  ]);
  const ids = spans.map(({ id }) => id);
  assertEquals([new Set(ids).size, new Set(spans.map(({ traceId }) => traceId)).size, encoder.count], [
    6,
    2,
    0,
  ]);
});

Deno.test("BatchEncoder gives up its last trace, or leaves it for the next batch", () => {
  const encoder = new BatchEncoder();
  const traces = [endedTrace(), endedTrace(), endedTrace()];
  for (const trace of traces.slice(0, 2)) encoder.add(trace);
  encoder.undo();
  encoder.add(traces[2]!);
  assertEquals([encoder.count, encoder.countBefore], [6, 3]);
  const before = encoder.takeBefore();
  assertEquals([before.count, encoder.count], [3, 3]);
  const idsOf = (batch: Batch) => [...new Set(spansOf(batch).map(({ traceId }) => traceId))];
  assertEquals([idsOf(before), idsOf(encoder.take())], [[traces[0]!.trace.id], [traces[2]!.trace.id]]);
  assertEquals([encoder.count, encoder.bytes], [0, 0]);
});

Deno.test("encodeRequest() writes keys and values of any length and in any script as UTF-8", () => {
  const resource = {
    "service.name": "sluice",
    "größe": "short",
    "place": "Zürich",
    "long": "x".repeat(200),
    ["k".repeat(200)]: "short",
    "edge": "x".repeat(127 - 6 - 4),
    "beyond": "x".repeat(127 - 6 - 6 + 1),
  };
  const [spans] = partsOf(encodeRequest({ resource, version: "1" }, { spans: new Uint8Array() }));
  const [described] = partsOf(spans!);
  const decoder = new TextDecoder("utf-8", { fatal: true });
  const read = partsOf(described!).map((attribute) => {
    const [key, value] = partsOf(attribute);
    return [decoder.decode(key), decoder.decode(partsOf(value!)[0])];
  });
  assertEquals(Object.fromEntries(read), resource);
});
