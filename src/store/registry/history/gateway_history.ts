// What has happened to a gateway: when it could not be reached and why, what its lists gained and lost, who switched it. Bounded.
import type { DiscoveryChanges } from "../discovery_merge.ts";
import { type Database, sql } from "../../sql/sql.ts";

/** The keys of changed entries, the first of them, and how many there were. */
export interface ChangedKeys {
  readonly keys: readonly string[];
  readonly count: number;
}

export type ListChanges = Readonly<
  Record<"tools" | "resources" | "prompts", Readonly<Record<keyof DiscoveryChanges, ChangedKeys>>>
>;

export type GatewayEvent =
  /** It could not be reached, or not be listed for the first time. */
  | { readonly kind: "unreachable" | "failed"; readonly reason: string | null }
  | { readonly kind: "reachable" | "listed" }
  /** Its lists have changed. */
  | { readonly kind: "changed"; readonly changes: ListChanges }
  | { readonly kind: "on" | "off" | "draining"; readonly by: string | null };

export type GatewayEventRow = GatewayEvent & {
  /** ISO 8601, UTC. */
  readonly at: string;
};

/** The newest events of a gateway that are kept. */
const MAX_EVENTS = 50;
const MAX_REASON_CHARS = 500;
/** Of the keys of one kind of change. */
const MAX_KEYS = 30;
const MAX_KEY_CHARS = 200;

/**
 * Runs in `tx`, after a write of the gateway's row, which keeps others from numbering an event at the same time. An event that is
 * like the one before, such as another failure for the same reason, is not kept.
 */
export async function addGatewayEvent(
  tx: Database,
  gatewayId: string,
  event: GatewayEvent,
  at: string,
): Promise<void> {
  const { kind, ...details } = event;
  const text = JSON.stringify(bounded(details));
  const [latest] = await tx.query<EventRecord>(
    sql`SELECT number, at, kind, details FROM gateway_events
        WHERE gateway_id = ${gatewayId} ORDER BY number DESC LIMIT 1`,
  );
  if (latest?.kind === kind && latest.details === text) return;
  const number = Number(latest?.number ?? 0) + 1;
  await tx.run(
    sql`INSERT INTO gateway_events (gateway_id, number, at, kind, details)
        VALUES (${gatewayId}, ${number}, ${at}, ${kind}, ${text})`,
  );
  await tx.run(
    sql`DELETE FROM gateway_events WHERE gateway_id = ${gatewayId} AND number <= ${number - MAX_EVENTS}`,
  );
}

/** The events of a gateway, the newest first. */
export async function gatewayEvents(database: Database, gatewayId: string): Promise<GatewayEventRow[]> {
  const records = await database.query<EventRecord>(
    sql`SELECT number, at, kind, details FROM gateway_events
        WHERE gateway_id = ${gatewayId} ORDER BY number DESC`,
  );
  return records.map(({ at, kind, details }) => ({ at, kind, ...JSON.parse(details) }));
}

interface EventRecord {
  readonly number: number;
  readonly at: string;
  readonly kind: string;
  readonly details: string;
}

/** @returns null: the lists are the same */
export function listChangesOf(
  { tools, resources, prompts }: Readonly<Record<keyof ListChanges, DiscoveryChanges>>,
): ListChanges | null {
  const all = [tools, resources, prompts];
  if (all.every(({ added, updated, removed }) => added.length + updated.length + removed.length === 0)) {
    return null;
  }
  const ofKind = ({ added, updated, removed }: DiscoveryChanges) => ({
    ...{ added: keysOf(added), updated: keysOf(updated), removed: keysOf(removed) },
  });
  return { tools: ofKind(tools), resources: ofKind(resources), prompts: ofKind(prompts) };
}

function keysOf(keys: readonly string[]): ChangedKeys {
  return { keys: keys.slice(0, MAX_KEYS).map((key) => key.slice(0, MAX_KEY_CHARS)), count: keys.length };
}

function bounded(details: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  const { reason } = details;
  return typeof reason === "string" ? { ...details, reason: reason.slice(0, MAX_REASON_CHARS) } : details;
}
