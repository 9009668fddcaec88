import { assertEquals } from "@std/assert";
import { assertLinear } from "../../tests/support/growth.ts";
import { logLevelIn, withClaims, withoutClaims } from "./claims.ts";
import { removeMember } from "./json_rpc.ts";

const CLAIMS = {
  clientCapabilities: '{ "elicitation":{} }',
  clientInfo: '{"name":"sluice"}',
  logLevel: null,
};
const TEXT = '"io.modelcontextprotocol/protocolVersion":"2026-07-28",' +
  '"io.modelcontextprotocol/clientCapabilities":{ "elicitation":{} },' +
  '"io.modelcontextprotocol/clientInfo":{"name":"sluice"}';

Deno.test("withClaims() writes the claims into _meta and leaves all other bytes alone", () => {
  assertEquals(withClaims(undefined, CLAIMS), `{"_meta":{${TEXT}}}`);
  assertEquals(withClaims('{ "name":"t" }', CLAIMS), `{"_meta":{${TEXT}}, "name":"t" }`);
  assertEquals(
    withClaims('{"_meta": { "progressToken":7 },"arguments":{"_meta":1, "n":1.0}}', CLAIMS),
    `{"_meta": {${TEXT},"progressToken":7 },"arguments":{"_meta":1, "n":1.0}}`,
  );
  assertEquals(withClaims('{"_meta":{ }}', CLAIMS), `{"_meta":{${TEXT}}}`);
});

Deno.test("withClaims() replaces claims that are there already: no reader may take the others", () => {
  for (const key of ["io.modelcontextprotocol/logLevel", "io.modelcontextprotocol\\/logLevel"]) {
    const text = withClaims(`{"_meta":{"a":1,"${key}":"debug","${key}":"info"}}`, {
      ...CLAIMS,
      logLevel: "error",
    });
    assertEquals(text.split("logLevel").length, 2, text);
    assertEquals(JSON.parse(text)._meta["io.modelcontextprotocol/logLevel"], "error");
  }
});

Deno.test("withoutClaims() takes the claims out and keeps what else _meta says", () => {
  assertEquals(
    withoutClaims(withClaims('{"a": 1,"_meta":{"progressToken":7}}', CLAIMS)),
    '{"a": 1,"_meta":{"progressToken":7}}',
  );
  assertEquals(withoutClaims('{"a": 1}'), '{"a": 1}');
  assertEquals(withoutClaims(undefined), undefined);
});

Deno.test("logLevelIn() reads the level that a request asks for", () => {
  assertEquals(logLevelIn(withClaims("{}", { ...CLAIMS, logLevel: "info" })), "info");
  assertEquals([logLevelIn("{}"), logLevelIn(undefined)], [null, null]);
  assertEquals(logLevelIn('{"arguments":"io.modelcontextprotocol/logLevel"}'), null);
  assertEquals(
    logLevelIn('{"_meta":{"io.modelcontextprotocol\\/logLevel":"info"}}'),
    "info",
    "as PHP writes it",
  );
});

Deno.test("removeMember() removes a repeated key at any place, in time in proportion to the text", () => {
  assertEquals(removeMember('{ "a":1, "b":2 ,"a":3}', "a"), '{"b":2}');
  assertEquals(removeMember('{"a":1}', "a"), "{}");
  assertEquals(removeMember('{ "b":2 }', "a"), '{ "b":2 }');
  assertLinear(
    (members) => assertEquals(removeMember(`{${'"a":1,'.repeat(members)}"b":2}`, "a"), '{"b":2}'),
    10_000,
  );
});
