// GET /metrics and /metrics/prometheus: the metrics of all workers. Any worker can answer.
import { requireRestPermission } from "../auth/rbac.ts";
import { SluiceError } from "../base/errors.ts";
import type { Endpoint, Exchange } from "../http/handler.ts";
import type { MetricsSnapshot } from "../telemetry/metric_values.ts";
import { renderMetrics } from "../telemetry/metrics_text.ts";

export class MetricsEndpoint implements Endpoint {
  readonly name = "metrics";
  readonly speaks = "rest";
  readonly alwaysAnswered = true;

  /** @param readAll reads the metrics of all workers and of the supervisor */
  constructor(private readonly readAll: () => Promise<readonly MetricsSnapshot[]>) {}

  async serve({ request, principal }: Exchange): Promise<Response> {
    requireRestPermission(principal, "admin.metrics", null);
    if (request.method !== "GET") {
      throw new SluiceError("METHOD_NOT_ALLOWED", { method: request.method, allowed: "GET" });
    }
    const { text, type } = await renderMetrics(await this.readAll());
    return new Response(text, { headers: { "content-type": type } });
  }
}
