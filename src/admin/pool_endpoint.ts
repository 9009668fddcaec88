// The session pools of all workers, for operators: GET /admin/mcp-pool/metrics shows them, DELETE /admin/mcp-pool/sessions
// drains them.
import { actorOf } from "../auth/principal.ts";
import { requireRestPermission } from "../auth/rbac.ts";
import { SluiceError } from "../base/errors.ts";
import type { Endpoint, Exchange, ServedInfo } from "../http/handler.ts";
import { type AuditAction, boundedText } from "../store/audit/audit_record.ts";
import type { AuditTrail } from "../store/audit/audit_trail.ts";
import { correlationIdOf } from "../telemetry/call_note.ts";
import { mergeSnapshots, poolMetricsJson, type PoolSnapshot } from "../upstream/pool/pool_metrics.ts";

const PERMISSION = "admin.system_config";

export const POOL_PATH = "/admin/mcp-pool/";

export interface PoolEndpointDeps {
  /** MCP_SESSION_POOL_ENABLED. Upstreams in `shared` mode are pooled even if it is false. */
  readonly enabled: boolean;
  /** The state of each worker's pool. */
  readonly snapshots: () => Promise<readonly PoolSnapshot[]>;
  /** null: AUDIT_TRAIL_ENABLED=false. */
  readonly auditTrail: Pick<AuditTrail, "record" | "refuses"> | null;
  /** The address of the client, also behind trusted proxies. */
  readonly clientOf: (headers: Headers, info: ServedInfo) => string;
  /** Closes the pooled sessions of one upstream, or of all, in each worker. */
  readonly drain: (upstreamId: string | null) => Promise<readonly { closed: number; pending: number }[]>;
}

export class PoolEndpoint implements Endpoint {
  readonly name = "pool";
  readonly speaks = "rest";

  constructor(private readonly deps: PoolEndpointDeps) {}

  async serve(exchange: Exchange): Promise<Response> {
    const { request, path, principal } = exchange;
    const isDrain = request.method === "DELETE" && path === `${POOL_PATH}sessions`;
    const upstreamId = new URL(request.url).searchParams.get("gateway_id");
    const action = exchange.action = {
      operation: isDrain ? "drainPool" : "getPoolMetrics",
      permission: PERMISSION,
      isWrite: isDrain,
      entity: upstreamId === null ? null : { kind: "gateway", id: boundedText(upstreamId) },
      fields: [],
    };
    requireRestPermission(principal, PERMISSION, null);
    switch (path.slice(POOL_PATH.length)) {
      case "metrics":
        return Response.json(await this.#metrics(request));
      case "sessions":
        return Response.json(await this.#recordedDrain(exchange, action, upstreamId));
      default:
        throw new SluiceError("NOT_FOUND", { what: "Path" });
    }
  }

  async #metrics({ method }: Request): Promise<Record<string, unknown>> {
    if (method !== "GET") throw new SluiceError("METHOD_NOT_ALLOWED", { method, allowed: "GET" });
    const snapshots = await this.deps.snapshots();
    const merged = mergeSnapshots(snapshots);
    return { ...poolMetricsJson(merged), enabled: this.deps.enabled, workers: snapshots.length };
  }

  async #recordedDrain(
    { request, principal, info, note }: Exchange,
    action: AuditAction,
    upstreamId: string | null,
  ): Promise<{ closed: number; pending: number }> {
    const { method, headers } = request;
    if (method !== "DELETE") throw new SluiceError("METHOD_NOT_ALLOWED", { method, allowed: "DELETE" });
    const { auditTrail, clientOf } = this.deps;
    if (auditTrail?.refuses) throw new SluiceError("AUDIT_UNAVAILABLE");
    const drained = await this.#drain(upstreamId);
    const { isWrite: _, ...recorded } = action;
    await auditTrail?.record({
      ...recorded,
      ...{ at: new Date().toISOString(), outcome: "done", status: 200, code: null, method },
      ...{ endpoint: this.name, actor: actorOf(principal), address: clientOf(headers, info) },
      ...{ correlationId: note?.correlationId ?? correlationIdOf(headers), count: 1, changes: {} },
    });
    return drained;
  }

  /** Closes idle sessions now, and sessions in use after their call. @param upstreamId null: those of all upstreams */
  async #drain(upstreamId: string | null): Promise<{ closed: number; pending: number }> {
    const drained = await this.deps.drain(upstreamId);
    return {
      closed: drained.reduce((sum, { closed }) => sum + closed, 0),
      pending: drained.reduce((sum, { pending }) => sum + pending, 0),
    };
  }
}
