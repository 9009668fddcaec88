// What the store promises of OAuth clients, consents and grants, whichever database is under it.
import { assertEquals } from "@std/assert";
import { SOON_MS, stateOfConnection } from "../../src/admin/connections/connection_state.ts";
import { MAX_FORMER_TOKENS, MAX_GRANTS_PER_CONSENT } from "../../src/store/oauth/oauth_grants.ts";
import type { CodeRow, GrantRow } from "../../src/store/oauth/oauth_rows.ts";
import type { Registry } from "../../src/store/registry/registry.ts";
import { newUser, type RegistryTest } from "./people_contract.ts";
import { newGateway } from "./registry_rows.ts";

const DAY_MS = 86_400_000;
const END = { expiresAt: 1, isRenewable: false };
const client = (id: string) => ({
  ...{ id, name: id, uri: null, redirectUris: ["https://app.example/cb"], secretHash: null },
  grantTypes: ["authorization_code"],
});
const ACCESS = {
  ...{
    clientId: "c",
    clientName: "C",
    clientHost: null,
    resource: "https://gw.example/mcp",
    scope: "tools.read",
  },
};

async function consentOf(registry: Registry, email = "ann@x") {
  const user = await registry.people.users.insert(newUser(email));
  return { user, consent: (await registry.oauth.consents.allow({ ...ACCESS, userId: user.id }, 10))! };
}

function grantOf(consentId: string, id: string, given: Partial<GrantRow> = {}): GrantRow {
  return {
    ...{
      id,
      consentId,
      issuer: "https://gw.example",
      scope: "tools.read",
      refreshHash: "r0",
      formerTokens: [],
    },
    ...{ createdAt: 1, expiresAt: Date.now() + DAY_MS },
    ...given,
  };
}

function codeOf(consentId: string, given: Partial<CodeRow> = {}): CodeRow {
  return {
    ...{ codeHash: "h", consentId, issuer: "https://gw.example", redirectUri: "https://app.example/cb" },
    ...{ challenge: "x", scope: "tools.read", state: "new", grantId: "g", expiresAt: Date.now() + DAY_MS },
    ...given,
  };
}

export function oauthContract(registryTest: RegistryTest): void {
  registryTest(
    "exchanged tokens end with the caller's, and a caller keeps a few of them",
    async (registry) => {
      const { gateways, upstreamTokens: tokens } = registry;
      await gateways.insert(newGateway({ id: "g", name: "g" }));
      const key = (caller: string, n: number, at = Date.now() + DAY_MS + n) => ({
        ...{ gatewayId: "g", version: "1", owner: `exchange:${caller}:${n}` },
        ends: { at, caller: `exchange:${caller}` },
      });
      const keep = async (each: ReturnType<typeof key>) => {
        assertEquals((await tokens.claim(each, "me", 1_000)).isHeld, true);
        return await tokens.save(each, "me", "sealed", END);
      };
      const find = async (each: ReturnType<typeof key>) => await registry.connections.find(each);
      await keep(key("other", 0));
      for (let n = 1; n <= 30; n++) await keep(key("ann", n));
      const left = await Promise.all(Array.from({ length: 30 }, (_, i) => find(key("ann", i + 1))));
      assertEquals(left.map((each) => each !== null), Array.from({ length: 30 }, (_, i) => i >= 10));
      const ended = key("ann", 40, Date.now() - 1);
      const shared = { gatewayId: "g", owner: "", version: "1" };
      await tokens.claim(ended, "me", 1_000);
      // A token without an end is exchanged again.
      for (const at of [Date.now() - 1, Date.now() + DAY_MS]) await keep(key("endless", 1, at));
      await tokens.claim(shared, "me", 1_000);
      // The gateway's own token stays when it has expired: it names the server that its client belongs to.
      await tokens.save(shared, "me", "everybody's", { ...END, expiresAt: Date.now() - 1 });
      await tokens.sweep();
      assertEquals(
        await Promise.all(
          [shared, key("other", 0), key("ann", 30), key("endless", 1)].map((each) =>
            registry.connections.find(each)
          ),
        ),
        [
          ...["everybody's", "sealed", "sealed", "sealed"],
        ],
      );
      assertEquals(await tokens.save(ended, "me", "late", END), false);
    },
  );
  registryTest("tokens that have ended wait in turns of their upstreams and owners", async (registry) => {
    const { gateways, connections, endedTokens } = registry;
    const connect = async (gatewayId: string, owners: readonly string[]) => {
      await gateways.insert(newGateway({ id: gatewayId, name: gatewayId }));
      for (const owner of owners) {
        const login = { connectedAt: 1, expiresAt: null, isRenewable: true };
        await connections.connect({ gatewayId, owner, version: "1" }, `${gatewayId} ${owner}`, login);
      }
    };
    const crowd = ["p1", "p2", "p3", "p4", "p5"];
    const all = ["large", "a", "b", "c", "d", "last"];
    await connect("large", crowd);
    for (const id of ["a", "b", "c", "d"]) await connect(id, ["many"]);
    await connect("last", ["few"]);
    for (const id of all) await gateways.delete(id);
    const first = (await endedTokens.list(3)).map(({ sealed }) => sealed);
    assertEquals(first.toSorted(), ["a many", "large p1", "last few"]);
    assertEquals((await endedTokens.list(100)).length, 10);
  });
  registryTest("a claim tells that the one before was never ended", async (registry) => {
    const { gateways, connections, upstreamTokens: tokens } = registry;
    await gateways.insert(newGateway({ id: "g", name: "g" }));
    const key = { gatewayId: "g", owner: "ann", version: "1" };
    await connections.connect(key, "sealed", { connectedAt: 1, expiresAt: null, isRenewable: true });
    const claim = async (holder: string, ttlMs: number) => await tokens.claim(key, holder, ttlMs);
    const held = (isInterrupted: boolean) => ({ isHeld: true, sealed: "sealed", isInterrupted });
    assertEquals(await claim("one", 60_000), held(false));
    assertEquals(await claim("other", 60_000), { ...held(false), isHeld: false });
    await tokens.release(key, "one");
    assertEquals(await claim("one", -1), held(false));
    // The holder is gone.
    assertEquals(await claim("other", -1), held(true));
    // Another token than the one that was being renewed.
    await connections.connect(key, "sealed", { connectedAt: 2, expiresAt: null, isRenewable: true });
    assertEquals(await claim("other", 60_000), held(false));
  });
  registryTest("logins are counted in the states that pages show", async ({ gateways, connections }) => {
    await gateways.insert(newGateway({ id: "g", name: "g" }));
    const now = Date.now();
    for (const expiresAt of [null, now, now + SOON_MS - 1, now + SOON_MS]) {
      for (const isRenewable of [false, true]) {
        for (const wanted of [false, true]) {
          for (const isLost of [false, true]) {
            const owner = JSON.stringify([expiresAt, isRenewable, wanted, isLost]);
            const key = { gatewayId: "g", version: "1", owner };
            await connections.connect(key, owner, { connectedAt: now, expiresAt, isRenewable });
            if (wanted) await connections.wants(key, "more");
            if (isLost) await connections.lost(key, owner, "gone");
          }
        }
      }
    }
    const states = (await connections.listAll()).map((row) => stateOfConnection(row, now));
    const shown = new Map(Map.groupBy(states, String).entries().map(([state, all]) => [state, all.length]));
    assertEquals(shown.size, 5);
    assertEquals(await connections.countByState(now, SOON_MS), shown);
  });
  registryTest(
    "clients that nobody uses make room for new ones, and expire",
    async ({ oauth: { clients } }) => {
      for (const id of ["a", "b", "c"]) assertEquals(await clients.insert(client(id), DAY_MS, 3), true);
      await clients.use("a", DAY_MS);
      assertEquals(await clients.insert(client("d"), DAY_MS, 3), true);
      const left = await Promise.all(["a", "b", "c", "d"].map(async (id) => (await clients.get(id))?.id));
      assertEquals([left[0], left[3], left.filter((id) => id !== undefined).length], ["a", "d", 3]);
      for (const id of ["b", "c", "d"]) await clients.use(id, DAY_MS);
      assertEquals(await clients.insert(client("e"), DAY_MS, 3), false);
      await clients.use("a", -1);
      assertEquals(await clients.get("a"), null);
      await clients.sweep();
      assertEquals(await clients.insert(client("e"), DAY_MS, 3), true);
      assertEquals((await clients.get("e"))!.redirectUris, ["https://app.example/cb"]);
    },
  );

  registryTest(
    "a consent is one for each user, client and resource, and their number is bounded",
    async (registry) => {
      const { consents } = registry.oauth;
      const { user, consent } = await consentOf(registry);
      const ofClient = { userId: user.id, clientId: consent.clientId };
      assertEquals(
        [await consents.hasAny(ofClient), await consents.hasAny({ ...ofClient, clientId: "another" })],
        [true, false],
      );
      const again = await consents.allow(
        { ...ACCESS, userId: user.id, scope: "tools.read tools.execute" },
        1,
      );
      assertEquals([again?.id, again?.scope], [consent.id, "tools.read tools.execute"]);
      const other = { ...ACCESS, userId: user.id, resource: "https://gw.example/sse" };
      assertEquals(await consents.allow(other, 1), null);
      const second = await consents.allow(other, 2);
      await consents.use(consent.id);
      assertEquals(
        (await consents.listOf(user.id)).map(({ id }) => id).sort(),
        [consent.id, second!.id].sort(),
      );
      assertEquals(await consents.revoke(consent.id, "somebody else"), null);
      assertEquals(await consents.revoke(consent.id, user.id), []);
      assertEquals(await consents.find({ ...ACCESS, userId: user.id }), null);
    },
  );

  registryTest(
    "of requests with one code one takes it, and a replay ends what it has made",
    async (registry) => {
      const { grants } = registry.oauth;
      const { user, consent } = await consentOf(registry);
      await grants.insertCode(codeOf(consent.id));
      const { code, holder } = (await grants.code("h"))!;
      assertEquals([code.state, holder.email, holder.isActive], ["new", "ann@x", true]);
      const taken = await Promise.all([1, 2, 3, 4].map(() => grants.takeCode("h")));
      assertEquals(taken.filter((isTaken) => isTaken).length, 1);
      assertEquals(await grants.redeem("h", grantOf(consent.id, "g")), []);
      assertEquals((await grants.grant("g"))?.consent.id, consent.id);
      assertEquals(
        await Promise.all([grants.replayed("h"), grants.replayed("h")]).then((ids) => ids.toSorted()),
        ["g", null],
      );
      assertEquals(await grants.grant("g"), null);

      // A replay that comes between both steps leaves nothing behind.
      await grants.insertCode(codeOf(consent.id, { codeHash: "h2", grantId: "g2" }));
      await grants.takeCode("h2");
      assertEquals(await grants.replayed("h2"), "g2");
      assertEquals(await grants.redeem("h2", grantOf(consent.id, "g2")), null);
      assertEquals(await grants.grant("g2"), null);

      await grants.insertCode(codeOf(consent.id, { codeHash: "old", expiresAt: Date.now() - 1 }));
      assertEquals([await grants.takeCode("old"), await grants.replayed("old")], [false, null]);
      await grants.insertCode(
        codeOf(consent.id, { codeHash: "h3", grantId: "g3", expiresAt: Date.now() - 2 * DAY_MS }),
      );
      await grants.sweep();
      assertEquals([await grants.code("h3"), (await grants.code("old"))?.code.state], [null, "new"]);

      // A consent that ends while a code is redeemed names the grant that may come of it.
      await grants.insertCode(codeOf(consent.id, { codeHash: "h4", grantId: "g4" }));
      await grants.takeCode("h4");
      assertEquals((await registry.oauth.consents.revoke(consent.id, user.id))?.includes("g4"), true);
      assertEquals(await grants.redeem("h4", grantOf(consent.id, "g4")), null);
    },
  );

  registryTest(
    "of requests with one refresh token one rotates it, and the former ones are known",
    async (registry) => {
      const { grants } = registry.oauth;
      const { consent } = await consentOf(registry);
      await grants.insert(grantOf(consent.id, "g"));
      const row = (await grants.grant("g"))!.grant;
      const rotate = (from: GrantRow, refreshHash: string, ttlMs = DAY_MS) => {
        const formerTokens = [{ hash: from.refreshHash, usedAt: 1 }, ...from.formerTokens];
        return grants.rotate(from, { refreshHash, formerTokens, expiresAt: Date.now() + ttlMs });
      };
      const rotated = await Promise.all(["r1", "r2", "r3"].map((hash) => rotate(row, hash)));
      assertEquals(rotated.filter((isDone) => isDone).length, 1);
      for (let i = 10; i < 10 + MAX_FORMER_TOKENS; i++) {
        const { grant } = (await grants.grant("g"))!;
        await rotate(grant, `r${i}`);
      }
      const { grant } = (await grants.grant("g"))!;
      assertEquals([grant.formerTokens.length, grant.formerTokens[0]?.hash], [
        MAX_FORMER_TOKENS,
        `r${8 + MAX_FORMER_TOKENS}`,
      ]);
      await rotate(grant, "r99", -1);
      assertEquals(await grants.grant("g"), null);
    },
  );

  registryTest(
    "a consent has a bounded number of logins, and a user takes consents and logins along",
    async (registry) => {
      const { grants, consents } = registry.oauth;
      const { user, consent } = await consentOf(registry);
      for (let i = 0; i < MAX_GRANTS_PER_CONSENT; i++) {
        assertEquals(await grants.insert(grantOf(consent.id, `g${i}`, { createdAt: i })), []);
      }
      assertEquals(await grants.insert(grantOf(consent.id, "last", { createdAt: 1_000 })), ["g0"]);
      await registry.people.users.delete(user.email);
      assertEquals([await grants.grant("last"), await consents.listOf(user.id)], [null, []]);
    },
  );

  registryTest("the login of a terminal is decided once, and redeemed once", async (registry) => {
    const { devices, grants } = registry.oauth;
    const { consent } = await consentOf(registry);
    const row = (deviceHash: string, userCode: string, expiresAt = Date.now() + DAY_MS) => ({
      ...{ deviceHash, userCode, clientId: "c", issuer: "https://gw.example", resource: ACCESS.resource },
      ...{
        scope: "tools.read",
        state: "pending",
        consentId: null,
        allowedAt: null,
        polledAt: 0,
        expiresAt,
      } as const,
    });
    assertEquals([await devices.insert(row("d", "BCDF"), 1), await devices.insert(row("e", "GHJK"), 1)], [
      true,
      false,
    ]);
    await devices.polled("d", 17);
    assertEquals([(await devices.pending("BCDF"))?.polledAt, await devices.pending("GHJK")], [17, null]);
    const allowed = { consentId: consent.id, scope: "tools.read", at: 23 };
    assertEquals(await devices.redeem("d", grantOf(consent.id, "early")), null);
    const decided = await Promise.all([devices.decide("BCDF", allowed), devices.decide("BCDF", null)]);
    assertEquals(decided.filter((isDone) => isDone).length, 1);
    await devices.insert(row("f", "LMNP"), 10);
    await devices.decide("LMNP", allowed);
    assertEquals([await devices.pending("LMNP"), (await devices.find("f"))?.allowedAt], [null, 23]);
    const redeemed = await Promise.all(
      ["g1", "g2"].map((id) => devices.redeem("f", grantOf(consent.id, id))),
    );
    assertEquals(redeemed.filter((ended) => ended !== null).length, 1);
    assertEquals(
      (await Promise.all(["g1", "g2"].map((id) => grants.grant(id)))).filter((each) => each !== null).length,
      1,
    );
    await devices.insert(row("old", "QRST", Date.now() - 1), 10);
    assertEquals([await devices.pending("QRST"), await devices.decide("QRST", allowed)], [null, false]);
    await devices.sweep();
    assertEquals([await devices.find("old"), (await devices.find("f"))?.state], [null, "redeemed"]);
  });
}
