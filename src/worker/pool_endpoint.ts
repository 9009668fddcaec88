// The session pool for operators: GET /admin/mcp-pool/metrics, and DELETE /admin/mcp-pool/sessions to drain it; of all workers.
import { requirePermission } from "../auth/rbac.ts";
import { SluiceError } from "../base/errors.ts";
import type { Endpoint, Exchange } from "../http/handler.ts";
import { mergeSnapshots, poolMetricsJson } from "../upstream/pool/metrics.ts";
import type { SupervisorLink } from "./supervisor_link.ts";

export const POOL_PATH = "/admin/mcp-pool/";

/** The permission that ContextForge asks for here. */
const PERMISSION = "admin.system_config";

export class PoolEndpoint implements Endpoint {
  readonly name = "pool";
  readonly speaks = "rest";

  /** @param enabled MCP_SESSION_POOL_ENABLED; upstreams in `shared` mode are pooled without it */
  constructor(private readonly workers: SupervisorLink, private readonly enabled: boolean) {}

  async serve({ request, path, principal }: Exchange): Promise<Response> {
    requirePermission(principal, PERMISSION);
    switch (path.slice(POOL_PATH.length)) {
      case "metrics":
        return Response.json(await this.#metrics(request));
      case "sessions":
        return Response.json(await this.#drain(request));
      default:
        throw new SluiceError("NOT_FOUND", { what: "Path" });
    }
  }

  async #metrics({ method }: Request): Promise<Record<string, unknown>> {
    if (method !== "GET") throw new SluiceError("METHOD_NOT_ALLOWED", { method, allowed: "GET" });
    const reports = await this.workers.askAll({ type: "report" });
    const merged = mergeSnapshots(reports.map(({ pool }) => pool));
    return { ...poolMetricsJson(merged), enabled: this.enabled, workers: reports.length };
  }

  /** Idle sessions end now, lent ones when they come back. `?gateway_id=` picks one upstream. */
  async #drain({ method, url }: Request): Promise<{ closed: number; pending: number }> {
    if (method !== "DELETE") throw new SluiceError("METHOD_NOT_ALLOWED", { method, allowed: "DELETE" });
    const upstreamId = new URL(url).searchParams.get("gateway_id");
    const drained = await this.workers.askAll({ type: "drain_pool", upstreamId });
    return {
      closed: drained.reduce((sum, { closed }) => sum + closed, 0),
      pending: drained.reduce((sum, { pending }) => sum + pending, 0),
    };
  }
}
