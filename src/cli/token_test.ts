import { assertEquals, assertRejects } from "@std/assert";
import { decodeProtectedHeader, jwtVerify } from "jose";
import type { TokenArgs } from "./command_line/flags.ts";
import { mintToken, tokenClaims } from "./token.ts";

const CONFIG = {
  jwtIssuer: "mcpgateway",
  jwtAudience: "mcpgateway-api",
  platformAdminEmail: "admin@example.com",
};

const AT = { nowMs: 1_700_000_000_999, jti: "some-id" };

function claims(args: Partial<TokenArgs>) {
  return tokenClaims(
    { username: "a@b.c", expMinutes: 60, admin: false, secret: null, teams: null, ...args },
    CONFIG,
    AT,
  );
}

Deno.test("tokenClaims() writes what ContextForge's utility writes", () => {
  assertEquals(claims({ admin: true }), {
    sub: "a@b.c",
    iat: 1_700_000_000,
    iss: "mcpgateway",
    aud: "mcpgateway-api",
    jti: "some-id",
    exp: 1_700_003_600,
    teams: null,
    is_admin: true,
    user: { email: "a@b.c", full_name: "CLI User", is_admin: true, auth_provider: "cli" },
  });
});

Deno.test("tokenClaims() scopes teams: null for administrators alone, [] for public only", () => {
  assertEquals([claims({}).teams, claims({}).is_admin], [[], false]);
  assertEquals(claims({ teams: ["a"] }).teams, ["a"]);
  assertEquals(claims({ teams: ["a"], admin: true }).teams, ["a"]);
});

Deno.test("tokenClaims() without expiry has no exp, and without name is the platform's administrator", () => {
  assertEquals("exp" in claims({ expMinutes: 0 }), false);
  assertEquals(claims({ username: null }).sub, "admin@example.com");
});

Deno.test("mintToken() signs so that the same secret verifies, and another does not", async () => {
  const token = await mintToken(claims({}), "s".repeat(32), "HS256");
  const options = {
    ...AT,
    issuer: "mcpgateway",
    audience: "mcpgateway-api",
    currentDate: new Date(AT.nowMs),
  };
  const verify = (secret: string) => jwtVerify(token, new TextEncoder().encode(secret), options);
  assertEquals((await verify("s".repeat(32))).payload, claims({}));
  await assertRejects(() => verify("t".repeat(32)));
  assertEquals(decodeProtectedHeader(token), { alg: "HS256", typ: "JWT" });
});
