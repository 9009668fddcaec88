import { assertEquals, assertRejects } from "@std/assert";
import { decodeProtectedHeader, jwtVerify } from "jose";
import { keysOfSecret, signToken } from "../auth/keys/own_keys.ts";
import { tokenClaims, type TokenGrants } from "./command_line/claims_of_flags.ts";
import { grantsWithoutEffect, mistakesIn } from "./token.ts";

const CONFIG = {
  jwtIssuer: "mcpgateway",
  jwtAudience: "mcpgateway-api",
  platformAdminEmail: "admin@example.com",
};

const AT = { nowMs: 1_700_000_000_999, jti: "some-id" };

function claims(args: Partial<TokenGrants>) {
  const grants = { username: "a@b.c", expMinutes: 60, admin: false, teams: null, ...args };
  return tokenClaims(grants, CONFIG, AT);
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
  assertEquals([claims({ admin: true }).teams, claims({ teams: "all", admin: true }).teams], [null, null]);
  assertEquals(claims({ teams: [], admin: true }).teams, []);
});

Deno.test("tokenClaims() limits a token to a virtual server and to permissions, and names its bearer", () => {
  assertEquals(claims({}).scopes, undefined);
  assertEquals(claims({ server: "s1" }).scopes, { server_id: "s1", permissions: [] });
  assertEquals(claims({ permissions: ["tools.read"] }).scopes, {
    server_id: null,
    permissions: ["tools.read"],
  });
  assertEquals((claims({ name: "Ann" }).user as { full_name: string }).full_name, "Ann");
});

Deno.test("mistakesIn() finds what the gateway would not understand, with the nearest permission", () => {
  const mistakes = (expMinutes: number, permissions: string[] | null, requireTokenExpiration = true) =>
    mistakesIn({ expMinutes, permissions, secret: null }, { requireTokenExpiration, jwtAlgorithm: "HS256" });
  assertEquals(mistakes(60, null), []);
  assertEquals(mistakes(60, ["tools.read", "admin.metrics", "*"]), []);
  assertEquals(mistakes(60, ["tool.read"]), ['unknown permission "tool.read"; did you mean tools.read?']);
  assertEquals(
    mistakes(60, ["frobnicate"])[0].startsWith('unknown permission "frobnicate"; known: tools.read, '),
    true,
  );
  assertEquals(mistakes(60, []), ["--permissions names no permission"]);
  assertEquals(mistakes(0, null).length, 1);
  assertEquals(mistakes(0, null, false), []);
  const pair = { requireTokenExpiration: true, jwtAlgorithm: "ES256" } as const;
  assertEquals(mistakesIn({ expMinutes: 60, permissions: null, secret: "s".repeat(32) }, pair), [
    "--secret: JWT_ALGORITHM=ES256 signs with JWT_PRIVATE_KEY_PATH. Leave --secret out",
  ]);
});

Deno.test("grantsWithoutEffect() leaves administrators' grants to administrators", () => {
  const grants = { teams: "all", permissions: ["tools.read", "tools.create", "*"] } as const;
  assertEquals(grantsWithoutEffect(grants, { isAdmin: true }), []);
  assertEquals(grantsWithoutEffect(grants, { isAdmin: false }), [
    "--teams null is for administrators; add --admin",
    "--permissions tools.create is for administrators; add --admin",
  ]);
});

Deno.test("tokenClaims() without expiry has no exp, and without name is the platform's administrator", () => {
  assertEquals("exp" in claims({ expMinutes: 0 }), false);
  assertEquals(claims({ username: null }).sub, "admin@example.com");
});

Deno.test("signToken() signs so that the same secret verifies, and another does not", async () => {
  const token = await signToken(claims({}), keysOfSecret("HS256", "s".repeat(32)));
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
