import { assertEquals, assertThrows } from "@std/assert";
import { SluiceError } from "../../base/errors.ts";
import { accessIn, clientIdIn, replyAddressIn, replyUrl, requestIn } from "./authorization_request.ts";
import { OAuthFault } from "./oauth_fault.ts";
import { MCP_SCOPES } from "./scopes.ts";

const BASE = "https://gw.example";
const CLIENT = {
  ...{ id: "c", name: "App", uri: null, host: null, redirectUris: ["https://app.example/cb?keep=1"] },
  grantTypes: ["authorization_code"],
};
const GOOD = {
  ...{ client_id: "c", redirect_uri: "https://app.example/cb?keep=1", response_type: "code", state: "s" },
  ...{ code_challenge: "c".repeat(43), code_challenge_method: "S256" },
};

function read(changes: Record<string, string | undefined> = {}) {
  const given = Object.entries({ ...GOOD, ...changes }).filter(([, value]) => value !== undefined);
  const query = new URLSearchParams(given as [string, string][]);
  clientIdIn(query);
  return requestIn(query, CLIENT, replyAddressIn(query, CLIENT, BASE));
}

Deno.test("a request without resource and scope is for the whole gateway and what MCP clients need", () => {
  const { resource, audience, scopes, isOnThisMachine, redirectHost } = read();
  assertEquals([resource.path, audience, scopes.permissions], ["", BASE, MCP_SCOPES]);
  assertEquals([isOnThisMachine, redirectHost], [false, "app.example"]);
  const narrow = read({ resource: `${BASE}/servers/a/mcp`, scope: "openid tools.read server:a" });
  assertEquals([narrow.audience, narrow.scopes], [`${BASE}/servers/a/mcp`, {
    permissions: ["tools.read"],
    serverId: "a",
  }]);
});

Deno.test("what is wrong with the client or its redirect URI is never sent to that address", () => {
  const refused = (changes: Record<string, string | undefined>) =>
    assertThrows(() => read(changes), SluiceError).code;
  for (
    const changes of [
      ...[{ client_id: undefined }, { client_id: "" }, { redirect_uri: undefined }],
      ...[{ redirect_uri: "https://evil.example/cb" }, { redirect_uri: "https://app.example/cb" }],
      ...[{ redirect_uri: "https://app.example/cb?keep=1&x" }, { state: "s".repeat(2_000) }],
    ]
  ) assertEquals(refused(changes), "INVALID_REQUEST", JSON.stringify(changes));
  const twice = new URLSearchParams([...Object.entries(GOOD), ["redirect_uri", "https://evil.example"]]);
  assertThrows(() => clientIdIn(twice), SluiceError);
});

Deno.test("every other fault has the code of its specification", () => {
  const code = (changes: Record<string, string | undefined>) =>
    assertThrows(() => read(changes), OAuthFault).code;
  const cases: [string, Record<string, string | undefined>][] = [
    ["unsupported_response_type", { response_type: "token" }],
    ["unsupported_response_type", { response_type: undefined }],
    ["invalid_request", { code_challenge: undefined }],
    ["invalid_request", { code_challenge: "short" }],
    ["invalid_request", { code_challenge_method: "plain" }],
    ["invalid_request", { code_challenge_method: undefined }],
    ["invalid_request", { response_mode: "fragment" }],
    ["request_not_supported", { request: "x" }],
    ["request_uri_not_supported", { request_uri: "https://evil.example" }],
    ["invalid_target", { resource: "https://other.example/mcp" }],
    ["invalid_target", { resource: `${BASE}/tools` }],
    ["invalid_target", { resource: `${BASE}/mcp#x` }],
    ["invalid_scope", { resource: `${BASE}/servers/a/mcp`, scope: "server:b" }],
    ["invalid_scope", { scope: "server:a server:b" }],
  ];
  for (const [wanted, changes] of cases) assertEquals(code(changes), wanted, JSON.stringify(changes));
  assertThrows(() => accessIn([`${BASE}/mcp`, `${BASE}/sse`], null, BASE), OAuthFault);
});

Deno.test("replyUrl() keeps the query of the redirect URI, and says who answers", () => {
  const reply = { redirectUri: "https://app.example/cb?keep=1", state: "a&b", issuer: BASE };
  assertEquals(
    replyUrl(reply, { code: "c" }),
    "https://app.example/cb?keep=1&code=c&state=a%26b&iss=https%3A%2F%2Fgw.example",
  );
  assertEquals(
    replyUrl({ ...reply, redirectUri: "cursor://a/cb", state: null }, new OAuthFault("access_denied", "no")),
    "cursor://a/cb?error=access_denied&error_description=no&iss=https%3A%2F%2Fgw.example",
  );
});
