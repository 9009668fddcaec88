import { assertEquals } from "@std/assert";
import { noteOf } from "../telemetry/call_note.ts";
import { EdgeSubject } from "./edge_span.ts";

Deno.test("EdgeSubject describes its request without its query, and the caller by its address", () => {
  const note = noteOf({ correlationId: "order-7", endpoint: "mcp" });
  const subject = new EdgeSubject(
    { method: "POST", url: "https://gateway.example.com/servers/s1/mcp?secret=1" },
    { remoteAddr: { transport: "tcp", hostname: "::ffff:192.0.2.7", port: 50_000 } },
    "mcp",
    "/servers/s1/mcp",
    note,
  );
  subject.status = 200;
  assertEquals(subject.name, "POST /servers/{server_id}/mcp");
  assertEquals(subject.attributes, {
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
