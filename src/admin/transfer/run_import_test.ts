import { assertEquals } from "@std/assert";
import { withAdminApi } from "../../../tests/support/admin_api.ts";
import { newServer } from "../../../tests/support/registry_rows.ts";
import { NO_TEAM } from "../../store/tokens/token_rows.ts";
import { createSecretBox } from "../../store/secret_box.ts";
import type { Bundle, Item } from "./bundle.ts";
import { NO_PEOPLE } from "./bundle.ts";
import { runImport } from "./run_import.ts";
import { serverItem } from "./server_items.ts";

const AT = "2026-01-01T00:00:00.000Z";
const SOURCE_ID = "a".repeat(32);
const NO_MEMBERS = { toolIds: [], resourceIds: [], promptIds: [], gatewayIds: [] };

const item = <Row>(row: Row, label: string): Item<Row> => ({ row, label, notes: [] });

/** A user with a token and a role for one virtual server. */
const BUNDLE: Bundle = {
  ...NO_PEOPLE,
  ...{ gateways: [], tools: [], resources: [], prompts: [], leftOut: [] },
  servers: [serverItem({ id: SOURCE_ID, name: "Desk", description: "moved" }, NO_MEMBERS, AT)],
  users: [item({
    ...{ id: "b".repeat(32), email: "ann@example.com", fullName: null, passwordHash: null, isAdmin: false },
    ...{ isActive: true, passwordChangeRequired: false, failedAttempts: 0, lockedUntil: null },
    ...{ tokensValidFrom: null, lastLogin: null, createdAt: AT, updatedAt: AT },
  }, "ann")],
  assignments: [item({
    ...{ id: "c".repeat(32), userId: "b".repeat(32), roleId: "developer", scope: "server" as const },
    ...{ scopeId: SOURCE_ID, expiresAt: null, grantedBy: "root@example.com", grantedAt: AT, source: null },
  }, "developer of Desk")],
  tokens: [item({
    ...{ id: "token-1", userId: "b".repeat(32), teamId: NO_TEAM, name: "desk", description: null },
    ...{ tokenHash: "d".repeat(64), serverId: SOURCE_ID, permissions: [], ipRestrictions: [] },
    ...{ timeRestrictions: {}, usageLimits: {}, tags: [], isActive: true, createdAt: AT, expiresAt: null },
    ...{ revokedAt: null, revokedBy: null, revocationReason: null, lastUsed: null },
  }, "desk")],
};

for (const strategy of ["update", "skip", "rename"] as const) {
  Deno.test(`${strategy}: tokens and roles for a virtual server are for the one that the import leads to`, () =>
    withAdminApi(async ({ store }) => {
      const here = await store.servers.insert(newServer({ name: "Desk" }));
      const deps = {
        secretBox: await createSecretBox("a-secret-of-at-least-thirty-two-bytes"),
        toolNames: { separator: "-", maxLength: 64 },
      };
      const run = () =>
        runImport(deps, store, BUNDLE, { strategy, isDryRun: false, isOwnExport: false, sees: () => true });
      const first = await run();
      assertEquals(first.hasChanges, true);
      const places = async () => [
        (await store.apiTokens.get("token-1"))?.serverId,
        (await store.people.readEverybody()).assignments.map(({ scopeId }) => scopeId),
      ];
      // With `skip` the server of the source is not here, so that the token opens no other one.
      const wanted = strategy === "update" ? here.id : SOURCE_ID;
      assertEquals(await places(), [wanted, [wanted]]);
      const { hasChanges, lines } = await run();
      assertEquals([hasChanges, lines.filter(({ outcome }) => outcome === "changed")], [false, []]);
      assertEquals(await places(), [wanted, [wanted]]);
    }));
}
