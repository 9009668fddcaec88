// What the audit trail says of a request that was answered with an error.
import type { ReportedError } from "../http/error_response.ts";
import type { FailedRequest } from "../http/handler.ts";
import type { AuditTrail } from "../store/audit/audit_trail.ts";
import { actorOf } from "../auth/principal.ts";

/**
 * Notes refusals at every endpoint, and every failure of a write.
 * @param clientOf the address of the client, also behind trusted proxies
 */
export function failureAudit(
  trail: AuditTrail,
  clientOf: (failed: FailedRequest) => string,
): (failed: FailedRequest, reported: ReportedError) => void {
  return (failed, { error, correlationId }) => {
    const { request, endpoint, exchange, principal } = failed;
    const action = exchange?.action;
    const { http } = error.row;
    const isRefused = http === 401 || http === 403;
    if (!isRefused && !action?.isWrite) return;
    trail.note({
      at: new Date().toISOString(),
      outcome: isRefused ? "refused" : "failed",
      status: http,
      code: error.code,
      operation: action?.operation ?? null,
      method: request.method,
      endpoint: endpoint ?? "none",
      permission: action?.permission ?? null,
      entity: action?.entity ?? null,
      actor: principal === undefined ? null : actorOf(principal),
      address: clientOf(failed),
      correlationId,
      count: 1,
      fields: action?.fields ?? [],
      changes: {},
    });
  };
}
