// GET /metrics and /metrics/prometheus: the numbers of all workers, whichever answers.
import { SluiceError } from "../base/errors.ts";
import type { Endpoint, Exchange } from "../http/handler.ts";
import { renderMetrics } from "../telemetry/metrics.ts";
import type { SupervisorLink } from "./supervisor_link.ts";

export class MetricsEndpoint implements Endpoint {
  readonly name = "metrics";
  readonly speaks = "rest";
  readonly alwaysAnswered = true;

  constructor(private readonly workers: SupervisorLink) {}

  async serve({ request }: Exchange): Promise<Response> {
    if (request.method !== "GET") {
      throw new SluiceError("METHOD_NOT_ALLOWED", { method: request.method, allowed: "GET" });
    }
    const reports = await this.workers.askAll({ type: "report" });
    const supervisor = await this.workers.askAll({ type: "supervisor_metrics" });
    const text = await renderMetrics([...reports.map(({ metrics }) => metrics), ...supervisor]);
    return new Response(text, { headers: { "content-type": "text/plain; version=0.0.4; charset=utf-8" } });
  }
}
