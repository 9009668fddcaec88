// Gateways: registered upstreams, whose visibility their tools, resources and prompts share unless told otherwise.
import { raiseCatalogVersion, type RowChanges, TableEntities } from "./entities.ts";
import { type Database, sql } from "../sql/sql.ts";
import type { GatewayRow } from "./rows.ts";
import { GATEWAYS, PROMPTS, RESOURCES, TOOLS } from "./tables.ts";

export class GatewayEntities extends TableEntities<GatewayRow> {
  constructor(database: Database, now: () => Date) {
    super(database, GATEWAYS, now);
  }

  /**
   * What had the gateway's visibility keeps having it, and everything follows it to another team or owner: a gateway
   * that is made private must not leave its tools public.
   */
  override update(id: string, changes: RowChanges<GatewayRow>): Promise<GatewayRow> {
    return this.database.transaction(async (tx) => {
      const before = await new TableEntities(tx, GATEWAYS, this.now).get(id);
      const after = await new TableEntities(tx, GATEWAYS, this.now).update(id, changes);
      if (before === null) return after;
      const followers = [TOOLS.table.id, RESOURCES.table.id, PROMPTS.table.id];
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

/** What a health check or a refresh found out; what is left out stays as it was. */
export type GatewayHealth = Partial<
  Pick<GatewayRow, "reachable" | "lastSeen" | "lastCheckedAt" | "failedChecks" | "lastError">
>;

/**
 * Notes the health of a gateway as it was when `row` was read: of one that has another address by now, or was found by a
 * refresh meanwhile, nothing is known. It is no change of the row's version; the catalog's is raised where `reachable`
 * changes, and only then: the data plane reads nothing else of it.
 * @returns whether it was noted
 */
export async function saveHealth(
  database: Database,
  { id, version, ...before }: Pick<GatewayRow, "id" | "version" | "reachable">,
  { reachable, ...health }: GatewayHealth,
): Promise<boolean> {
  const isTurn = reachable !== undefined && reachable !== before.reachable;
  const assignments = GATEWAYS.table.assignments(isTurn ? { ...health, reachable } : health);
  const update = sql`UPDATE gateways SET ${assignments} WHERE id = ${id} AND version = ${version}`;
  if (!isTurn) return (await database.run(update)).changes > 0;
  return await database.transaction(async (tx) => {
    const { changes } = await tx.run(update);
    if (changes > 0) await raiseCatalogVersion(tx);
    return changes > 0;
  });
}
