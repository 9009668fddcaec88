import { assertEquals } from "@std/assert";
import { attributesOf, testTracer } from "../../tests/support/test_tracer.ts";
import { noteOf } from "../telemetry/call_note.ts";
import { type EdgeFacts, EdgeSubject, type EdgeTimes } from "./edge_span.ts";

const FACTS: EdgeFacts = {
  request: { method: "POST", url: "https://gateway.example.com/servers/s1/mcp?secret=1" },
  info: { remoteAddr: { transport: "tcp", hostname: "::ffff:192.0.2.7", port: 50_000 } },
  path: "/servers/s1/mcp",
  endpointName: "mcp",
  note: noteOf({ correlationId: "order-7", endpoint: "mcp" }),
  times: { authenticatedAt: 11, admittedAt: 12, headAt: 40 },
  refusal: "",
  status: 200,
};

Deno.test("EdgeSubject describes its request without its query, and the caller by its address", () => {
  const subject = new EdgeSubject(FACTS);
  assertEquals(subject.name, "POST /servers/{server_id}/mcp");
  assertEquals(attributesOf(subject), {
    "http.request.method": "POST",
    "http.route": "/servers/{server_id}/mcp",
    "url.path": "/servers/s1/mcp",
    "url.scheme": "https",
    "http.response.status_code": 200,
    "client.address": "192.0.2.7",
    "mcp.session.id": undefined,
    "sluice.endpoint": "mcp",
    "sluice.correlation_id": "order-7",
  });
});

Deno.test("EdgeSubject parts its request at the caller, the limits, and the end of the last operation", () => {
  const edge = testTracer().begin(null).begin("", "server", 10);
  const partsOf = (times: Partial<EdgeTimes>, refusal = "") =>
    new EdgeSubject({ ...FACTS, refusal, times: { ...FACTS.times, ...times } }).parts(edge).map((
      { name, startedAt, endedAt, errorType },
    ) => [name, startedAt, endedAt, errorType].join(" "));
  edge.endedAt = 40;
  assertEquals(partsOf({ authenticatedAt: 0, admittedAt: 0 }, "UNAUTHENTICATED"), [
    "auth 10 40 UNAUTHENTICATED",
  ]);
  assertEquals(partsOf({ admittedAt: 0 }, "TOKEN_LIMIT_REACHED"), [
    "auth 10 11 ",
    "admission 11 40 TOKEN_LIMIT_REACHED",
  ]);
  assertEquals(partsOf({}), ["auth 10 11 ", "admission 11 12 "]);
  for (const endedAt of [35, 30]) {
    const operation = edge.begin("", "server", 15);
    operation.begin("tools/call", "client", 16).end("", 38);
    operation.end("", endedAt);
  }
  assertEquals(partsOf({}), ["auth 10 11 ", "admission 11 12 ", "result 35 40 "]);
});
