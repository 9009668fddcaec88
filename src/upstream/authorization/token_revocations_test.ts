import { assert, assertEquals } from "@std/assert";
import { FakeClock } from "../../../tests/support/fake_clock.ts";
import { sleep } from "../../base/clock.ts";
import { createSecretBox } from "../../store/secret_box.ts";
import type { EndedToken, EndedTokens } from "../../store/upstream_tokens/ended_tokens.ts";
import type { Log } from "../../telemetry/log.ts";
import type { OAuthCredentials } from "./oauth_credentials.ts";
import { sealToken } from "./sealed_token.ts";
import { TokenRevocations } from "./token_revocations.ts";

const CREDENTIALS = {
  ...{ type: "oauth", grant: "client_credentials", clientId: "c", clientSecret: "s", privateKey: null },
  ...{ clientAuth: null, issuer: null, tokenUrl: null, scopes: [], resource: null },
} as OAuthCredentials;

Deno.test("TokenRevocations: whoever comes while a slow server is asked waits for one round", async () => {
  const clock = new FakeClock();
  const secretBox = await createSecretBox("a secret of the test that is long enough");
  const ended = async (upstream: string, owner: string): Promise<EndedToken> => {
    const server = {
      issuer: "https://as",
      token_endpoint: "https://as",
      revocation_endpoint: "https://as/r",
    };
    const token = {
      ...{ accessToken: `${upstream}-${owner}`, obtainedAt: 0, expiresAt: null, scope: null },
      found: { server, resource: "https://u", scopes: null },
    };
    const sealed = await sealToken(secretBox, token, { gatewayId: upstream, owner, version: "" });
    return {
      ...{ gatewayId: upstream, owner, sealed, upstream, url: "https://u/mcp" },
      ...{ caCertificate: null, authSecret: null, tries: 0 },
    };
  };
  let waiting = await Promise.all(Array.from({ length: 100 }, (_, n) => ended("slow", String(n))));
  const revoked: string[] = [];
  const records = {
    // Whoever has the fewest comes first.
    list: () =>
      Promise.resolve(waiting.toSorted((a, b) => +(a.upstream === "slow") - +(b.upstream === "slow"))),
    drop: (token: EndedToken) => Promise.resolve(void (waiting = waiting.filter((each) => each !== token))),
  };
  const revocations = new TokenRevocations({
    ...{ records: records as unknown as EndedTokens, secretBox, clock, log: {} as Log, count: () => {} },
    credentialsOf: () => Promise.resolve(CREDENTIALS),
    send: async ({ body }) => {
      const token = new URLSearchParams(body).get("token")!;
      if (token.startsWith("slow")) await sleep(clock, 4_000);
      revoked.push(token);
      return { status: 200, contentType: null, text: "" };
    },
  });
  const quick = await ended("quick", "ann");
  const running = revocations.run();
  waiting.push(quick);
  void revocations.run();
  // Opening a token takes real time, and the fake clock none.
  const tick = async () => {
    await new Promise((resolve) => setTimeout(resolve, 1));
    await clock.tick(1_000);
  };
  while (!revoked.includes("quick-ann")) await tick();
  assert(revoked.length <= 4 * 4, `${revoked.length} of the slow server's came first`);
  while (waiting.length > 0) await tick();
  await running;
  assertEquals(revoked.length, 101);
});

Deno.test("TokenRevocations looks again for whoever asks, also in the moment in which it ends", async () => {
  for (let steps = 0; steps < 20; steps++) {
    let lists = 0;
    const records = { list: () => Promise.resolve([]).finally(() => lists++) };
    const revocations = new TokenRevocations({
      ...{ records: records as unknown as EndedTokens, clock: new FakeClock(), log: {} as Log },
      ...{ secretBox: await createSecretBox("a secret of the test that is long enough"), count: () => {} },
      ...{ credentialsOf: () => Promise.resolve(null), send: () => Promise.reject(new Error("unused")) },
    });
    const running = revocations.run();
    for (let n = 0; n < steps; n++) await Promise.resolve();
    const before = lists;
    await Promise.all([running, revocations.run()]);
    assert(lists > before, `after ${steps} steps`);
  }
});
