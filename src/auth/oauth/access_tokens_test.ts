import { assertEquals, assertRejects } from "@std/assert";
import type { Clock } from "../../base/clock.ts";
import { SluiceError } from "../../base/errors.ts";
import { JwtVerifier, ownIssuer } from "../jwt.ts";
import { keysOfSecret, signToken } from "../keys/own_keys.ts";
import { accessTokenIssuer, AccessTokens } from "./access_tokens.ts";
import { scopesIn } from "./scopes.ts";

const KEYS = keysOfSecret("HS256", "a secret of the tests, long enough to sign");
const NOW = Date.now();
const ISSUER = "https://gw.example";

function setUp() {
  const own = ownIssuer(KEYS, {
    ...{ issuer: "gateway", audience: "api", platformAdminEmail: "root@x.org", environment: null },
  });
  const rules = { requireExpiration: false, requireJti: false };
  const taken = new JwtVerifier(own, rules, [], accessTokenIssuer(KEYS, "gateway"));
  const refusing = new JwtVerifier(own, rules);
  const clock = { now: () => NOW } as Clock;
  const tokens = new AccessTokens({ keys: KEYS, clock, ttlMs: 900_000 });
  const access = {
    ...{ email: "ann@x.org", userId: "u-1", clientId: "c", grantId: "g-1", issuer: ISSUER },
    audience: `${ISSUER}/servers/a/mcp`,
    scopes: scopesIn("tools.read offline_access")!,
  };
  return { taken, refusing, tokens, access, clock };
}

async function reasonOf(verifying: Promise<unknown>): Promise<unknown> {
  return (await assertRejects(() => verifying, SluiceError)).params.reason;
}

Deno.test("accessTokenIssuer() makes a caller that is narrowed to the scopes, the resource and the grant", async () => {
  const { taken, tokens, access, clock } = setUp();
  const caller = await taken.verify(await tokens.sign(access));
  assertEquals([caller.email, caller.issuer, caller.isAdmin, caller.isLogin], [
    "ann@x.org",
    "gateway",
    false,
    true,
  ]);
  assertEquals([caller.serverId, caller.permissions, caller.jti], ["a", ["tools.read"], "g-1"]);
  assertEquals(caller.recordId, "u-1");
  assertEquals([caller.resource, caller.expiresAt], [
    access.audience,
    Math.floor(clock.now() / 1000) * 1000 + 900_000,
  ]);
  const none = await taken.verify(
    await tokens.sign({ ...access, scopes: scopesIn("server:b")!, audience: ISSUER }),
  );
  assertEquals([none.serverId, none.permissions], ["b", []]);
});

Deno.test("JwtVerifier keeps access tokens and the gateway's other tokens apart", async () => {
  const { taken, refusing, tokens, access } = setUp();
  const token = await tokens.sign(access);
  assertEquals(await reasonOf(refusing.verify(token)), "access tokens of OAuth clients are not taken here");
  const claims = {
    sub: "ann@x.org",
    iss: ISSUER,
    aud: access.audience,
    scope: "tools.read",
    grant_id: "g",
    jti: "j",
  };
  const exp = Math.floor(Date.now() / 1000) + 60;
  // As another kind of token, it is one of another issuer.
  assertEquals(
    await reasonOf(taken.verify(await signToken({ ...claims, exp }, KEYS))),
    'the token\'s "iss" claim is wrong or missing',
  );
  const login = { sub: "ann@x.org", iss: "gateway", aud: "api", exp, jti: "j" };
  assertEquals(
    await reasonOf(taken.verify(await signToken(login, KEYS, "at+jwt"))),
    'the token\'s "aud" claim is wrong or missing',
  );
  for (
    const [claim, value] of [
      ...[["exp", undefined], ["jti", undefined], ["aud", [access.audience]], [
        "aud",
        "https://other.example/mcp",
      ]],
      ...[["aud", `${ISSUER}/tools`], ["scope", "admin.nothing"], ["scope", undefined], [
        "grant_id",
        undefined,
      ]],
    ] as const
  ) {
    const broken = await signToken({ ...claims, exp, [claim]: value }, KEYS, "at+jwt");
    assertEquals(await reasonOf(taken.verify(broken)), `the token's "${claim}" claim is wrong or missing`);
  }
  assertEquals((await taken.verify(await signToken({ ...claims, exp }, KEYS, "at+jwt"))).email, "ann@x.org");
});
