// What the store promises of reading rights alone: it is enough after a write of people, tokens, quotas or logins, and refused after
// any other.
import { assert, assertEquals } from "@std/assert";
import { createNaming } from "../../src/catalog/snapshot/tool_name.ts";
import type { ImportedRows } from "../../src/store/registry/import_rows.ts";
import type { RightsRows } from "../../src/store/registry/rows.ts";
import type { KnownVersions } from "../../src/store/sql/catalog_version.ts";
import { gatewayRow, serverRow } from "./catalog_rows.ts";
import { newUser, type RegistryTest } from "./people_contract.ts";
import { discovery, newGateway, newServer } from "./registry_rows.ts";
import { importedToken, newToken } from "./token_contract.ts";

const NOTHING: ImportedRows = {
  ...{ gateways: [], tools: [], resources: [], prompts: [], servers: [], users: [], teams: [], members: [] },
  ...{ roles: [], assignments: [], tokens: [], revocations: [] },
};

const NAMING = createNaming({ separator: "-", maxLength: 64 });

export function rightsContract(registryTest: RegistryTest): void {
  registryTest(
    "readRights() reads what writes of people, tokens, quotas and logins change, as readCatalog() does",
    async (registry) => {
      const { apiTokens, revokedTokens, quotas, connections, people: { users, teams, roles } } = registry;
      await registry.gateways.insert(newGateway({ id: "g", name: "g" }));
      const { id: userId } = await users.insert(newUser("ann@x"));
      const bob = await users.insert(newUser("bob@x"));
      await registry.insertImported({ ...NOTHING, tokens: [importedToken("imported", bob.id)] });
      const team = { name: "Ours", description: null, visibility: "private", maxMembers: null } as const;
      const grant = { userId, roleId: "viewer", scope: "global", scopeId: "", grantedBy: "ann@x" } as const;
      const revocation = { revokedBy: "ann@x", reason: null, expiresAt: null };
      const quota = { kind: "user", target: "ann@x", calls: 5, seconds: null, bytes: null, windowS: 60 } as const;
      const login = { gatewayId: "g", owner: "ann@x", version: "1" };
      let teamId = "";
      let quotaId = "";
      const writes: readonly (() => Promise<unknown>)[] = [
        () => users.update("ann@x", { isAdmin: true }),
        async () =>
          teamId = (await teams.insert({ ...team, createdBy: "ann@x" }, { id: userId, maxTeams: 2 })).id,
        () => roles.assign({ ...grant, expiresAt: null }),
        () => apiTokens.insert(newToken("a", userId, { teamId }), 9),
        () => teams.delete(teamId),
        () => revokedTokens.revoke({ jti: "login", ...revocation }),
        () => revokedTokens.revokeFirst({ jti: "used", ...revocation }),
        async () => quotaId = (await quotas.insert({ ...quota, createdBy: "root@x" })).id,
        () => quotas.update(quotaId, { calls: 6 }),
        () => quotas.delete(quotaId),
        () => connections.connect(login, "sealed", { connectedAt: 1, expiresAt: null, isRenewable: true }),
        () => connections.disconnect("g", "ann@x"),
        // Its imported token is revoked with the user.
        () => users.delete("bob@x"),
      ];
      for (const write of writes) {
        const known = versionsOf(await registry.readCatalog());
        await write();
        const rights = await registry.readRights(known);
        assert(rights !== null, `${write}`);
        const whole = await registry.readCatalog(known);
        assert(whole.version > known.catalog);
        const { version, revokedTokens, quotas, people, tokenChanges } = whole;
        assertEquals(rights, { version, revokedTokens, quotas, people, tokenChanges });
      }
      assertEquals((await registry.readCatalog()).revokedTokens.toSorted(), ["imported", "login", "used"]);
    },
  );

  registryTest(
    "readRights() gives nothing when anything else has changed, or may have",
    async (registry) => {
      const { gateways, tools, servers, people: { users, roles } } = registry;
      const { id: userId } = await users.insert(newUser("ann@x"));
      const { id } = await gateways.insert(newGateway({ name: "one" }));
      const server = await servers.insert(newServer({ name: "s" }));
      const writes: readonly (() => Promise<unknown>)[] = [
        () => registry.saveDiscovery(id, discovery({ tools: ["a"], resources: ["r:1"] }), NAMING),
        async () => await tools.update((await tools.list())[0]!.id, { enabled: false }),
        async () =>
          await registry.saveHealth((await gateways.get(id))!, { reachable: false, lastError: "away" }),
        async () => {
          const scope = { scope: "server", scopeId: server.id } as const;
          await roles.assign({ userId, roleId: "viewer", ...scope, grantedBy: "ann@x", expiresAt: null });
          await servers.delete(server.id);
        },
        () => registry.insertImported({ ...NOTHING, servers: [serverRow("imported")] }),
        () => registry.insertImported({ ...NOTHING, gateways: [gatewayRow("imported")] }),
        () => gateways.delete(id),
      ];
      for (const write of writes) {
        const known = versionsOf(await registry.readCatalog());
        await write();
        await users.update("ann@x", { isActive: true });
        assertEquals(await registry.readRights(known), null, `${write}`);
      }
      // The database of a backup: nothing is known of what was written since.
      const { catalog, people, tokens } = versionsOf(await registry.readCatalog());
      assertEquals(await registry.readRights({ catalog: catalog + 1, people: people + 1, tokens }), null);
      assertEquals(await registry.readRights({ catalog: catalog + 1, people, tokens: tokens + 1 }), null);
    },
  );
}

function versionsOf({ version, people, tokenChanges }: RightsRows): KnownVersions {
  return { catalog: version, people: people!.version, tokens: tokenChanges.version };
}
