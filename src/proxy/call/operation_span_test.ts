import { assert, assertEquals } from "@std/assert";
import v8 from "node:v8";
import { attributesOf, testTracer } from "../../../tests/support/test_tracer.ts";
import { collectGarbage } from "../../base/sharing/garbage.ts";
import type { RequestMessage } from "../../mcp/json_rpc.ts";
import { noteOf, noteResource } from "../../telemetry/call_note.ts";
import type { Span } from "../../telemetry/traces/span.ts";
import { beginOperation, endOperation } from "./operation_span.ts";

const MIB = 1_048_576;

function usedBytes(): number {
  collectGarbage();
  return v8.getHeapStatistics().used_heap_size;
}

Deno.test("The span of an operation keeps no more of a long id or URI than it shows", () => {
  const ended: Span[] = [];
  const tracer = testTracer({ sampler: () => true, export: (first) => void ended.push(first) });
  /** A request as the parser makes it: its texts are its own. */
  const request = (number: number): RequestMessage => {
    const id = JSON.parse(`"${"i".repeat(MIB)}${number}"`);
    const uri = JSON.parse(`"file:///readme.md?${"q".repeat(MIB)}${number}"`);
    return { kind: "request", id, method: "resources/read", params: { uri }, text: "" };
  };
  const serve = (number: number) => {
    const message = request(number);
    const note = noteOf({ correlationId: "order-7", endpoint: "mcp" });
    noteResource(note, (message.params as { uri: string }).uri);
    const span = beginOperation(tracer.begin(null), message, 1);
    endOperation(span, { note, revision: "2025-11-25" }, message.method, message.id, "", 2);
  };
  serve(0);
  const before = usedBytes();
  for (let number = 1; number <= 10; number++) serve(number);
  const kept = usedBytes() - before;
  assert(kept < 2 * MIB, `${kept} bytes are kept of 20 MiB`);
  const attributes = attributesOf(ended[1]!.subject!);
  assertEquals([attributes["mcp.resource.uri"], attributes["jsonrpc.request.id"]], [
    "file:///readme.md",
    "i".repeat(256),
  ]);
});
