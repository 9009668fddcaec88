// The session pools of all workers, for operators: GET /admin/mcp-pool/metrics shows them, DELETE /admin/mcp-pool/sessions
// drains them.
import { requireRestPermission } from "../auth/rbac.ts";
import { SluiceError } from "../base/errors.ts";
import type { Endpoint, Exchange } from "../http/handler.ts";
import { mergeSnapshots, poolMetricsJson, type PoolSnapshot } from "../upstream/pool/pool_metrics.ts";

export const POOL_PATH = "/admin/mcp-pool/";

export interface PoolEndpointDeps {
  /** MCP_SESSION_POOL_ENABLED. Upstreams in `shared` mode are pooled even if it is false. */
  readonly enabled: boolean;
  /** The state of each worker's pool. */
  readonly snapshots: () => Promise<readonly PoolSnapshot[]>;
  /** Closes the pooled sessions of one upstream, or of all, in each worker. */
  readonly drain: (upstreamId: string | null) => Promise<readonly { closed: number; pending: number }[]>;
}

export class PoolEndpoint implements Endpoint {
  readonly name = "pool";
  readonly speaks = "rest";

  constructor(private readonly deps: PoolEndpointDeps) {}

  async serve({ request, path, principal }: Exchange): Promise<Response> {
    requireRestPermission(principal, "admin.system_config", null);
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
    const snapshots = await this.deps.snapshots();
    const merged = mergeSnapshots(snapshots);
    return { ...poolMetricsJson(merged), enabled: this.deps.enabled, workers: snapshots.length };
  }

  /** Closes idle sessions now, and sessions in use after their call. `?gateway_id=` selects one upstream. */
  async #drain({ method, url }: Request): Promise<{ closed: number; pending: number }> {
    if (method !== "DELETE") throw new SluiceError("METHOD_NOT_ALLOWED", { method, allowed: "DELETE" });
    const upstreamId = new URL(url).searchParams.get("gateway_id");
    const drained = await this.deps.drain(upstreamId);
    return {
      closed: drained.reduce((sum, { closed }) => sum + closed, 0),
      pending: drained.reduce((sum, { pending }) => sum + pending, 0),
    };
  }
}
