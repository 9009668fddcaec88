import { assertEquals } from "@std/assert";
import { Cors } from "./cors.ts";

const ORIGIN = "https://ui.example";
const cors = new Cors({
  allows: (origin) => origin === ORIGIN,
  passes: (name) => name === "x-tenant-id" || name === "authorization",
});

function preflight(headers: Record<string, string>): Response | null {
  return cors.preflight({ headers: new Headers(headers) });
}

Deno.test("Cors.preflight() allows MCP's headers, those passed upstream, and the tool parameters that are asked for", () => {
  const asked = "authorization,mcp-param-region, X-Tenant-Id,Mcp-Param-Zone,mcp-param-,x-evil,mcp-param-a b";
  const { status, headers } = preflight({
    origin: ORIGIN,
    "access-control-request-method": "POST",
    "access-control-request-headers": asked,
  })!;
  assertEquals([status, headers.get("access-control-allow-origin")], [204, ORIGIN]);
  assertEquals(headers.get("access-control-allow-methods"), "GET, POST, PUT, PATCH, DELETE");
  assertEquals(
    headers.get("access-control-allow-headers"),
    "authorization, content-type, mcp-session-id, mcp-protocol-version, last-event-id, mcp-method, mcp-name, " +
      "x-correlation-id, x-upstream-authorization, if-none-match, mcp-param-region, x-tenant-id, mcp-param-zone",
  );
  assertEquals(headers.get("vary"), "Origin, Access-Control-Request-Headers");
  assertEquals(headers.has("access-control-allow-credentials"), false);
});

Deno.test("Cors.preflight() answers no other OPTIONS request, and none of another origin", () => {
  assertEquals(preflight({ origin: ORIGIN }), null);
  assertEquals(preflight({ "access-control-request-method": "POST" }), null);
  assertEquals(preflight({ origin: "https://evil.example", "access-control-request-method": "POST" }), null);
});

Deno.test("Cors.expose() lets pages of allowed origins read a response and its headers, and leaves others alone", () => {
  const { headers } = cors.expose(new Response("x", { headers: { vary: "Accept-Encoding" } }), ORIGIN);
  assertEquals(headers.get("access-control-allow-origin"), ORIGIN);
  assertEquals(
    headers.get("access-control-expose-headers"),
    "Mcp-Session-Id, WWW-Authenticate, Retry-After, RateLimit-Limit, RateLimit-Remaining, RateLimit-Reset, RateLimit-Policy, RateLimit, X-Correlation-ID, ETag",
  );
  assertEquals(headers.get("vary"), "Accept-Encoding, Origin");
  assertEquals(headers.has("access-control-allow-credentials"), false);
  for (const origin of [null, "https://evil.example"]) {
    assertEquals([...cors.expose(new Response("x"), origin).headers.keys()], ["content-type"]);
  }
});
