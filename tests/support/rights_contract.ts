// What the store promises of reading what has changed: no more than a write has changed, and everything where that is not known.
import { assert, assertEquals } from "@std/assert";
import { Catalog } from "../../src/catalog/snapshot/catalog.ts";
import { createNaming } from "../../src/catalog/snapshot/tool_name.ts";
import type { ImportedRows } from "../../src/store/registry/import_rows.ts";
import type { KnownCatalog } from "../../src/store/registry/changes/read_offer.ts";
import type { Registry } from "../../src/store/registry/registry.ts";
import { KEPT_VERSIONS, raiseRegistryVersion } from "../../src/store/sql/catalog_version.ts";
import { sql } from "../../src/store/sql/sql.ts";
import { gatewayRow, serverRow } from "./catalog_rows.ts";
import { newUser, type RegistryTest } from "./people_contract.ts";
import { discovery, newGateway, newServer } from "./registry_rows.ts";
import { importedToken, newToken } from "./token_contract.ts";

export const NOTHING_IMPORTED: ImportedRows = {
  ...{ gateways: [], tools: [], resources: [], prompts: [], servers: [], users: [], teams: [], members: [] },
  ...{ roles: [], assignments: [], tokens: [], revocations: [] },
};

const NAMING = createNaming({ separator: "-", maxLength: 64 });

export function rightsContract(registryTest: RegistryTest): void {
  registryTest(
    "readChanges() reads nothing that is offered after writes of people, tokens, quotas and logins",
    async (registry) => {
      const { apiTokens, revokedTokens, quotas, connections, people: { users, teams, roles } } = registry;
      await registry.gateways.insert(newGateway({ id: "g", name: "g" }));
      const { id: userId } = await users.insert(newUser("ann@x"));
      const bob = await users.insert(newUser("bob@x"));
      await registry.insertImported({ ...NOTHING_IMPORTED, tokens: [importedToken("imported", bob.id)] });
      const team = { name: "Ours", description: null, visibility: "private", maxMembers: null } as const;
      const grant = { userId, roleId: "viewer", scope: "global", scopeId: "", grantedBy: "ann@x" } as const;
      const revocation = { revokedBy: "ann@x", reason: null, expiresAt: null };
      const quota = {
        kind: "user",
        target: "ann@x",
        calls: 5,
        seconds: null,
        bytes: null,
        windowS: 60,
      } as const;
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
        const known = await knownOf(registry);
        await write();
        const { offer, ...rights } = (await registry.readChanges(known))!;
        assertEquals([...offer.gatewayIds, ...offer.serverIds], [], `${write}`);
        const whole = await registry.readCatalog(known.versions);
        assert(whole.versions.catalog > known.versions.catalog);
        const { versions, revokedTokens, quotas, people, tokenChanges } = whole;
        assertEquals(rights, { versions, revokedTokens, quotas, people, tokenChanges });
      }
      assertEquals((await registry.readCatalog()).revokedTokens.toSorted(), ["imported", "login", "used"]);
    },
  );

  registryTest(
    "readChanges() reads upstreams and virtual servers that have changed, and gives nothing where it is not kept what has",
    async (registry, { database }) => {
      const { gateways, tools, servers, people: { users, roles } } = registry;
      const { id: userId } = await users.insert(newUser("ann@x"));
      const { id } = await gateways.insert(newGateway({ name: "one" }));
      const { id: other } = await gateways.insert(newGateway({ name: "other" }));
      await registry.saveDiscovery(other, discovery({ tools: ["b"] }), NAMING);
      const list = (names: readonly string[]) =>
        registry.saveDiscovery(id, discovery({ tools: names, resources: ["r:1"] }), NAMING);
      await list(["a", "kept"]);
      const [toolA] = await tools.list({ gatewayId: id });
      const chooser = await servers.insert(newServer({ name: "chooser", toolIds: [toolA!.id] }));
      const server = await servers.insert(newServer({ name: "s" }));
      /** What is read after a write, besides a write of rights; null: everything. */
      const readAfter = async (write: () => Promise<unknown>) => {
        const known = await knownOf(registry);
        await write();
        await users.update("ann@x", { isActive: true });
        const offer = (await registry.readChanges(known))?.offer;
        return offer === undefined ? null : {
          ...{ gateways: [...offer.gatewayIds], servers: [...offer.serverIds] },
          rows: [offer.rows.gateways.length, offer.rows.tools.length, offer.rows.servers.length],
        };
      };
      const upstream = { gateways: [id], servers: [] };
      assertEquals(await readAfter(() => tools.update(toolA!.id, { enabled: false })), {
        ...upstream,
        rows: [1, 2, 0],
      });
      assertEquals(
        await readAfter(async () =>
          await registry.saveHealth((await gateways.get(id))!, { reachable: false, lastError: "away" })
        ),
        { ...upstream, rows: [1, 2, 0] },
      );
      // A virtual server loses its member, and gets it back.
      const both = { gateways: [id], servers: [chooser.id] };
      assertEquals(await readAfter(() => list(["kept"])), { ...both, rows: [1, 1, 1] });
      assertEquals(await readAfter(() => list(["a", "kept"])), { ...both, rows: [1, 2, 1] });
      // An entry that an operator deletes comes back without its virtual servers.
      const deletedAndListed = async () => {
        await tools.delete(toolA!.id);
        await list(["a", "kept"]);
      };
      assertEquals(await readAfter(deletedAndListed), { ...both, rows: [1, 2, 1] });
      await servers.update(chooser.id, { toolIds: [toolA!.id] });
      // What the upstream keeps for a virtual server goes with it.
      await list(["kept"]);
      assertEquals(await readAfter(() => servers.delete(chooser.id)), { ...both, rows: [1, 1, 0] });
      const ofServer = async () => {
        const scope = { scope: "server", scopeId: server.id } as const;
        await roles.assign({ userId, roleId: "viewer", ...scope, grantedBy: "ann@x", expiresAt: null });
        await servers.delete(server.id);
      };
      assertEquals(await readAfter(ofServer), { gateways: [], servers: [server.id], rows: [0, 0, 0] });
      assertEquals(await readAfter(() => gateways.delete(id)), { ...upstream, rows: [0, 0, 0] });
      assertEquals(await readAfter(() => Promise.resolve()), { gateways: [], servers: [], rows: [0, 0, 0] });

      const importing = {
        ...NOTHING_IMPORTED,
        gateways: [gatewayRow("imported")],
        servers: [serverRow("imported")],
      };
      assertEquals(await readAfter(() => registry.insertImported(importing)), null);
      const asAnOlderGateway = () => database.transaction(async (tx) => void await raiseRegistryVersion(tx));
      assertEquals(await readAfter(asAnOlderGateway), null);
      const tooOften = () =>
        database.run(sql`UPDATE catalog_version SET version = version + ${KEPT_VERSIONS}`);
      assertEquals(await readAfter(async () => await gateways.delete(other) && await tooOften()), null);
      // The database of a backup: nothing is known of what was written since.
      const { versions, offer } = await knownOf(registry);
      const { catalog, people, tokens } = versions;
      for (const later of [{ people: people + 1 }, { tokens: tokens + 1 }, {}]) {
        const known = { offer, versions: { ...versions, catalog: catalog + 1, ...later } };
        assertEquals(await registry.readChanges(known), null);
      }
    },
  );
}

async function knownOf(registry: Registry): Promise<KnownCatalog> {
  const rows = await registry.readCatalog();
  return { versions: rows.versions, offer: new Catalog(rows).known.offer };
}
