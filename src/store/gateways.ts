// Gateways: registered upstreams, whose visibility their tools, resources and prompts share unless told otherwise.
import { type RowChanges, TableEntities } from "./entities.ts";
import { type Database, sql } from "./sql.ts";
import type { GatewayRow } from "./store.ts";
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
