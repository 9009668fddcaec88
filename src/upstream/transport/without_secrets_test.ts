import { assertEquals } from "@std/assert";
import { withoutSecretsOf } from "./without_secrets.ts";

Deno.test("withoutSecretsOf() takes the values of the query and long parts of the path from an upstream's words", () => {
  const url = new URL("https://h/s/0123456789abcdefghij/mcp?key=hush%20hush&v=2&sk-hush");
  const words = "Cannot POST /s/0123456789abcdefghij/mcp?key=hush%20hush&v=2&sk-hush (key hush hush)";
  assertEquals(withoutSecretsOf(url, [], words), "Cannot POST /s/***/mcp?key=***&v=2&*** (key ***)");
  assertEquals(withoutSecretsOf(new URL("https://h/mcp"), [], "no /mcp here"), "no /mcp here");
});

Deno.test("withoutSecretsOf() takes the credentials of the headers from an upstream's words", () => {
  const headers: [string, string][] = [
    ["authorization", `Basic ${btoa("ann:open sesame")}`],
    ["x-key", "k-123456"],
    ["mcp-session-id", "session-1"],
    ["accept", "application/json"],
  ];
  const words = `Basic ${btoa("ann:open sesame")}, open sesame, ann, k-123456, session-1, application/json`;
  assertEquals(
    withoutSecretsOf(new URL("https://h/mcp"), headers, words),
    "***, ***, ann, ***, ***, application/json",
  );
  const bearer = [["authorization", "Bearer abc.def"]] as const;
  assertEquals(withoutSecretsOf(new URL("https://h/"), bearer, "token abc.def is bad"), "token *** is bad");
});
