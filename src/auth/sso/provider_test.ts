import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { exportJWK, generateKeyPair, type JWTPayload, SignJWT } from "jose";
import { ISSUER, lyingProvider } from "../../../tests/support/lying_provider.ts";
import { SluiceError } from "../../base/errors.ts";

const encoded = (value: unknown) =>
  new TextEncoder().encode(JSON.stringify(value)).toBase64({ alphabet: "base64url", omitPadding: true });

/** The text of the refusal. */
async function fault(run: () => Promise<unknown>): Promise<string> {
  const { code, params } = await assertRejects(run, SluiceError);
  return `${code}: ${params.reason}`;
}

Deno.test("ProviderClient.authorizationUrl() binds state, nonce and PKCE to a sign-in", async () => {
  const { client } = await lyingProvider();
  const [one, two] = [await client.bind("https://g/cb"), await client.bind("https://g/cb")];
  const { origin, pathname, searchParams: query } = await client.authorizationUrl(one);
  assertEquals(origin + pathname, `${ISSUER}/auth`);
  assertEquals(Object.fromEntries([...query].filter(([name]) => name !== "code_challenge")), {
    response_type: "code",
    client_id: "sluice",
    redirect_uri: "https://g/cb",
    scope: "openid email",
    state: one.state,
    nonce: one.nonce,
    code_challenge_method: "S256",
  });
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(one.verifier));
  const challenge = new Uint8Array(digest).toBase64({ alphabet: "base64url", omitPadding: true });
  assertEquals(query.get("code_challenge"), challenge);
  assertEquals([one.state === two.state, one.nonce === two.nonce, one.verifier === two.verifier], [
    false,
    false,
    false,
  ]);
});

Deno.test("ProviderClient.identify() changes the code with the secret and the verifier, and takes what is missing from userinfo", async () => {
  const { signIn, sent, lies } = await lyingProvider();
  lies.claims = { email: undefined, sid: "s1" };
  lies.userInfo = { sub: "17", email: "ann@x.org", groups: ["ops"] };
  const { subject, sid, claims } = await signIn();
  assertEquals([subject, sid, claims.email, claims.groups], ["17", "s1", "ann@x.org", []]);
  const token = sent.find(({ url }) => url === `${ISSUER}/token`)!;
  assertStringIncludes(token.body!, "code_verifier=");
  assertEquals(token.headers.authorization, `Basic ${btoa("sluice:secret+of+the+client")}`);
  const post = await lyingProvider({ client_auth: "post" });
  await post.signIn();
  assertStringIncludes(post.sent.find(({ url }) => url === `${ISSUER}/token`)!.body!, "client_secret=secret");
});

Deno.test("ProviderClient.identify() refuses ID tokens of others", async () => {
  const { signIn, lies, now, jwk } = await lyingProvider();
  const other = await generateKeyPair("RS256");
  const withClaims = (claims: JWTPayload) => async () => {
    lies.claims = claims;
    lies.idToken = null;
    return await fault(() => signIn());
  };
  const withToken = (idToken: (claims: JWTPayload) => Promise<string>) => async () => {
    lies.claims = {};
    lies.idToken = idToken;
    return await fault(() => signIn());
  };
  const hmac = (key: string, header: { alg: string; kid?: string }) => (claims: JWTPayload) =>
    new SignJWT(claims).setProtectedHeader(header).sign(new TextEncoder().encode(key));
  const cases: Record<string, () => Promise<string>> = {
    "another nonce": withClaims({ nonce: "other" }),
    "no nonce": withClaims({ nonce: undefined }),
    "another issuer": withClaims({ iss: "https://evil.example" }),
    "another audience": withClaims({ aud: "other" }),
    "several audiences": withClaims({ aud: ["sluice", "other"] }),
    "expired": withClaims({ exp: now() - 600 }),
    "no subject": withClaims({ sub: undefined }),
    "long subject": withClaims({ sub: "x".repeat(256) }),
    "another key": withToken((claims) =>
      new SignJWT(claims).setProtectedHeader({ alg: "RS256", kid: "1" }).sign(other.privateKey)
    ),
    "no signature": withToken((claims) => Promise.resolve(`${encoded({ alg: "none" })}.${encoded(claims)}.`)),
    "the client secret": withToken(hmac("secret of the client", { alg: "HS256" })),
    "the public key as a secret": withToken(hmac(JSON.stringify(jwk), { alg: "HS256", kid: "1" })),
    "a key in the header": withToken(async (claims) => {
      const jwkOfOther = await exportJWK(other.publicKey);
      return await new SignJWT(claims).setProtectedHeader({ alg: "RS256", jwk: jwkOfOther })
        .sign(other.privateKey);
    }),
  };
  for (const [name, run] of Object.entries(cases)) {
    assertEquals((await run()).split(":", 1)[0], "SSO_PROVIDER_FAILED", name);
  }
  lies.claims = {};
  lies.idToken = null;
  assertEquals((await signIn()).subject, "17");
});

Deno.test("ProviderClient.identify() refuses answers of another issuer, with another state, or without a code", async () => {
  const { signIn, lies } = await lyingProvider();
  const answered = (change: (answer: URLSearchParams) => void) => fault(() => signIn(change));
  assertStringIncludes(await answered((answer) => answer.set("iss", "https://evil.example")), "issuer");
  assertStringIncludes(await answered((answer) => answer.set("state", "other")), "state");
  assertStringIncludes(await answered((answer) => answer.delete("code")), "code");
  assertStringIncludes(await answered((answer) => answer.append("state", "twice")), "state");
  assertEquals(
    await answered((answer) => answer.set("error", "access_denied")),
    "SSO_REFUSED: it did not let you in, or you broke off. Start again, or ask who manages accounts there",
  );
  assertEquals(
    await answered((answer) => answer.set("error", "<b>call 555</b>")),
    "SSO_PROVIDER_FAILED: it answered with the error of another kind",
  );
  lies.metadata = { authorization_response_iss_parameter_supported: true };
  const strict = await lyingProvider();
  strict.lies.metadata = lies.metadata;
  assertStringIncludes(await fault(() => strict.signIn()), "missing");
  assertEquals((await strict.signIn((answer) => answer.set("iss", ISSUER))).subject, "17");
});

Deno.test("ProviderClient says what is wrong with a provider, and asks it no more often than every 5 s", async () => {
  const tokenFault = async (error: string) => {
    const { signIn, lies } = await lyingProvider();
    lies.answers["/token"] = () => ({
      status: 400,
      text: JSON.stringify({ error, error_description: "why" }),
    });
    return await fault(() => signIn());
  };
  assertStringIncludes(await tokenFault("invalid_client"), "client_secret");
  assertStringIncludes(await tokenFault("invalid_grant"), "used before, has expired");
  const discovery = async (metadata: Record<string, unknown>) => {
    const { client, lies } = await lyingProvider();
    lies.metadata = metadata;
    return await fault(async () => client.authorizationUrl(await client.bind("https://g/cb")));
  };
  assertStringIncludes(await discovery({ issuer: "https://evil.example" }), "issuer");
  assertStringIncludes(await discovery({ token_endpoint: undefined }), "its metadata have no token_endpoint");
  for (const address of ["javascript:alert(1)", "http://idp.example/auth", "nonsense"]) {
    assertStringIncludes(
      await discovery({ authorization_endpoint: address }),
      "authorization_endpoint without https",
    );
  }
  const { client, lies, sent, clock, signIn } = await lyingProvider();
  const start = async () => await client.authorizationUrl(await client.bind("https://g/cb"));
  lies.answers["/.well-known/openid-configuration"] = () => ({ status: 503 });
  for (let i = 0; i < 3; i++) assertEquals(await fault(start), "SSO_PROVIDER_FAILED: it answered HTTP 503");
  assertEquals(sent.length, 1);
  delete lies.answers["/.well-known/openid-configuration"];
  await clock.tick(5_000);
  await start();
  // Metadata that were read serve on while the provider is down.
  lies.answers["/.well-known/openid-configuration"] = () => ({ status: 503 });
  await clock.tick(3_600_000);
  await start();
  lies.answers["/token"] = () => ({ status: 302 });
  assertEquals(await fault(() => signIn()), "SSO_PROVIDER_FAILED: it answered HTTP 302");
  await clock.tick(3_600_000);
  assertEquals(await fault(start), "SSO_PROVIDER_FAILED: it answered HTTP 503");
});

Deno.test("ProviderClient tells a person nothing of the network that a failure names", async () => {
  const { client, lies } = await lyingProvider();
  const cause = new SluiceError("EGRESS_DENIED", { reason: "10.1.2.3 is a private address" });
  lies.answers["/.well-known/openid-configuration"] = () => {
    throw cause;
  };
  const error = await assertRejects(
    async () => client.authorizationUrl(await client.bind("https://g/cb")),
    SluiceError,
  );
  assertEquals([error.message, error.cause], [
    "Sign-in with Main failed: the gateway cannot reach it",
    cause,
  ]);
});

Deno.test("ProviderClient.identify() takes userinfo of the same person alone", async () => {
  const { signIn, lies } = await lyingProvider();
  lies.claims = { email: undefined };
  lies.userInfo = { sub: "18", email: "root@x.org", email_verified: true };
  assertStringIncludes(await fault(() => signIn()), "sub");
});

Deno.test("ProviderClient.verifyLogout() takes logout tokens of the provider, and no other tokens", async () => {
  const { client, sign, now } = await lyingProvider();
  const events = { "http://schemas.openid.net/event/backchannel-logout": {} };
  const claims = { iss: ISSUER, aud: "sluice", sub: "17", sid: "s1", jti: "j", iat: now(), events };
  assertEquals(await client.verifyLogout(await sign(claims)), { jti: "j", subject: "17", sid: "s1" });
  const typed = await sign(claims, { alg: "RS256", kid: "1", typ: "logout+jwt" } as never);
  assertEquals((await client.verifyLogout(typed)).subject, "17");
  const wrong: Record<string, JWTPayload> = {
    nonce: { nonce: "n" },
    "no event": { events: {} },
    "no events": { events: undefined },
    old: { iat: now() - 600 },
    future: { iat: now() + 600 },
    "no time": { iat: undefined },
    nobody: { sub: undefined, sid: undefined },
    audience: { aud: "other" },
    issuer: { iss: "https://evil.example" },
    "no id": { jti: undefined },
  };
  for (const [name, change] of Object.entries(wrong)) {
    const token = await sign({ ...claims, ...change });
    assertEquals((await fault(() => client.verifyLogout(token))).split(":", 1)[0], "SSO_REFUSED", name);
  }
  const idToken = await sign(claims, { alg: "RS256", kid: "1", typ: "at+jwt" } as never);
  assertStringIncludes(await fault(() => client.verifyLogout(idToken)), "it is of the type at+jwt");
  assertStringIncludes(await fault(() => client.verifyLogout("no token")), "cannot be verified");
});

Deno.test("ProviderClient.logoutUrl() is the provider's end of session", async () => {
  const { client, lies } = await lyingProvider({ post_logout_redirect_uri: "https://g/" });
  const url = new URL((await client.logoutUrl("hint"))!);
  assertEquals([url.origin + url.pathname, Object.fromEntries(url.searchParams)], [`${ISSUER}/end`, {
    client_id: "sluice",
    id_token_hint: "hint",
    post_logout_redirect_uri: "https://g/",
  }]);
  const without = await lyingProvider();
  without.lies.metadata = { end_session_endpoint: undefined };
  assertEquals(await without.client.logoutUrl("hint"), null);
  assertEquals(lies.metadata, {});
});
