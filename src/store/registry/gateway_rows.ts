// Gateways: registered upstreams. Their tools, resources and prompts have the gateway's visibility unless an operator changed it.
import { addGatewayEvent, type GatewayEvent } from "./history/gateway_history.ts";
import { type RowChanges, TableEntities } from "./entities.ts";
import { tellRegistryChanged } from "./changes/registry_changes.ts";
import { type Database, sql } from "../sql/sql.ts";
import type { GatewayRow } from "./rows.ts";
import { endTokensOfGateway } from "../upstream_tokens/ended_tokens.ts";
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
      if (before !== null && isElsewhere(before, changes)) await endTokensOfGateway(tx, id);
      // Switching a gateway ends its draining.
      const { enabled } = changes;
      const whole = enabled === undefined ? changes : { drainingSince: null, ...changes };
      const after = await new TableEntities(tx, GATEWAYS, this.now).update(id, whole);
      if (before === null) return after;
      if (switchOf(before) !== switchOf(after)) {
        const event = { kind: switchOf(after), by: after.modifiedBy } as const;
        await addGatewayEvent(tx, id, event, this.now().toISOString());
      }
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

  override delete(id: string): Promise<boolean> {
    return this.database.transaction(async (tx) => {
      await endTokensOfGateway(tx, id);
      return await new TableEntities(tx, GATEWAYS, this.now).delete(id);
    });
  }
}

/** A token for another address, or of other credentials, is of no use. */
function isElsewhere({ url, authSecret }: GatewayRow, changes: RowChanges<GatewayRow>): boolean {
  return changes.url !== undefined && changes.url !== url ||
    changes.authSecret !== undefined && changes.authSecret !== authSecret;
}

function switchOf({ enabled, drainingSince }: GatewayRow): "on" | "off" | "draining" {
  return enabled ? "on" : drainingSince === null ? "off" : "draining";
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
  now: () => Date,
): Promise<boolean> {
  const isReachableChanged = reachable !== undefined && reachable !== before.reachable;
  const assignments = GATEWAYS.table.assignments(isReachableChanged ? { ...health, reachable } : health);
  const event = eventOf(before, { reachable, ...health });
  const update = sql`UPDATE gateways SET ${assignments} WHERE id = ${id} AND version = ${version}`;
  if (event === null) return (await database.run(update)).changes > 0;
  return await database.transaction(async (tx) => {
    const { changes } = await tx.run(update);
    if (changes === 0) return false;
    if (isReachableChanged) await tellRegistryChanged(tx, { gateways: [id] });
    await addGatewayEvent(tx, id, event, now().toISOString());
    return true;
  });
}

/** What a result means for the gateway's history; null: nothing new. */
function eventOf(
  before: Pick<GatewayRow, "reachable">,
  { reachable, registration, lastError = null }: GatewayHealth,
): GatewayEvent | null {
  if (reachable !== undefined && reachable !== before.reachable) {
    return reachable ? { kind: "reachable" } : { kind: "unreachable", reason: lastError };
  }
  const hasFailed = registration !== undefined && registration !== null && lastError !== null;
  return hasFailed ? { kind: "failed", reason: lastError } : null;
}
