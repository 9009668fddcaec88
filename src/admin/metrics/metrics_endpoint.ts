// Room `metrics`: the metrics as scrapers and people read them.
// This file is GET /metrics and /metrics/prometheus, with the metrics of all workers. Any worker can answer.
import type { Principal } from "../../auth/principal.ts";
import { requireRestPermission } from "../../auth/rbac.ts";
import { SluiceError } from "../../base/errors.ts";
import type { ExecutionStore } from "../../store/executions/execution_store.ts";
import { codingFor } from "../../http/representation/accepted.ts";
import type { Endpoint, Exchange } from "../../http/handler.ts";
import type { MetricsSnapshot } from "../../telemetry/metric_values.ts";
import { allMetrics } from "./execution_metrics.ts";
import { wantedType } from "./wanted_type.ts";

const JSON_TYPE = "application/json";
const TEXT = "text/plain";
const OPEN_METRICS = "application/openmetrics-text";

export interface MetricsDeps {
  /** Reads the metrics of all workers and of the supervisor. */
  readonly readAll: () => Promise<readonly MetricsSnapshot[]>;
  /** What was executed, where JSON is offered too, and preferred; absent: text alone. */
  readonly executions?: () => Promise<ExecutionStore>;
  /** Finds the scraper that sends METRICS_TOKEN; absent: no scraper is known without a token. */
  readonly scraperOf?: (authorization: string | null) => Principal | null;
}

export class MetricsEndpoint implements Endpoint {
  readonly name = "metrics";
  readonly speaks = "rest";
  readonly alwaysAnswered = true;
  readonly principalOf: ((authorization: string | null) => Principal | null) | undefined;
  readonly #readAll: () => Promise<readonly MetricsSnapshot[]>;
  readonly #executions: (() => Promise<ExecutionStore>) | undefined;

  constructor({ readAll, executions, scraperOf }: MetricsDeps) {
    this.#readAll = readAll;
    this.#executions = executions;
    this.principalOf = scraperOf;
  }

  async serve({ request, principal }: Exchange): Promise<Response> {
    requireRestPermission(principal, "admin.metrics", null);
    if (request.method !== "GET") {
      throw new SluiceError("METHOD_NOT_ALLOWED", { method: request.method, allowed: "GET" });
    }
    const offered = [...this.#executions === undefined ? [] : [JSON_TYPE], TEXT, OPEN_METRICS];
    const wanted = wantedType(request.headers.get("accept"), offered) ?? offered[0];
    if (wanted === JSON_TYPE) {
      const shown = await allMetrics(await this.#executions!());
      return await encoded(request, JSON.stringify(shown), JSON_TYPE);
    }
    const format = wanted === OPEN_METRICS ? "openmetrics" : "prometheus";
    // Imported on use, as the module says.
    const { renderMetrics } = await import("../../telemetry/metrics_text.ts");
    const { text, type } = await renderMetrics(await this.#readAll(), format);
    return await encoded(request, text, type);
  }
}

/** Compressed, where the client takes it. */
async function encoded({ headers }: Request, text: string, type: string): Promise<Response> {
  const { compressed } = await import("../../http/representation/compressed.ts");
  const { bytes, coding } = await compressed(new TextEncoder().encode(text), codingFor(headers));
  return new Response(bytes, {
    headers: {
      "content-type": type,
      vary: "Accept, Accept-Encoding",
      ...(coding === null ? {} : { "content-encoding": coding }),
    },
  });
}
