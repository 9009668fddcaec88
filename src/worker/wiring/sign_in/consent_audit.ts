// Records in the audit trail what users decide about OAuth clients, and their logins at upstreams.
import { actorOf } from "../../../auth/principal.ts";
import type { Exchange, ServedInfo } from "../../../http/handler.ts";
import type { AuditTrail } from "../../../store/audit/audit_trail.ts";
import { correlationIdOf } from "../../../telemetry/call_note.ts";
import type { UiDeps } from "../../../ui/call/ui_deps.ts";

/**
 * @param auditTrail null: AUDIT_TRAIL_ENABLED=false
 * @param clientOf the address of the client, also behind trusted proxies
 */
export function consentAudit(auditTrail: AuditTrail | null, clientOf: ClientOf): UiDeps["auditConsent"] {
  return (exchange, outcome) => recordPage(auditTrail, clientOf, exchange, "decideAuthorization", [outcome]);
}

/** Records that somebody has logged in at an upstream. */
export function connectionAudit(
  auditTrail: AuditTrail | null,
  clientOf: ClientOf,
): UiDeps["auditConnection"] {
  return (exchange) => recordPage(auditTrail, clientOf, exchange, "connectUpstream", []);
}

type ClientOf = (headers: Headers, info: ServedInfo) => string;

async function recordPage(
  auditTrail: AuditTrail | null,
  clientOf: ClientOf,
  { request, principal, info, note, action }: Exchange,
  operation: string,
  fields: readonly string[],
): Promise<void> {
  await auditTrail?.record({
    ...{ at: new Date().toISOString(), outcome: "done", status: 303, code: null },
    ...{ operation, method: request.method, endpoint: "ui", permission: null },
    entity: action?.entity ?? null,
    actor: actorOf(principal),
    address: clientOf(request.headers, info),
    correlationId: note?.correlationId ?? correlationIdOf(request.headers),
    ...{ count: 1, fields, changes: {} },
  });
}
