import { assert, assertEquals } from "@std/assert";
import { newUser } from "../../../tests/support/people_contract.ts";
import type { Clock } from "../../base/clock.ts";
import { createRegistry } from "../../store/registry/registry.ts";
import { migrate } from "../../store/sql/migrate.ts";
import { openSqlite } from "../../store/sqlite/sqlite.ts";
import { keysOfSecret } from "../keys/own_keys.ts";
import { digest } from "../logins/logins.ts";
import { AccessTokens } from "./access_tokens.ts";
import { CODE_GRANT, DEVICE_GRANT, REFRESH_GRANT } from "./clients/client.ts";
import { Clients } from "./clients/known_clients.ts";
import { Tokens } from "./tokens.ts";

const ISSUER = "https://gw.example";
const VERIFIER = "v".repeat(43);
const CHALLENGE = "7w_YNF9DSfIdPf_pRjSq646_kPr-2-o9NAl16JGghdM";

/** The token endpoint on a database, with a code for each login, at a time that the test moves. */
async function withTokens(
  run: (given: {
    readonly ask: (
      form: Record<string, string>,
    ) => Promise<{ status: number; body: Record<string, unknown> }>;
    readonly logIn: (sendsRedirectUri?: boolean) => Promise<{ refresh: string; grantId: string }>;
    readonly wait: (ms: number) => void;
    /** A terminal that its person has allowed now. @returns its device code */
    readonly allowDevice: () => Promise<string>;
    /** The user changes the password now. */
    readonly changePassword: () => Promise<unknown>;
    readonly revoked: string[];
    readonly outcomes: string[];
    readonly reused: string[];
  }) => Promise<void>,
): Promise<void> {
  const folder = await Deno.makeTempDir();
  const database = await openSqlite(`${folder}/test.db`, { busyTimeoutMs: 1_000 });
  try {
    await migrate(database);
    const { oauth: store, people } = createRegistry(database);
    let offset = 0;
    const clock = { now: () => Date.now() + offset } as Clock;
    const user = await people.users.insert(newUser("ann@x"));
    const redirectUris = ["https://app.example/cb"];
    const client = { id: "c", name: "C", uri: null, redirectUris, secretHash: null };
    await store.clients.insert(
      { ...client, grantTypes: [CODE_GRANT, REFRESH_GRANT, DEVICE_GRANT] },
      86_400_000,
      10,
    );
    const consent = (await store.consents.allow({
      ...{
        userId: user.id,
        clientId: "c",
        clientName: "C",
        clientHost: null,
        scope: "tools.read tools.execute",
      },
      resource: `${ISSUER}/mcp`,
    }, 10))!;
    const [revoked, outcomes, reused]: string[][] = [[], [], []];
    const tokens = new Tokens({
      ...{ store, clock, refreshTtlMs: 60_000, clientTtlMs: 86_400_000 },
      clients: new Clients({ registered: store.clients, documents: null }),
      accessTokens: new AccessTokens({ keys: keysOfSecret("HS256", "s".repeat(40)), clock, ttlMs: 30_000 }),
      revoke: (ids) => Promise.resolve(void revoked!.push(...ids)),
      count: (grant, outcome) => outcomes!.push(`${grant} ${outcome}`),
      onReuse: (what) => reused!.push(what),
    });
    const ask = async (form: Record<string, string>) => {
      const all = new URLSearchParams({ client_id: "c", ...form });
      const { status, body } = await tokens.answer({ headers: new Headers(), form: all });
      return { status, body };
    };
    let logins = 0;
    const logIn = async (sendsRedirectUri = true) => {
      const code = `code ${++logins}`.replace(" ", "-");
      const grantId = `grant${logins}`;
      await store.grants.insertCode({
        ...{ codeHash: digest(code), consentId: consent.id, issuer: ISSUER, redirectUri: redirectUris[0]! },
        ...{
          challenge: CHALLENGE,
          scope: consent.scope,
          state: "new",
          grantId,
          expiresAt: clock.now() + 60_000,
        },
      });
      const { status, body } = await ask({
        ...{ grant_type: CODE_GRANT, code, code_verifier: VERIFIER },
        ...(sendsRedirectUri ? { redirect_uri: redirectUris[0]! } : {}),
      });
      assertEquals([status, body.token_type], [200, "Bearer"], JSON.stringify(body));
      // Whole seconds, of a lifetime that has begun.
      assert([29, 30].includes(Number(body.expires_in)), `${body.expires_in}`);
      return { refresh: String(body.refresh_token), grantId };
    };
    await run({
      ...{ ask, logIn, revoked: revoked!, outcomes: outcomes!, reused: reused! },
      wait: (ms) => void (offset += ms),
      allowDevice: async () => {
        const [deviceCode, userCode] = [`device-${++logins}`, `CODE${logins}`];
        await store.devices.insert({
          ...{ deviceHash: digest(deviceCode), userCode, clientId: "c", issuer: ISSUER, scope: "tools.read" },
          ...{ resource: consent.resource, state: "pending", consentId: null, allowedAt: null, polledAt: 0 },
          expiresAt: clock.now() + 600_000,
        }, 10);
        const allowed = { consentId: consent.id, scope: "tools.read", at: clock.now() };
        assert(await store.devices.decide(userCode, allowed));
        return deviceCode;
      },
      changePassword: () => people.users.update("ann@x", { tokensValidFrom: clock.now() }),
    });
  } finally {
    await database.close();
    await Deno.remove(folder, { recursive: true });
  }
}

const refreshing = (refresh_token: string, more: Record<string, string> = {}) => ({
  ...{ grant_type: REFRESH_GRANT, refresh_token },
  ...more,
});

Deno.test("a refresh token that comes again after the grace ends its login, and its successor with it", async () => {
  await withTokens(async ({ ask, logIn, wait, revoked, outcomes, reused }) => {
    const other = await logIn();
    const { refresh, grantId } = await logIn();
    const second = await ask(refreshing(refresh));
    assertEquals(second.status, 200);
    // The answer may have been lost.
    const third = await ask(refreshing(refresh));
    assertEquals([third.status, revoked], [200, []]);
    wait(11_000);
    assertEquals((await ask(refreshing(refresh))).body.error, "invalid_grant");
    assertEquals([revoked, reused, outcomes.at(-1)], [[grantId], ["refresh token"], "refresh_token reused"]);
    assertEquals((await ask(refreshing(String(third.body.refresh_token)))).body.error, "invalid_grant");
    assertEquals((await ask(refreshing(other.refresh))).status, 200);
  });
});

Deno.test("programs that share a login and refresh at once go on with any of the answers, and a thief with another is noticed", async () => {
  await withTokens(async ({ ask, logIn, wait, revoked }) => {
    const shared = (await logIn()).refresh;
    const answers = await Promise.all([1, 2, 3].map(() => ask(refreshing(shared))));
    assertEquals(answers.map(({ status }) => status), [200, 200, 200]);
    const [first, ...others] = answers.map(({ body }) => String(body.refresh_token));
    wait(20_000);
    const kept = await ask(refreshing(first!));
    assertEquals([kept.status, revoked], [200, []]);
    // The programs that have kept another answer refresh at the same time again.
    const again = await ask(refreshing(others[0]!));
    assertEquals([again.status, revoked], [200, []]);
    wait(11_000);
    assertEquals((await ask(refreshing(others[1]!))).body.error, "invalid_grant");
    assertEquals(revoked.length, 1);
    assertEquals((await ask(refreshing(String(kept.body.refresh_token)))).body.error, "invalid_grant");
  });
});

Deno.test("clients of OAuth 2.1 send no redirect URI with the code, and a refresh may name offline_access", async () => {
  await withTokens(async ({ ask, logIn }) => {
    const { refresh } = await logIn(false);
    const both = await ask(refreshing(refresh, { scope: "tools.read offline_access" }));
    assertEquals([both.status, both.body.scope], [200, "tools.read"]);
    const alone = await ask(refreshing(String(both.body.refresh_token), { scope: "offline_access" }));
    assertEquals([alone.status, alone.body.scope], [200, "tools.read tools.execute"]);
  });
});

Deno.test("a guess by the id of a login ends nothing, and an unused login expires", async () => {
  await withTokens(async ({ ask, logIn, wait, revoked }) => {
    const { refresh, grantId } = await logIn();
    for (const guess of [`${grantId}.x`, grantId, `${grantId}.`, ".", "x", refresh.split(".")[1]!]) {
      assertEquals((await ask(refreshing(guess))).body.error, "invalid_grant", guess);
    }
    const narrowed = await ask(refreshing(refresh, { scope: "tools.read", resource: `${ISSUER}/mcp` }));
    assertEquals([narrowed.status, narrowed.body.scope, revoked], [200, "tools.read", []]);
    // A narrower access token narrows no later one.
    const next = String(narrowed.body.refresh_token);
    assertEquals((await ask(refreshing(next, { scope: "admin.export" }))).body.error, "invalid_scope");
    const whole = await ask(refreshing(next));
    assertEquals([whole.status, whole.body.scope], [200, "tools.read tools.execute"]);
    wait(61_000);
    assertEquals((await ask(refreshing(String(whole.body.refresh_token)))).body.error, "invalid_grant");
  });
});

Deno.test("a terminal that was allowed before a change of the password gets no tokens after it", async () => {
  await withTokens(async ({ ask, wait, allowDevice, changePassword }) => {
    const redeem = async (device_code: string) => (await ask({ grant_type: DEVICE_GRANT, device_code })).body;
    const before = await allowDevice();
    wait(2_000);
    await changePassword();
    assertEquals((await redeem(before)).error, "invalid_grant");
    assertEquals((await redeem(await allowDevice())).token_type, "Bearer");
  });
});

Deno.test("faults have the codes of RFC 6749", async () => {
  await withTokens(async ({ ask, outcomes }) => {
    const code = async (form: Record<string, string>) => (await ask(form)).body.error;
    assertEquals(await code({}), "invalid_request");
    assertEquals(
      await code({ grant_type: "password", username: "a", password: "b" }),
      "unsupported_grant_type",
    );
    assertEquals(await code({ grant_type: "implicit" }), "unsupported_grant_type");
    assertEquals(await code({ grant_type: REFRESH_GRANT }), "invalid_request");
    assertEquals(
      await code({ grant_type: REFRESH_GRANT, refresh_token: "x", client_id: "nobody" }),
      "invalid_client",
    );
    assertEquals(
      await code({ grant_type: REFRESH_GRANT, refresh_token: "x", client_secret: "s" }),
      "invalid_client",
    );
    assertEquals(new Set(outcomes), new Set(["other refused", "refresh_token refused"]));
  });
});
