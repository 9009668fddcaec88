// Room `metrics`: the metrics as scrapers and people read them.
// This file is GET /metrics and /metrics/prometheus, with the metrics of all workers. Any worker can answer.
import type { Principal } from "../../auth/principal.ts";
import { requireRestPermission } from "../../auth/rbac.ts";
import { SluiceError } from "../../base/errors.ts";
import type { Endpoint, Exchange } from "../../http/handler.ts";
import type { MetricsSnapshot } from "../../telemetry/metric_values.ts";
import { renderMetrics } from "../../telemetry/metrics_text.ts";
import { wantedType } from "./wanted_type.ts";

const TEXT = "text/plain";
const OPEN_METRICS = "application/openmetrics-text";

export interface MetricsDeps {
  /** Reads the metrics of all workers and of the supervisor. */
  readonly readAll: () => Promise<readonly MetricsSnapshot[]>;
  /** Finds the scraper that sends METRICS_TOKEN; absent: no scraper is known without a token. */
  readonly scraperOf?: (authorization: string | null) => Principal | null;
}

export class MetricsEndpoint implements Endpoint {
  readonly name = "metrics";
  readonly speaks = "rest";
  readonly alwaysAnswered = true;
  readonly principalOf: ((authorization: string | null) => Principal | null) | undefined;
  readonly #readAll: () => Promise<readonly MetricsSnapshot[]>;

  constructor({ readAll, scraperOf }: MetricsDeps) {
    this.#readAll = readAll;
    this.principalOf = scraperOf;
  }

  async serve({ request, principal }: Exchange): Promise<Response> {
    requireRestPermission(principal, "admin.metrics", null);
    if (request.method !== "GET") {
      throw new SluiceError("METHOD_NOT_ALLOWED", { method: request.method, allowed: "GET" });
    }
    const wanted = wantedType(request.headers.get("accept"), [TEXT, OPEN_METRICS]);
    const format = wanted === OPEN_METRICS ? "openmetrics" : "prometheus";
    const { text, type } = await renderMetrics(await this.#readAll(), format);
    return new Response(text, { headers: { "content-type": type, vary: "accept" } });
  }
}
