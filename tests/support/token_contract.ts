// What the store promises of API tokens, whichever database is under it.
import { assertEquals, assertRejects } from "@std/assert";
import { SluiceError } from "../../src/base/errors.ts";
import type { ImportedToken, NewApiToken } from "../../src/store/tokens/api_tokens.ts";
import type { TokenUse } from "../../src/store/tokens/token_uses.ts";
import { newUser, type RegistryTest } from "./people_contract.ts";
import { catalogNumber } from "./registry_rows.ts";

const DAY_MS = 86_400_000;

export function newToken(id: string, userId: string, given: Partial<NewApiToken> = {}): NewApiToken {
  return {
    id,
    userId,
    teamId: null,
    name: id,
    description: null,
    tokenHash: "0".repeat(64),
    serverId: null,
    permissions: [],
    ipRestrictions: [],
    timeRestrictions: {},
    usageLimits: {},
    tags: [],
    isActive: true,
    expiresAt: null,
    ...given,
  };
}

export function importedToken(
  id: string,
  userId: string,
  given: Partial<ImportedToken> = {},
): ImportedToken {
  return {
    ...{ ...newToken(id, userId), createdAt: "2026-01-01T00:00:00.000Z", lastUsed: null },
    ...{ revokedAt: null, revokedBy: null, revocationReason: null },
    ...given,
  };
}

function use(tokenId: string, given: Partial<TokenUse> = {}): TokenUse {
  const endpoints = [{ endpoint: "mcp", requests: 1, refused: 0, failed: 0, ms: 1.4 }];
  const limits = { perHour: null, perDay: null, inAll: null };
  return { tokenId, lastUsed: 1, allowed: 1, asked: 0, limits, endpoints, addresses: [], ...given };
}

async function refused(act: () => Promise<unknown>, code: string, text = ""): Promise<void> {
  assertEquals((await assertRejects(act, SluiceError, text)).code, code);
}

export function tokenContract(registryTest: RegistryTest): void {
  registryTest(
    "API tokens have a name of their own while they are valid, and a reader learns what has changed since",
    async (registry) => {
      const { apiTokens, people: { users } } = registry;
      const ann = await users.insert(newUser("ann@x"));
      const before = await catalogNumber(registry);
      const limits = { usageLimits: { requests_per_hour: 5 }, tags: ["a"], permissions: ["tools.read"] };
      await apiTokens.insert(newToken("a", ann.id, limits), 2);
      const { readAt, token } = await apiTokens.read("a");
      const version = readAt.tokens;
      assertEquals([token?.email, token?.usageLimits, token?.permissions, token?.change], [
        ...["ann@x", { requests_per_hour: 5 }, ["tools.read"], version],
      ]);
      assertEquals(await apiTokens.read("b"), { readAt, token: null });
      assertEquals(readAt.catalog, before + 1);
      await refused(() => apiTokens.insert(newToken("b", ann.id, { name: "a" }), 9), "CONFLICT", 'named "a"');
      await apiTokens.insert(newToken("b", ann.id, { name: "a", teamId: "t" }), 2);
      await refused(() => apiTokens.insert(newToken("c", ann.id), 2), "CONFLICT", "2 API tokens");
      assertEquals(await apiTokens.changes(version), [{ id: "b", change: version + 1 }]);
      const { versions: known, tokenChanges: none } = await registry.readCatalog();
      assertEquals([known.tokens, none], [version + 1, []]);
      await apiTokens.update("a", { isActive: false, description: "d" });
      assertEquals(await apiTokens.revoke({ id: "a", revokedBy: "ann@x", reason: "lost" }), true);
      assertEquals(await apiTokens.revoke({ id: "a", revokedBy: "bob@x", reason: "again" }), true);
      assertEquals(await apiTokens.revoke({ id: "unknown", revokedBy: null, reason: null }), false);
      const { tokenChanges } = await registry.readCatalog(known);
      assertEquals(tokenChanges, [{ id: "a", change: version + 3 }]);
      const revoked = (await apiTokens.get("a"))!;
      assertEquals([revoked.revokedBy, revoked.revocationReason, revoked.isActive], ["ann@x", "lost", false]);
      await refused(() => apiTokens.update("a", { isActive: true }), "NOT_FOUND");
      await apiTokens.insert(newToken("c", ann.id, { name: "a" }), 2);
      await users.delete("ann@x");
      assertEquals([await apiTokens.get("b"), await apiTokens.get("c")], [null, null]);
    },
  );

  registryTest(
    "API tokens are listed with filters, and make room when they are over",
    async (registry) => {
      const { apiTokens, people: { users } } = registry;
      const [ann, bob] = [await users.insert(newUser("ann@x")), await users.insert(newUser("bob@x"))];
      await apiTokens.insert(newToken("a", ann.id), 9);
      await apiTokens.insert(newToken("b", ann.id, { expiresAt: 1 }), 9);
      await apiTokens.insert(newToken("c", bob.id, { teamId: "t" }), 9);
      await apiTokens.insert(newToken("d", bob.id, { isActive: false }), 9);
      const list = async (filter: Parameters<typeof apiTokens.list>[0]) => {
        const { tokens, total } = await apiTokens.list(filter, { limit: 10, offset: 0 });
        return [tokens.map(({ id }) => id).toSorted().join(""), total];
      };
      assertEquals(await list({ includeInactive: true }), ["abcd", 4]);
      assertEquals(await list({ includeInactive: false }), ["ac", 2]);
      assertEquals(await list({ userId: ann.id, teamIds: ["t", "u"], includeInactive: true }), ["abc", 3]);
      assertEquals(await list({ userId: bob.id, teamIds: [], includeInactive: true }), ["cd", 2]);
      const cat = await users.insert(newUser("cat@x"));
      await apiTokens.insert(newToken("f", cat.id, { expiresAt: 4e12 }), 9);
      await apiTokens.insert(newToken("g", cat.id, { expiresAt: 1, isActive: false }), 9);
      await apiTokens.insert(newToken("h", cat.id, { expiresAt: 1 }), 9);
      await apiTokens.insert(newToken("i", cat.id), 9);
      for (const id of ["g", "h", "i"]) await apiTokens.revoke({ id, revokedBy: null, reason: null });
      assertEquals(await list({ includeInactive: false }), ["acf", 3]);
      await users.delete("cat@x");
      for (let i = 0; i < 4; i++) {
        await apiTokens.insert(newToken(`old${i}`, ann.id, { expiresAt: 1 }), 2);
      }
      await apiTokens.insert(newToken("e", ann.id), 2);
      assertEquals((await list({ userId: ann.id, includeInactive: true }))[1], 4);
      assertEquals(await apiTokens.sweep(), 2);
      assertEquals(await list({ userId: ann.id, includeInactive: true }), ["ae", 2]);
      assertEquals(await apiTokens.get("missing"), null);
    },
  );

  registryTest(
    "an imported API token stays refused without its record: a sweep keeps it until it expires, and its owner's end revokes it",
    async (registry) => {
      const { apiTokens, revokedTokens, people: { users } } = registry;
      const [ann, bob] = [await users.insert(newUser("ann@x")), await users.insert(newUser("bob@x"))];
      const known = await apiTokens.read("a");
      const tokens = [
        importedToken("a", ann.id, { lastUsed: 7, isActive: false }),
        importedToken("b", bob.id, { revokedAt: 1 }),
        importedToken("c", bob.id, { revokedAt: 1, expiresAt: 2 }),
        importedToken("d", bob.id, { name: "b", expiresAt: 4e12 }),
      ];
      await registry.insertImported({
        ...{ gateways: [], tools: [], resources: [], prompts: [], servers: [], users: [], teams: [] },
        ...{ members: [], roles: [], assignments: [], revocations: [], tokens },
      });
      const changed = await apiTokens.changes(known.readAt.tokens);
      assertEquals(changed.map(({ id }) => id), ["a", "b", "c", "d"]);
      const a = await apiTokens.get("a");
      assertEquals([a?.lastUsed, a?.isActive, a?.isImported], [7, false, true]);
      assertEquals(await apiTokens.sweep(), 1); // That which has expired.
      // Tokens that are refused for good make no room for new ones.
      await apiTokens.insert(newToken("e", bob.id), 2);
      assertEquals((await apiTokens.all()).map(({ id }) => id).sort(), ["a", "b", "d", "e"]);
      await users.delete("bob@x");
      assertEquals((await apiTokens.all()).map(({ id }) => id), ["a"]);
      assertEquals((await revokedTokens.ids()).sort(), ["b", "d"]);
      const expiry = (await revokedTokens.list()).find(({ jti }) => jti === "d")?.expiresAt;
      assertEquals(expiry, 4e12);
    },
  );

  registryTest(
    "the use of API tokens adds up by hour, day, endpoint and address",
    async ({ tokenUses, apiTokens, people: { users } }) => {
      const ann = await users.insert(newUser("ann@x"));
      await apiTokens.insert(newToken("a", ann.id), 9);
      const day = 20_000;
      const at = day * DAY_MS + 5_000;
      await tokenUses.add([use("a", { lastUsed: at, allowed: 5, addresses: ["10.0.0.1"] }), use("b")], at);
      const again = use("a", { lastUsed: at - 1, allowed: 0, addresses: ["10.0.0.2"] });
      const { counts } = (await tokenUses.add([again], at + 1)).get("a")!;
      assertEquals(counts, { hour: day * 24, inHour: 5, day, inDay: 5, inAll: 5 });
      const later = await tokenUses.add([use("a", { lastUsed: at })], at + 3_600_000);
      assertEquals(later.get("a")?.counts, { hour: day * 24 + 1, inHour: 1, day, inDay: 6, inAll: 6 });
      // A clock that is behind adds to the hour that others have begun.
      const behind = await tokenUses.add([use("a", { lastUsed: at })], at);
      assertEquals(behind.get("a")?.counts, { hour: day * 24 + 1, inHour: 2, day, inDay: 7, inAll: 7 });
      assertEquals((await apiTokens.get("a"))?.lastUsed, at);
      assertEquals(await tokenUses.days("a", day), [
        { day, endpoint: "mcp", requests: 4, refused: 0, failed: 0, ms: 4 },
      ]);
      assertEquals(await tokenUses.days("a", day + 1), []);
      for (let i = 0; i < 15; i++) {
        await tokenUses.add([use("a", { addresses: [`192.0.2.${i}`] })], at + 10_000 + i);
      }
      const addresses = await tokenUses.addresses("a");
      assertEquals([addresses.length, addresses[0].address, addresses.at(-1)!.address], [
        ...[10, "192.0.2.14", "192.0.2.5"],
      ]);
      const many = Array.from({ length: 250 }, (_, i) => use(`t${i}`, { addresses: ["10.0.0.1"] }));
      assertEquals((await tokenUses.add(many, at)).size, 250);
      await tokenUses.sweep(at);
      assertEquals([(await tokenUses.addresses("t7")).length, (await tokenUses.days("a", 0)).length], [0, 1]);
      await tokenUses.sweep(at + 100 * DAY_MS);
      assertEquals(await tokenUses.days("a", 0), []);
    },
  );

  registryTest(
    "what is left of a limit of requests is granted once, however many workers ask at a time",
    async ({ tokenUses }) => {
      const at = 20_000 * DAY_MS;
      const limits = { perHour: 10, perDay: null, inAll: 25 };
      const ask = (asked: number, now = at) =>
        tokenUses.add([use("a", { allowed: 0, asked, limits }), use("b", { allowed: 0 })], now);
      const granted = async (asks: Promise<Awaited<ReturnType<typeof ask>>>[]) =>
        (await Promise.all(asks)).reduce((sum, answers) => sum + answers.get("a")!.granted, 0);
      assertEquals(await granted(Array.from({ length: 8 }, () => ask(2))), 10);
      assertEquals(await granted([ask(5)]), 0);
      assertEquals(await granted([ask(9, at + 3_600_000), ask(9, at + 3_600_000)]), 10);
      const last = (await ask(9, at + 2 * 3_600_000)).get("a")!;
      assertEquals([last.granted, last.counts.inAll], [5, 25]);
      // Far from a limit a worker gets some ahead, which no other gets until they are given back.
      const wide = { perHour: null, perDay: 101, inAll: null };
      const askWide = async (given: Partial<TokenUse>) =>
        (await tokenUses.add([use("c", { limits: wide, ...given })], at)).get("c")!;
      const first = await askWide({ allowed: 0, asked: 1 });
      assertEquals([first.granted, first.ahead, first.counts.inDay], [1, 5, 6]);
      const second = await askWide({ allowed: 0, asked: 100 });
      assertEquals([second.granted, second.ahead, second.counts.inDay], [95, 0, 101]);
      const back = await askWide({ allowed: -5 });
      assertEquals([back.granted, back.ahead, back.counts.inDay], [0, 0, 96]);
    },
  );
}
