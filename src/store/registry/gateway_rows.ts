// Gateways: registered upstreams. Their tools, resources and prompts have the gateway's visibility unless an operator changed it.
import { type RowChanges, TableEntities } from "./entities.ts";
import { raiseCatalogVersion } from "../sql/catalog_version.ts";
import { type Database, sql } from "../sql/sql.ts";
import type { GatewayRow } from "./rows.ts";
import { GATEWAYS, PROMPTS, RESOURCES, TOOLS } from "./tables.ts";

export class GatewayEntities extends TableEntities<GatewayRow> {
  constructor(database: Database, now: () => Date) {
    super(database, GATEWAYS, now);
  }

  /**
   * Passes a change of visibility on to all entities that had the gateway's visibility, and a change of team or owner to all of
   * the gateway's entities. A gateway that becomes private must not leave its tools public, nor those that come back later.
   */
  override update(id: string, changes: RowChanges<GatewayRow>): Promise<GatewayRow> {
    return this.database.transaction(async (tx) => {
      const before = await new TableEntities(tx, GATEWAYS, this.now).get(id);
      const after = await new TableEntities(tx, GATEWAYS, this.now).update(id, changes);
      if (before === null) return after;
      const followers = [TOOLS.table.id, RESOURCES.table.id, PROMPTS.table.id, sql.id("removed_entries")];
      if (before.teamId !== after.teamId || before.ownerEmail !== after.ownerEmail) {
        for (const table of followers) {
          await tx.run(
            sql`UPDATE ${table} SET team_id = ${after.teamId}, owner_email = ${after.ownerEmail} WHERE gateway_id = ${id}`,
          );
        }
      }
      if (before.visibility !== after.visibility) {
        for (const table of followers) {
          await tx.run(
            sql`UPDATE ${table} SET visibility = ${after.visibility}
                WHERE gateway_id = ${id} AND visibility = ${before.visibility}`,
          );
        }
      }
      return after;
    });
  }
}

/** The result of a health check, a refresh or a try to register. Absent fields stay unchanged. */
export type GatewayHealth = Partial<
  Pick<
    GatewayRow,
    "reachable" | "lastSeen" | "lastCheckedAt" | "failedChecks" | "lastError" | "registration"
  >
>;

/**
 * Stores the health of a gateway, unless its address has changed or a refresh has succeeded since `row` was read. The version of
 * the row stays. The catalog version grows only if `reachable` changes, the only one of these fields that the data plane reads.
 * @returns whether the health was stored
 */
export async function saveHealth(
  database: Database,
  { id, version, ...before }: Pick<GatewayRow, "id" | "version" | "reachable">,
  { reachable, ...health }: GatewayHealth,
): Promise<boolean> {
  const isReachableChanged = reachable !== undefined && reachable !== before.reachable;
  const assignments = GATEWAYS.table.assignments(isReachableChanged ? { ...health, reachable } : health);
  const update = sql`UPDATE gateways SET ${assignments} WHERE id = ${id} AND version = ${version}`;
  if (!isReachableChanged) return (await database.run(update)).changes > 0;
  return await database.transaction(async (tx) => {
    const { changes } = await tx.run(update);
    if (changes > 0) await raiseCatalogVersion(tx);
    return changes > 0;
  });
}
