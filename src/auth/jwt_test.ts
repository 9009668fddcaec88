import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { SignJWT } from "jose";
import { mintToken, type TokenOptions } from "../../tests/support/tokens.ts";
import { SluiceError } from "../base/errors.ts";
import { type Issuer, JwtVerifier, mayBecomeValid, ownIssuer } from "./jwt.ts";
import { keysOfSecret } from "./keys/own_keys.ts";

const SECRET = "a-secret-of-more-than-thirty-two-bytes";

interface Given {
  readonly secret?: string;
  readonly requireExpiration?: boolean;
  readonly requireJti?: boolean;
  readonly environment?: string;
}

const NAMES = {
  issuer: "mcpgateway",
  audience: "mcpgateway-api",
  platformAdminEmail: "root@example.com",
  environment: null,
};

function verifier(
  { secret = SECRET, requireExpiration = true, requireJti = false, environment }: Given = {},
): JwtVerifier {
  const names = { ...NAMES, environment: environment ?? null };
  return new JwtVerifier(ownIssuer(keysOfSecret("HS256", secret), names), { requireExpiration, requireJti });
}

async function verify(options: TokenOptions = {}, given: Given = {}) {
  return await verifier(given).verify(await mintToken(SECRET, options));
}

async function reasonFor(token: string, given: Given = {}): Promise<string> {
  const error = await assertRejects(() => verifier(given).verify(token), SluiceError);
  assertEquals(error.code, "UNAUTHENTICATED");
  assertEquals(error.message.includes(token) && token !== "", false, "the token must not be in the words");
  return String(error.params.reason);
}

Deno.test("JwtVerifier.verify() reads a token of ContextForge's utility", async () => {
  const principal = await verify({
    username: "ann@example.com",
    claims: { jti: "j1", iat: 1_000, exp: 4_000_000_000 },
  });
  assertEquals(principal, {
    kind: "user",
    subject: "ann@example.com",
    issuer: "mcpgateway",
    email: "ann@example.com",
    isAdmin: true,
    teams: null,
    serverId: null,
    permissions: null,
    expiresAt: 4_000_000_000_000,
    jti: "j1",
    issuedAt: 1_000_000,
    isLogin: false,
    apiToken: null,
    limits: null,
    grants: null,
  });
});

Deno.test("JwtVerifier.verify() reads who logged in from ContextForge's login and API tokens", async () => {
  const { email, isLogin, subject } = await verify({
    username: "0b5e6a3c-0000-4000-8000-000000000000",
    claims: { token_use: "session", user: { email: "ann@example.com" } },
  });
  assertEquals([email, isLogin, subject], ["ann@example.com", true, "0b5e6a3c-0000-4000-8000-000000000000"]);
});

Deno.test("JwtVerifier.verify() refuses what it cannot trust, and says why in words", async () => {
  assertEquals(
    await reasonFor(await mintToken("another-secret-of-thirty-two-bytes!!")),
    "the token's signature is wrong",
  );
  assertEquals(await reasonFor(await mintToken(SECRET, { expiresInSeconds: -1 })), "the token has expired");
  const claims: [Record<string, unknown>, string][] = [
    [{ iss: "somebody" }, '"iss"'],
    [{ aud: "something" }, '"aud"'],
    [{ exp: undefined }, '"exp"'],
    [{ sub: undefined }, '"sub"'],
    [{ nbf: 4_000_000_000 }, '"nbf"'],
  ];
  for (const [claim, name] of claims) {
    const reason = await reasonFor(await mintToken(SECRET, { claims: claim }));
    assertEquals(reason, `the token's ${name} claim is wrong or missing`);
  }
  assertEquals(await reasonFor(await mintToken(SECRET, { claims: { sub: "" } })), "the token has no subject");
  for (const token of ["", "x", "a.b.c", "e30.e30."]) {
    assertEquals(await reasonFor(token), "the token cannot be read");
  }
});

Deno.test("mayBecomeValid() tells a token of the future from others", async () => {
  const verdict = async (claims: Record<string, unknown>) =>
    mayBecomeValid(await assertRejects(async () => await verify({ claims }), SluiceError));
  assertEquals(await verdict({ nbf: 4_000_000_000, exp: 4_000_000_001 }), true);
  assertEquals([await verdict({ iss: "somebody" }), await verdict({ exp: 1 })], [false, false]);
});

Deno.test("mayBecomeValid() is true of a token whose issuer has no keys, or not this one, and false of a wrong signature", async () => {
  const verdict = async (keysFor: Issuer["keysFor"]) => {
    const principalOf = () => Promise.reject() as never;
    const other = { issuer: "https://idp", audience: "x", algorithms: ["HS256"], keysFor, principalOf };
    const own = ownIssuer(keysOfSecret("HS256", SECRET), NAMES);
    const both = new JwtVerifier(own, { requireExpiration: true, requireJti: false }, [other]);
    const token = await mintToken(SECRET, { claims: { iss: "https://idp", aud: "x" } });
    return mayBecomeValid(await assertRejects(() => both.verify(token), SluiceError));
  };
  assertEquals(await verdict(() => Promise.reject(new SluiceError("TOKEN_KEYS_UNAVAILABLE"))), true);
  assertEquals(await verdict(() => Promise.resolve([])), true);
  assertEquals(await verdict(() => Promise.resolve([new TextEncoder().encode("x".repeat(32))])), false);
});

Deno.test("JwtVerifier.verify() takes the configured algorithm only, never none", async () => {
  const claims = { sub: "x", iss: "mcpgateway", aud: "mcpgateway-api", exp: 4_000_000_000 };
  const stronger = await new SignJWT(claims).setProtectedHeader({ alg: "HS512" })
    .sign(new TextEncoder().encode(SECRET.repeat(2)));
  const notAccepted = "the token's algorithm is not accepted";
  assertEquals(await reasonFor(stronger, { secret: SECRET.repeat(2) }), notAccepted);
  const part = (value: unknown) =>
    new TextEncoder().encode(JSON.stringify(value)).toBase64({ alphabet: "base64url", omitPadding: true });
  for (const alg of ["none", "NONE", "nOnE", "hs256"]) {
    assertEquals(await reasonFor(`${part({ alg })}.${part(claims)}.`), notAccepted);
  }
});

Deno.test("JwtVerifier.verify() asks for exp and jti only where the settings do", async () => {
  assertEquals((await verify({ claims: { exp: undefined } }, { requireExpiration: false })).expiresAt, null);
  const withoutId = await mintToken(SECRET, { claims: { jti: undefined } });
  assertEquals(
    await reasonFor(withoutId, { requireJti: true }),
    `the token's "jti" claim is wrong or missing`,
  );
  assertEquals((await verifier().verify(withoutId)).jti, null);
  for (const requireJti of [true, false]) {
    for (const jti of [12345, null, "", { a: "b" }, "a\nb", "x".repeat(256)]) {
      const reason = await reasonFor(await mintToken(SECRET, { claims: { jti } }), { requireJti });
      assertEquals(reason, `the token's "jti" claim is wrong or missing`);
    }
  }
});

Deno.test("JwtVerifier.verify() with an environment refuses tokens of another one, and takes tokens of none", async () => {
  const environment = "production";
  const verdict = async (claims: Record<string, unknown>, given: Given = { environment }) =>
    await verify({ claims }, given).then(() => "taken", (error) => String(error.params.reason));
  assertEquals([await verdict({ env: "production" }), await verdict({})], ["taken", "taken"]);
  assertEquals(await verdict({ env: null }), "taken");
  for (const env of ["development", "", 7, ["production"]]) {
    assertEquals([env, await verdict({ env })], [env, "the token is of another environment"]);
  }
  assertEquals(await verdict({ env: "development" }, {}), "taken");
});

Deno.test("JwtVerifier.verify() makes an administrator of a claim or of the platform's own, of nothing else", async () => {
  const isAdmin = async (options: TokenOptions) => (await verify({ admin: false, ...options })).isAdmin;
  assertEquals(await isAdmin({}), false);
  assertEquals(await isAdmin({ claims: { is_admin: true } }), true);
  assertEquals(await isAdmin({ claims: { user: { is_admin: true } } }), true);
  assertEquals(await isAdmin({ username: "root@example.com" }), true);
  assertEquals(await isAdmin({ claims: { email: "root@example.com" } }), false);
  for (const value of ["true", 1, {}]) assertEquals(await isAdmin({ claims: { is_admin: value } }), false);
});

Deno.test("JwtVerifier.verify() reads the teams of a token, in both of ContextForge's forms", async () => {
  const teams = async (admin: boolean, claim: unknown) =>
    (await verify({ admin, claims: { teams: claim } })).teams;
  assertEquals(await teams(true, null), null);
  assertEquals(await teams(false, null), null); // which canSee() and People.resolve() understand
  assertEquals(await teams(true, undefined), []);
  assertEquals(await teams(true, []), []);
  assertEquals(await teams(false, ["t1", { id: "t2" }, 3, { name: "x" }]), ["t1", "t2"]);
});

Deno.test("JwtVerifier.verify() takes a token's scopes", async () => {
  const scopes = { server_id: "s1", permissions: ["tools.read"], ip_restrictions: [], time_restrictions: {} };
  const { serverId, permissions } = await verify({ claims: { scopes } });
  assertEquals([serverId, permissions], ["s1", ["tools.read"]]);
  const uuid = { server_id: "550E8400-E29B-41D4-A716-446655440000" };
  const { serverId: plain } = await verify({ claims: { scopes: uuid } });
  assertEquals(plain, "550e8400e29b41d4a716446655440000");
});

Deno.test("JwtVerifier.verify() refuses a token with a restriction that it cannot read or enforce", async () => {
  const scopes = [
    { ip_restrictions: "10.0.0.0/8" },
    { ip_restrictions: ["somewhere"] },
    { time_restrictions: { start: "09:00" } },
    { usage_limits: { requests_per_day: 5 } },
    { usage_limits: 5 },
    { server_id: 7 },
    { permissions: "tools.read" },
    ["tools.read"],
    "tools.read",
  ];
  for (const claim of scopes) {
    await reasonFor(await mintToken(SECRET, { claims: { scopes: claim } }));
  }
});

Deno.test("JwtVerifier.verify() lets an issuer decide whether its tokens need an id", async () => {
  const withoutId = { claims: { jti: undefined } };
  const [own, foreign] = [
    await mintToken(SECRET, withoutId),
    await mintToken(SECRET, {
      claims: { jti: undefined, iss: "other" },
    }),
  ];
  const issuer = ownIssuer(keysOfSecret("HS256", SECRET), NAMES);
  const outcome = async (token: string, requireJti: boolean, ofOther?: boolean) => {
    const other = { ...issuer, issuer: "other", requireJti: ofOther };
    const both = new JwtVerifier(issuer, { requireExpiration: true, requireJti }, [other]);
    return await both.verify(token).then(() => "accepted", (error) => error.params.claim);
  };
  assertEquals(
    [
      ...[await outcome(own, true, false), await outcome(foreign, true, false), await outcome(foreign, true)],
      ...[
        await outcome(own, false, true),
        await outcome(foreign, false, true),
        await outcome(foreign, false),
      ],
    ],
    ["jti", "accepted", "jti", "accepted", "jti", "accepted"],
  );
});

Deno.test("JwtVerifier.verify() reads from where and when a token may be used", async () => {
  const scopes = { ip_restrictions: ["10.0.0.0/8"], time_restrictions: { weekdays_only: true } };
  assertEquals((await verify({ claims: { scopes } })).limits, {
    networks: ["10.0.0.0/8"],
    times: { timeZone: "UTC", days: [1, 2, 3, 4, 5], windows: [] },
    usage: null,
  });
});

Deno.test("JwtVerifier.verify() takes an API token only where the tokens of users are known", async () => {
  assertStringIncludes(
    await reasonFor(await mintToken(SECRET, { claims: { token_record: true } })),
    "API tokens are not taken here",
  );
});
