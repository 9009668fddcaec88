import { assertEquals } from "@std/assert";
import { SluiceError } from "../../base/errors.ts";
import { createSecretBox } from "../../store/secret_box.ts";
import { createLog } from "../../telemetry/log.ts";
import { FakeClock } from "../../../tests/support/fake_clock.ts";
import { MemorySink } from "../../../tests/support/fakes.ts";
import { OWNER_HEADER } from "./authorized_client.ts";
import type { ExchangeSettings, OAuthCredentials } from "./oauth_credentials.ts";
import { UpstreamLogins } from "./upstream_logins.ts";

const ISSUER = "https://idp";
const CREDENTIALS: OAuthCredentials = {
  ...{ type: "oauth", grant: "token_exchange", clientId: "c", clientSecret: "s", privateKey: null },
  ...{ clientAuth: null, issuer: null, tokenUrl: "https://as/token", scopes: [], resource: null },
  exchange: { subjectTokenType: "jwt", requestedTokenType: null, audience: null, sendsResource: false },
};

async function exchanging(isOwn = false, exchange: Partial<ExchangeSettings> = {}) {
  const clock = new FakeClock();
  const forms: URLSearchParams[] = [];
  const answer = { expires_in: 100 as number | undefined, error: undefined as string | undefined };
  const logins = new UpstreamLogins({
    ...{
      records: null,
      connections: null,
      clock,
      timeoutMs: 1_000,
      count: () => {},
      countRenewal: () => {},
      issuers: new Set([ISSUER]),
    },
    secretBox: await createSecretBox("a secret of the test that is long enough"),
    log: createLog({ level: "ERROR", format: "json", sink: new MemorySink() }),
    send: ({ body }) => {
      forms.push(new URLSearchParams(body));
      const { error, expires_in } = answer;
      const text = JSON.stringify(
        error === undefined
          ? { access_token: `t${forms.length}`, token_type: "bearer", expires_in }
          : { error },
      );
      return Promise.resolve({
        status: error === undefined ? 200 : 400,
        contentType: "application/json",
        text,
      });
    },
  });
  const target = {
    upstream: "u",
    url: new URL("https://u/mcp"),
    caCertificate: undefined,
    credentials: { ...CREDENTIALS, exchange: { ...CREDENTIALS.exchange!, ...exchange } },
  };
  const upstream = { refusal: null as { status: number; challenge: string } | null };
  const authorization = logins.of("g", "1", target, { isOwn });
  const sent: (string | undefined)[] = [];
  const client = authorization.over({
    send: ({ headers }) => {
      sent.push(headers.find(([name]) => name === "authorization")?.[1]);
      assertEquals(headers.filter(([name]) => name === OWNER_HEADER), []);
      const { status, challenge } = upstream.refusal ?? { status: 200, challenge: null };
      upstream.refusal = null;
      return Promise.resolve({ status, header: () => challenge, discard: () => {} }) as never;
    },
    close: () => {},
  });
  /** @returns the token that the upstream got @throws {SluiceError} */
  const call = async (owner: string | null) => {
    const headers = owner === null ? [] : [[OWNER_HEADER, owner] as const];
    await client.send({ method: "POST", url: target.url, headers, upstream: "u" } as never);
    return sent.at(-1);
  };
  return { clock, forms, answer, upstream, authorization, call };
}

function jwt(claims: Record<string, unknown>): string {
  const part = (value: unknown) => btoa(JSON.stringify(value)).replaceAll("=", "");
  return `${part({ alg: "none" })}.${part({ iss: ISSUER, ...claims })}.x`;
}

async function codeOf(work: Promise<unknown>): Promise<string> {
  return await work.then(
    () => "none",
    (error) => error instanceof SluiceError ? error.message : String(error),
  );
}

Deno.test("UpstreamLogins: what a caller's token was exchanged for ends with it", async () => {
  const { clock, forms, call } = await exchanging();
  const token = jwt({ sub: "ann", exp: clock.now() / 1000 + 50 });
  assertEquals(await call(token), "Bearer t1");
  assertEquals(Object.fromEntries(forms[0]!), {
    grant_type: "urn:ietf:params:oauth:grant-type:token-exchange",
    subject_token: token,
    subject_token_type: "urn:ietf:params:oauth:token-type:jwt",
  });
  // No renewal would live longer.
  await clock.tick(49_000);
  assertEquals([await call(token), forms.length], ["Bearer t1", 1]);
  await clock.tick(1_000);
  assertEquals(
    await codeOf(call(token)),
    'Upstream "u" needs a token of yours, and yours has expired. Call with a new one',
  );
  assertEquals(forms.length, 1);
});

Deno.test("UpstreamLogins renews what a caller's token was exchanged for, and exchanges an endless one each hour", async () => {
  const { clock, forms, answer, call } = await exchanging();
  answer.expires_in = undefined;
  const endless = jwt({ sub: "ann" });
  assertEquals(await Promise.all([call(endless), call(endless)]), ["Bearer t1", "Bearer t1"]);
  await clock.tick(3_599_000);
  assertEquals([await call(endless), forms.length], ["Bearer t1", 1]);
  await clock.tick(1_000);
  assertEquals([await call(endless), forms.length], ["Bearer t2", 2]);
  answer.expires_in = 100;
  const long = jwt({ sub: "ann", exp: clock.now() / 1000 + 1_000 });
  assertEquals(await call(long), "Bearer t3");
  await clock.tick(101_000);
  assertEquals([await call(long), forms.length], ["Bearer t4", 4]);
});

Deno.test("UpstreamLogins: a refusal of a caller's token is the caller's, other errors are the upstream's", async () => {
  const { answer, call, clock } = await exchanging();
  const token = (sub: string) => jwt({ sub, exp: clock.now() / 1000 + 100 });
  const begins = async (sub: string, words: string) => {
    const text = await codeOf(call(token(sub)));
    assertEquals(text.slice(0, words.length), words);
  };
  answer.error = "invalid_grant";
  await begins(
    "ann",
    'Upstream "u" needs a token of yours, and its authorization server does not exchange yours (invalid_grant)',
  );
  answer.error = "invalid_client";
  await begins("bob", 'Cannot log in to upstream "u"');
});

Deno.test("UpstreamLogins: a call without a token of an issuer has none to exchange, and the gateway's own uses the client's", async () => {
  const { authorization, call, forms } = await exchanging();
  const owner = authorization.owner!;
  const of = (issuer: string | null, header: string | null) =>
    owner.of({
      received: { get: (name) => name === "authorization" ? header : null },
      token: issuer === null ? null : { issuer, user: "ann" },
    });
  assertEquals(of(ISSUER, "bearer  abc"), "abc");
  for (
    const nobody of [
      of(null, null),
      of("mcpgateway", "Bearer abc"),
      of(ISSUER, null),
      of(ISSUER, "Basic abc"),
    ]
  ) {
    assertEquals((await codeOf(call(nobody))).includes("JWT_ISSUERS"), true);
  }
  assertEquals((await codeOf(call(null))).includes("JWT_ISSUERS"), true);
  assertEquals(forms.length, 0);
  const own = await exchanging(true);
  assertEquals([await own.call(null), own.forms[0]!.get("grant_type")], ["Bearer t1", "client_credentials"]);
});

Deno.test("UpstreamLogins: an upstream names scopes of callers' tokens only where something else binds these to it", async () => {
  const scopesOf = async (exchange: Partial<ExchangeSettings>) => {
    const { forms, call, clock, upstream } = await exchanging(false, exchange);
    const token = jwt({ sub: "ann", exp: clock.now() / 1000 + 1_000 });
    await call(token);
    await clock.tick(11_000);
    for (const [status, error] of [[401, "invalid_token"], [403, "insufficient_scope"]] as const) {
      upstream.refusal = {
        status,
        challenge: `Bearer error="${error}", scope="https://mail/.all ${status}"`,
      };
      await call(token);
    }
    return forms.map((form) => form.get("scope"));
  };
  assertEquals(await scopesOf({}), [null, null]);
  const named = [null, "https://mail/.all 401", "https://mail/.all 401 403"];
  assertEquals(await scopesOf({ audience: "u" }), named);
  assertEquals(await scopesOf({ sendsResource: true }), named);
});
