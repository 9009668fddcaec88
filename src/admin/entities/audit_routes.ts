// GET /audit: the audit trail, the newest record first.
import type { ChainedRecord } from "../../store/audit/audit_record.ts";
import { type AdminResponse, type Call, ok } from "../rest/deps.ts";
import { validated } from "../rest/faults.ts";
import { auditQuery } from "../rest/queries.ts";

export async function listAuditRecords({ deps, query }: Call): Promise<AdminResponse> {
  const { limit, cursor, email, entity_id: entityId } = validated(auditQuery, Object.fromEntries(query), [
    "query",
  ]);
  const found = await deps.auditRecords.list({ limit: limit + 1, before: cursor, email, entityId });
  const page = found.slice(0, limit);
  const nextCursor = found.length > limit ? String(page.at(-1)!.sequence) : null;
  return ok({ records: page.map(shape), nextCursor });
}

function shape({ sequence, hash, text }: ChainedRecord): Record<string, unknown> {
  return { sequence, hash, ...JSON.parse(text) };
}
