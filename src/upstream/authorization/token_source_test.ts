import { assertEquals, assertRejects } from "@std/assert";
import { type ErrorCode, SluiceError } from "../../base/errors.ts";
import { createSecretBox } from "../../store/secret_box.ts";
import type { UpstreamTokens } from "../../store/upstream_tokens/upstream_tokens.ts";
import { FakeClock } from "../../../tests/support/fake_clock.ts";
import { readChallenge, unionOfScopes } from "./bearer_challenge.ts";
import type { OAuthCredentials } from "./oauth_credentials.ts";
import { type KeptTokens, TokenSource } from "./token_source.ts";

const CREDENTIALS: OAuthCredentials = {
  ...{ type: "oauth", grant: "client_credentials", clientId: "c", clientSecret: "s", privateKey: null },
  ...{ clientAuth: null, issuer: null, tokenUrl: "https://as/token", scopes: [], resource: null },
};
const KEY = { gatewayId: "g", owner: "", version: "1" };
const NO_CHALLENGE = readChallenge(null);

/** One row, as the database has it. */
function records(): Pick<UpstreamTokens, "claim" | "save" | "release"> & { sealed: string | null } {
  let claimedBy: string | null = null;
  return {
    sealed: null,
    claim(_key, holder) {
      const isHeld = claimedBy === null;
      if (isHeld) claimedBy = holder;
      return Promise.resolve({ isHeld, sealed: this.sealed });
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
    new TokenSource({
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
  while (one.current?.accessToken === "t1") await new Promise((resolve) => setTimeout(resolve, 1));
  assertEquals(other.current?.accessToken, "t1");
  while (other.current?.accessToken === "t1") await new Promise((resolve) => setTimeout(resolve, 1));
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
  const source = new TokenSource({
    ...{ upstream: "u", url: new URL("https://u/mcp"), kept: null, login: null, subject: null },
    ...{ clock: new FakeClock(), timeoutMs: 1_000, count: () => {}, onFailure: () => {} },
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
  assertEquals(await source.obtain(), null);
  const token = await source.afterRefusal(null, NO_CHALLENGE);
  // Nothing else is wrong with the server: the upstream's refusal stands, and the token stays.
  assertEquals(await source.afterRefusal(token, NO_CHALLENGE), null);
  assertEquals(source.current, token);
  named = "https://other";
  await assertRejects(
    () => source.afterRefusal(token, NO_CHALLENGE),
    SluiceError,
    "names another authorization server",
  );
  // The secret stays where it was.
  assertEquals(asked.filter((href) => !href.startsWith("https://u/") && !href.startsWith("https://as/")), []);
});
