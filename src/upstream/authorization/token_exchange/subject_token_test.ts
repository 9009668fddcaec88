import { assertEquals } from "@std/assert";
import { subjectToken } from "./subject_token.ts";

const NOW = 1_800_000_000_000;

function endOf(exp: number | undefined): number {
  const claims = btoa(JSON.stringify({ iss: "https://idp", sub: "ann", exp }));
  return subjectToken(`e30.${claims.replaceAll("=", "")}.x`, NOW).endsAt;
}

Deno.test("subjectToken() has an end in whole milliseconds that a database can hold", () => {
  assertEquals(endOf(1_800_000_100), 1_800_000_100_000);
  assertEquals(endOf(1_800_000_100.12345), 1_800_000_100_123);
  assertEquals(endOf(1e300), NOW + 315_360_000_000);
  assertEquals(endOf(undefined), NOW + 3_600_000);
});
