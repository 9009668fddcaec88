// The id of a token (`jti`): every token that the gateway accepts can be revoked by its id.
import { assertEquals } from "@std/assert";
import { Sluice } from "../support/sluice.ts";

/** Ids that no revocation could name. */
const UNREVOCABLE: readonly unknown[] = [
  12345,
  null,
  "",
  { a: "b" },
  ["a"],
  true,
  "x".repeat(256),
  "a\nb",
  "a\u009bb",
  " a",
  "..",
  "\ud800",
];

const status = async (sluice: Sluice, token: string) =>
  (await sluice.api("GET", "/tools", undefined, token)).status;

for (const REQUIRE_JTI of ["true", "false"]) {
  Deno.test(`A token whose jti nobody could revoke is refused (REQUIRE_JTI=${REQUIRE_JTI})`, async () => {
    await using sluice = await Sluice.start({ env: { WORKERS: "1", REQUIRE_JTI } });
    for (const jti of UNREVOCABLE) {
      const token = await sluice.token({ claims: { jti } });
      assertEquals([jti, await status(sluice, token)], [jti, 401]);
    }
    const withoutId = await sluice.token({ claims: { jti: undefined } });
    assertEquals(await status(sluice, withoutId), REQUIRE_JTI === "true" ? 401 : 200);
  });
}

Deno.test("Each id that a token can have can be revoked, and no other", async () => {
  await using sluice = await Sluice.start({ env: { WORKERS: "1" } });
  for (
    const jti of ["12345", "revoked", "admin", "a/b", "a b", "a.b", "%2e", "?x#y", "é…", "x".repeat(255)]
  ) {
    const token = await sluice.token({ claims: { jti } });
    assertEquals([jti, await status(sluice, token)], [jti, 200]);
    const { status: revoked } = await sluice.api("DELETE", `/tokens/${encodeURIComponent(jti)}`);
    assertEquals([jti, revoked, await status(sluice, token)], [jti, 204, 401]);
  }
  for (const path of ["a%0Ab", "%20a", "a%C2%9Bb", "%ED%A0%80", "x".repeat(256), "%20", "", ".."]) {
    const { status } = await sluice.api("DELETE", `/tokens/${path}`);
    assertEquals([path, status >= 400 && status < 500], [path, true]);
  }
});

Deno.test("DELETE /tokens/{jti} needs no body, whatever headers a client sends", async () => {
  await using sluice = await Sluice.start({ env: { WORKERS: "1" } });
  const authorization = `Bearer ${await sluice.token()}`;
  for (const type of ["application/json", "application/json; charset=utf-8", "text/plain"]) {
    const headers = { authorization, "content-type": type };
    const answer = await fetch(`${sluice.url}/tokens/${crypto.randomUUID()}`, { method: "DELETE", headers });
    assertEquals([type, answer.status, await answer.text()], [type, 204, ""]);
  }
});
