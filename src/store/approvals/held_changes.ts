// What others read of the records: operators the changes that are held, and the data plane what a session may list.
import { type Database, sql, type SqlQuery } from "../sql/sql.ts";
import type { ListKind } from "../../mcp/list_entries.ts";
import type { ApprovalRecord } from "./approval_record.ts";
import { approvalRows, recordOf } from "./approvals.ts";

/** A record with a held version. */
export interface GatewayRecord extends ApprovalRecord {
  readonly gatewayId: string;
}

/** An approved entry that the upstream's own lists do not have. A session may list it. */
export interface ApprovedEntry {
  readonly kind: ListKind;
  readonly key: string;
  readonly text: string;
  readonly sessionText: string | null;
}

/** What the data plane knows of an upstream whose changes wait for approval. */
export interface UpstreamApproval {
  readonly gatewayId: string;
  /** The changes that wait for a decision. */
  readonly pending: number;
  readonly unlisted: readonly ApprovedEntry[];
  /** The URIs and URI templates of new resources that wait or were rejected. */
  readonly heldUris: readonly string[];
}

/** A query names at most so many gateways. With more it reads the records of all. */
const MAX_NAMED = 500;

/** The held changes, oldest first. @param gatewayId null: of all gateways */
export async function heldChanges(database: Database, gatewayId: string | null): Promise<GatewayRecord[]> {
  const ofGateway = gatewayId === null ? sql.empty : sql`AND gateway_id = ${gatewayId}`;
  const rows = await approvalRows(database, sql`WHERE held_hash IS NOT NULL ${ofGateway}`);
  return rows.map((row) => ({ ...recordOf(row), gatewayId: row.gatewayId }));
}

/**
 * The number of changes that wait for a decision, by gateway id. Gateways without any are absent.
 * @param ofGateways a further condition
 */
export async function countPending(
  database: Database,
  ofGateways: SqlQuery = sql.empty,
): Promise<Map<string, number>> {
  const pending = await database.query<{ gateway_id: string; amount: number }>(
    sql`SELECT gateway_id, COUNT(*) AS amount FROM approvals
        WHERE held_hash IS NOT NULL AND (rejected_hash IS NULL OR rejected_hash <> held_hash) ${ofGateways}
        GROUP BY gateway_id`,
  );
  return new Map(pending.map(({ gateway_id, amount }) => [gateway_id, Number(amount)]));
}

/** @param gatewayIds of the upstreams whose changes wait for approval */
export async function upstreamApprovals(
  database: Database,
  gatewayIds: readonly string[],
): Promise<UpstreamApproval[]> {
  if (gatewayIds.length === 0) return [];
  const ofGateways = gatewayIds.length > MAX_NAMED
    ? sql.empty
    : sql`AND gateway_id IN ${sql.list(gatewayIds)}`;
  const counts = await countPending(database, ofGateways);
  const unlisted = Map.groupBy(
    await database.query<UnlistedRecord>(
      sql`SELECT gateway_id, kind, entry_key, approved_text, approved_session_text FROM approvals
          WHERE approved_hash IS NOT NULL AND is_listed = 0 AND kind <> 'instructions' ${ofGateways}
          ORDER BY kind, entry_key`,
    ),
    ({ gateway_id }) => gateway_id,
  );
  const heldUris = Map.groupBy(
    await database.query<{ gateway_id: string; entry_key: string }>(
      sql`SELECT gateway_id, entry_key FROM approvals
          WHERE held_hash IS NOT NULL AND approved_hash IS NULL AND kind IN ('resource', 'template') ${ofGateways}
          ORDER BY kind, entry_key`,
    ),
    ({ gateway_id }) => gateway_id,
  );
  return gatewayIds.map((gatewayId) => ({
    gatewayId,
    pending: counts.get(gatewayId) ?? 0,
    unlisted: (unlisted.get(gatewayId) ?? []).map(approvedEntry),
    heldUris: (heldUris.get(gatewayId) ?? []).map(({ entry_key: uri }) => uri),
  }));
}

interface UnlistedRecord {
  readonly gateway_id: string;
  readonly kind: ListKind;
  readonly entry_key: string;
  readonly approved_text: string;
  readonly approved_session_text: string | null;
}

function approvedEntry(record: UnlistedRecord): ApprovedEntry {
  const { kind, entry_key: key, approved_text: text, approved_session_text: sessionText } = record;
  return { kind, key, text, sessionText };
}
