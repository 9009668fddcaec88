import { assertEquals, assertThrows } from "@std/assert";
import { OAuthFault } from "../oauth_fault.ts";
import { readMetadata } from "./client_metadata.ts";

const URIS = ["https://app.example/cb"];

Deno.test("readMetadata() reads what MCP clients register, and leaves out what it does not know", () => {
  const metadata = readMetadata({
    client_name: " A\u202e\n name ",
    client_uri: "https://app.example",
    redirect_uris: URIS,
    grant_types: ["authorization_code", "refresh_token", "implicit"],
    response_types: ["code"],
    token_endpoint_auth_method: "none",
    application_type: "native",
    software_id: "x",
  });
  assertEquals(metadata, {
    ...{ name: "A name", uri: "https://app.example/", redirectUris: URIS, authMethod: "none" },
    grantTypes: ["authorization_code", "refresh_token"],
  });
  const little = readMetadata({ redirect_uris: URIS, client_uri: "javascript:x" });
  assertEquals([little.name, little.uri, little.authMethod], ["", null, undefined]);
  assertEquals(
    [...readMetadata({ redirect_uris: URIS, client_name: "\u{1f600}".repeat(500) }).name].length,
    100,
  );
});

Deno.test("readMetadata() refuses what has no meaning here, with the code of RFC 7591", () => {
  const code = (given: unknown) => assertThrows(() => readMetadata(given), OAuthFault).code;
  for (
    const given of [
      ...[null, [], "x", { redirect_uris: URIS, client_name: 5 }, {
        redirect_uris: URIS,
        grant_types: ["implicit"],
      }],
      ...[{ redirect_uris: URIS, response_types: ["token"] }, {
        redirect_uris: URIS,
        grant_types: "authorization_code",
      }],
      { redirect_uris: URIS, token_endpoint_auth_method: 1 },
    ]
  ) assertEquals(code(given), "invalid_client_metadata", JSON.stringify(given));
  for (
    const redirect_uris of [
      undefined,
      [],
      "https://app.example/cb",
      [5],
      ["http://app.example/"],
      new Array(11).fill(URIS[0]),
    ]
  ) assertEquals(code({ redirect_uris }), "invalid_redirect_uri", JSON.stringify(redirect_uris));
});
