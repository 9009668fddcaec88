import { assert, assertEquals, assertRejects } from "@std/assert";
import { type ErrorCode, SluiceError } from "../../../base/errors.ts";
import { createSecretBox } from "../../../store/secret_box.ts";
import type { Connections } from "../../../store/upstream_tokens/connections.ts";
import type { UpstreamTokens } from "../../../store/upstream_tokens/upstream_tokens.ts";
import { FakeClock } from "../../../../tests/support/fake_clock.ts";
import { waitFor } from "../../../../tests/support/wait_for.ts";
import { readChallenge, unionOfScopes } from "../bearer_challenge.ts";
import { PersonLogin } from "../login/person_login.ts";
import type { OAuthCredentials } from "../oauth_credentials.ts";
import { sealToken } from "../sealed_token.ts";
import { TokenSource } from "./token_source.ts";
import { NamedServers } from "./named_servers.ts";
import type { KeptTokens, TokenSourceDeps } from "./token_source_deps.ts";
import type { UpstreamToken } from "../upstream_token.ts";

const CREDENTIALS: OAuthCredentials = {
  ...{ type: "oauth", grant: "client_credentials", clientId: "c", clientSecret: "s", privateKey: null },
  ...{ clientAuth: null, issuer: null, tokenUrl: "https://as/token", scopes: [], resource: null },
};
const KEY = { gatewayId: "g", owner: "", version: "1" };
const NO_CHALLENGE = readChallenge(null);

function source(deps: Omit<TokenSourceDeps, "namedServers">): TokenSource {
  return new TokenSource({ ...deps, namedServers: new NamedServers(deps) });
}

interface Row extends Pick<UpstreamTokens, "claim" | "save" | "release"> {
  sealed: string | null;
  /** A former holder of the claim has ended without a word. */
  wasInterrupted: boolean;
}

/** One row, as the database has it. */
function records(): Row {
  let claimedBy: string | null = null;
  return {
    sealed: null,
    wasInterrupted: false,
    claim(_key, holder) {
      const isHeld = claimedBy === null;
      if (isHeld) claimedBy = holder;
      return Promise.resolve({ isHeld, sealed: this.sealed, isInterrupted: this.wasInterrupted });
    },
    save(_key, _holder, sealed) {
      this.sealed = sealed;
      claimedBy = null;
      return Promise.resolve(true);
    },
    release() {
      claimedBy = null;
      return Promise.resolve();
    },
  };
}

/** Workers that share a database, and the scopes of their requests for tokens. */
async function workers(count: number, credentials: Partial<OAuthCredentials> = {}) {
  const clock = new FakeClock();
  const asked: (string | null)[] = [];
  const given = { expires_in: 100, fails: false };
  const secretBox = await createSecretBox("a secret of the test that is long enough");
  const row = records();
  const kept: KeptTokens = { records: row as unknown as UpstreamTokens, key: KEY, secretBox };
  const sources = Array.from({ length: count }, () =>
    source({
      ...{
        upstream: "u",
        url: new URL("https://u/mcp"),
        kept,
        login: null,
        subject: null,
        clock,
        timeoutMs: 1_000,
      },
      credentials: { ...CREDENTIALS, ...credentials },
      exchange: {
        ...{ caCertificate: undefined, allowsHttp: false },
        send: (request) => {
          const form = new URLSearchParams(request.body);
          asked.push(form.get("scope"));
          const text = given.fails ? JSON.stringify({ error: "invalid_client" }) : JSON.stringify({
            access_token: `t${asked.length}`,
            token_type: "bearer",
            expires_in: given.expires_in,
          });
          return Promise.resolve({ status: given.fails ? 400 : 200, contentType: "application/json", text });
        },
      },
      count: () => {},
      countRenewal: () => {},
      onFailure: () => {},
    }));
  return { clock, asked, given, row, sources };
}

Deno.test("TokenSource: the waiters of all workers share one request, and a sealed token", async () => {
  const { asked, row, sources: [one, other] } = await workers(2);
  const tokens = await Promise.all([one.obtain(), one.obtain(), one.obtain()]);
  assertEquals(tokens.map((token) => token?.accessToken), ["t1", "t1", "t1"]);
  assertEquals((await other.obtain())?.accessToken, "t1");
  assertEquals([asked.length, row.sealed!.includes("accessToken"), row.sealed!.startsWith("v1.")], [
    1,
    false,
    true,
  ]);
});

Deno.test("TokenSource renews a token before it expires, once for all workers", async () => {
  const { clock, asked, sources: [one, other] } = await workers(2);
  await one.obtain();
  await other.obtain();
  await clock.tick(79_000);
  assertEquals([one.current?.accessToken, asked.length], ["t1", 1]);
  await clock.tick(2_000);
  // The call gets the former token, and does not wait.
  assertEquals(one.current?.accessToken, "t1");
  await one.obtain();
  await until(() => one.current?.accessToken !== "t1");
  assertEquals(other.current?.accessToken, "t1");
  await until(() => other.current?.accessToken !== "t1");
  assertEquals([other.current?.accessToken, asked.length], ["t2", 2]);
});

Deno.test("TokenSource replaces a refused token once, and takes another worker's where there is one", async () => {
  const { clock, asked, sources: [one, other] } = await workers(2);
  const first = (await one.obtain())!;
  await other.obtain();
  assertEquals(await one.afterRefusal(first, NO_CHALLENGE), null);
  await clock.tick(11_000);
  const second = (await one.afterRefusal(first, NO_CHALLENGE))!;
  assertEquals([second.accessToken, (await one.afterRefusal(first, NO_CHALLENGE))!.accessToken], [
    "t2",
    "t2",
  ]);
  const same = (await other.obtain())!;
  assertEquals((await other.afterRefusal(same, NO_CHALLENGE))!.accessToken, "t2");
  assertEquals(asked.length, 2);
});

Deno.test("TokenSource asks for further scopes a few times, and never beyond those that were given", async () => {
  const { asked, sources: [one] } = await workers(1);
  let token = (await one.obtain())!;
  for (let n = 1; n <= 10; n++) {
    token = await one.withScope(token, readChallenge(`Bearer error="insufficient_scope", scope="s${n}"`)) ??
      token;
  }
  assertEquals(asked, [null, "s1", "s1 s2", "s1 s2 s3", "s1 s2 s3 s4", "s1 s2 s3 s4 s5"]);
  // Calls that come together ask once.
  const { asked: together, sources: [shared] } = await workers(1);
  const used = (await shared.obtain())!;
  const lacks = (scope: string) => readChallenge(`Bearer error="insufficient_scope", scope="${scope}"`);
  const [first] = await Promise.all(Array.from({ length: 10 }, () => shared.withScope(used, lacks("s1"))));
  assertEquals((await shared.withScope(first!, lacks("s2")))?.scope, "s1 s2");
  assertEquals(together, [null, "s1", "s1 s2"]);
  const given = await workers(1, { scopes: ["a"] });
  const [fixed] = given.sources;
  const own = (await fixed.obtain())!;
  assertEquals(await fixed.withScope(own, readChallenge('Bearer scope="b"')), null);
  assertEquals(given.asked, ["a"]);
});

Deno.test("TokenSource fails at once after a failure, for a growing time", async () => {
  const { clock, asked, given, sources: [one] } = await workers(1);
  given.fails = true;
  const fails = async (code: ErrorCode = "UPSTREAM_LOGIN_FAILED") =>
    assertEquals((await assertRejects(() => one.obtain(), SluiceError)).code, code);
  await fails();
  await fails();
  assertEquals(asked.length, 1);
  await clock.tick(1_001);
  await fails();
  await clock.tick(1_001);
  await fails();
  assertEquals(asked.length, 2);
  await clock.tick(1_001);
  given.fails = false;
  assertEquals((await one.obtain())?.accessToken, "t3");
});

/** The login of a person, whose access token lives 100 s. Each refresh token is good once. */
async function personLogin() {
  const clock = new FakeClock();
  const secretBox = await createSecretBox("a secret of the test that is long enough");
  const row = records();
  const server = { issuer: "https://as", token_endpoint: "https://as/token" };
  const login = {
    refreshToken: "r0",
    client: { ...CREDENTIALS, clientAuth: "none" },
    resource: null,
  } as const;
  const first: UpstreamToken = {
    ...{ accessToken: "t0", obtainedAt: clock.now(), expiresAt: clock.now() + 100_000, scope: null, login },
    found: { server, resource: "https://u/mcp", scopes: null },
  };
  row.sealed = await sealToken(secretBox, first, KEY);
  const asked: string[] = [];
  const renewals: string[] = [];
  const given = { answers: () => Promise.resolve(), status: 200 };
  const lost: string[] = [];
  const connections = {
    find: () => Promise.resolve(row.sealed),
    lost: (_key: unknown, _sealed: string, why: string) => Promise.resolve(void lost.push(why)),
  };
  const own = source({
    ...{ upstream: "u", url: new URL("https://u/mcp"), subject: null, clock, timeoutMs: 1_000 },
    kept: { records: row as unknown as UpstreamTokens, key: KEY, secretBox },
    login: new PersonLogin(connections as unknown as Connections, "u", "g"),
    credentials: { ...CREDENTIALS, grant: "authorization_code", clientId: "" },
    exchange: {
      ...{ caCertificate: undefined, allowsHttp: false },
      send: async (request) => {
        asked.push(new URLSearchParams(request.body).get("refresh_token")!);
        await given.answers();
        const [access_token, refresh_token] = [`t${asked.length}`, `r${asked.length}`];
        const text = given.status === 400
          ? '{"error":"invalid_grant"}'
          : JSON.stringify({ access_token, refresh_token, token_type: "bearer", expires_in: 100 });
        return { status: given.status, contentType: "application/json", text };
      },
    },
    count: () => {},
    countRenewal: (outcome) => void renewals.push(outcome),
    onFailure: () => {},
  });
  assertEquals((await own.obtain())?.accessToken, "t0");
  return { clock, row, asked, given, renewals, lost, source: own };
}

/** Sealing and opening take real time, and the fake clock none. */
async function until(isTrue: () => boolean): Promise<void> {
  await waitFor(isTrue, { what: "what the source does next", everyMs: 1 });
}

Deno.test("TokenSource stores the renewed token of a login as soon as the database is back", async () => {
  const { clock, row, asked, renewals, source } = await personLogin();
  const { save } = row;
  let tries = 0;
  row.save = () => {
    tries++;
    return Promise.reject(new SluiceError("STORE_UNAVAILABLE", { reason: "down" }));
  };
  await clock.tick(81_000);
  assertEquals(source.current?.accessToken, "t0");
  await until(() => tries === 1);
  await clock.tick(100);
  await until(() => tries === 2);
  row.save = save;
  await clock.tick(100);
  await until(() => source.current?.accessToken === "t1");
  assertEquals([asked, renewals], [["r0"], ["success"]]);
  await clock.tick(81_000);
  assertEquals(source.current?.accessToken, "t1");
  await until(() => source.current?.accessToken === "t2");
  assertEquals(asked, ["r0", "r1"]);
});

Deno.test("TokenSource ends when the renewal under way has ended, and begins none behind calls then", async () => {
  const { clock, row, asked, given, source } = await personLogin();
  const former = row.sealed;
  const answer = Promise.withResolvers<void>();
  given.answers = () => answer.promise;
  await clock.tick(81_000);
  assertEquals(source.current?.accessToken, "t0");
  await until(() => asked.length === 1);
  let isClosed = false;
  const closed = source.close().then(() => isClosed = true);
  assertEquals([isClosed, row.sealed], [false, former]);
  answer.resolve();
  await closed;
  assert(row.sealed !== former);
  await clock.tick(81_000);
  assertEquals(source.current?.accessToken, "t1");
  // Nothing is under way that it would wait for.
  await source.close();
  assertEquals(asked, ["r0"]);
});

Deno.test("TokenSource: a good token stays in use while its renewal fails, also after a change of logins", async () => {
  const { clock, asked, given, renewals, source } = await personLogin();
  given.status = 503;
  await clock.tick(81_000);
  assertEquals(source.current?.accessToken, "t0");
  await until(() => renewals.length === 1);
  source.recheck();
  assertEquals((await source.obtain())?.accessToken, "t0");
  await clock.tick(19_000);
  await assertRejects(() => source.obtain(), SluiceError, "HTTP 503");
  assertEquals([asked, renewals], [["r0", "r0"], ["failed", "failed"]]);
});

Deno.test("TokenSource tells a person whose login an interrupted renewal has ended, and takes the former token where it is good", async () => {
  for (const wasInterrupted of [false, true]) {
    const { clock, row, given, lost, source } = await personLogin();
    row.wasInterrupted = wasInterrupted;
    given.status = 400;
    await clock.tick(99_000);
    const { code } = await assertRejects(() => source.obtain(), SluiceError);
    assertEquals([code, lost.length], ["UPSTREAM_LOGIN_NEEDED", 1]);
    assertEquals(lost[0].includes("was interrupted while it renewed the login"), wasInterrupted);
  }
  // Many servers accept a refresh token once more for a while.
  const { clock, row, lost, source } = await personLogin();
  row.wasInterrupted = true;
  await clock.tick(99_000);
  assertEquals([(await source.obtain())?.accessToken, lost], ["t1", []]);
});

Deno.test("readChallenge() reads quoted and plain parameters of the Bearer challenge alone", () => {
  assertEquals(
    readChallenge(
      'Basic realm="x", Bearer scope="a b", error=invalid_token, resource_metadata="https://u/\\"x"',
    ),
    {
      ...{ scope: "a b", error: "invalid_token", resourceMetadata: 'https://u/"x' },
    },
  );
  assertEquals(readChallenge('Basic scope="a"'), { scope: null, error: null, resourceMetadata: null });
  assertEquals(readChallenge(null), { scope: null, error: null, resourceMetadata: null });
  assertEquals([unionOfScopes("a b", null, "b c"), unionOfScopes(null, "")], ["a b c", null]);
});

Deno.test("TokenSource says that the upstream names another server, where it refuses a new token", async () => {
  let named = "https://as";
  const asked: string[] = [];
  const documents = (url: string): unknown => ({
    "https://u/.well-known/oauth-protected-resource/mcp": {
      resource: "https://u/mcp",
      authorization_servers: [named],
    },
    "https://as/.well-known/oauth-authorization-server": {
      issuer: "https://as",
      token_endpoint: "https://as/token",
    },
    "https://as/token": { access_token: `t${asked.length}`, token_type: "bearer", expires_in: 100 },
  }[url]);
  const clock = new FakeClock();
  const own = source({
    ...{ upstream: "u", url: new URL("https://u/mcp"), kept: null, login: null, subject: null },
    ...{
      clock,
      timeoutMs: 1_000,
      count: () => {},
      countRenewal: () => {},
      onFailure: () => {},
    },
    credentials: { ...CREDENTIALS, tokenUrl: null },
    exchange: {
      ...{ caCertificate: undefined, allowsHttp: false },
      send: ({ url: { href } }) => {
        asked.push(href);
        const text = JSON.stringify(documents(href) ?? null);
        return Promise.resolve({ status: 200, contentType: "application/json", text });
      },
    },
  });
  assertEquals(await own.obtain(), null);
  const token = await own.afterRefusal(null, NO_CHALLENGE);
  // Nothing else is wrong with the server: the upstream's refusal stands, and the token stays.
  assertEquals(await own.afterRefusal(token, NO_CHALLENGE), null);
  assertEquals(own.current, token);
  // A flood of refused calls reads the metadata once.
  const reads = () => asked.filter((href) => href.includes("oauth-protected-resource")).length;
  const before = reads();
  for (let n = 0; n < 100; n++) assertEquals(await own.afterRefusal(token, NO_CHALLENGE), null);
  assertEquals(reads(), before);
  await clock.tick(5_000);
  named = "https://other";
  await assertRejects(
    () => own.afterRefusal(token, NO_CHALLENGE),
    SluiceError,
    "names another authorization server",
  );
  // The secret stays where it was.
  assertEquals(asked.filter((href) => !href.startsWith("https://u/") && !href.startsWith("https://as/")), []);
});
