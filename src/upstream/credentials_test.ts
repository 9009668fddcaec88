import { assertEquals } from "@std/assert";
import { authorizedUrl, buildAuthHeaders, type Credentials, writeCredentials } from "./credentials.ts";

function auth(credentials: Credentials) {
  return buildAuthHeaders(credentials.type, writeCredentials(credentials));
}

Deno.test("buildAuthHeaders() gives each kind's headers", () => {
  assertEquals(auth({ type: "basic", username: "Aladdin", password: "open sesame" }).headers, [
    ["authorization", "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="],
  ]);
  assertEquals(auth({ type: "basic", username: "ü", password: "" }).headers, [[
    "authorization",
    "Basic w7w6",
  ]]);
  assertEquals(auth({ type: "bearer", token: "t" }).headers, [["authorization", "Bearer t"]]);
  assertEquals(auth({ type: "authheaders", headers: [{ key: "X-API-Key", value: "k" }] }), {
    headers: [["x-api-key", "k"]],
    query: [],
  });
});

Deno.test("buildAuthHeaders() gives nothing where there are no credentials", () => {
  assertEquals(buildAuthHeaders(null, null), { headers: [], query: [] });
  assertEquals(buildAuthHeaders("none", null), { headers: [], query: [] });
});

Deno.test("authorizedUrl() adds query parameters to those that are there", () => {
  const given = auth({ type: "query_param", key: "api key", value: "a&b" });
  assertEquals(given.headers, []);
  assertEquals(authorizedUrl("http://x/mcp?v=1", given).href, "http://x/mcp?v=1&api+key=a%26b");
  assertEquals(authorizedUrl("http://x/mcp?v=1", buildAuthHeaders(null, null)).href, "http://x/mcp?v=1");
});
