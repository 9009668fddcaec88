// What was executed by hour and day, and the operation that begins at zero.
import type { ExecutionStore } from "../../store/executions/execution_store.ts";
import { type AdminResponse, type Call, ok } from "../rest/deps.ts";
import { validated } from "../rest/faults.ts";
import { historyQuery, resetQuery } from "../rest/queries.ts";
import { executionMetrics } from "./execution_metrics.ts";

const HOUR_MS = 3_600_000;
const SPAN_MS = { hour: HOUR_MS, day: 24 * HOUR_MS } as const;

/** GET /metrics/history: an entity's executions by hour or day of UTC, the first first. Hours and days without any are left out. */
export async function readExecutionHistory({ deps, query }: Call): Promise<AdminResponse> {
  const { entity, entity_id, by, last } = validated(historyQuery, Object.fromEntries(query), ["query"]);
  const ms = SPAN_MS[by];
  const store = await storeOf(deps);
  const spans = await store.spans(entity, entity_id, by, Math.floor(Date.now() / ms) - last + 1);
  return ok({
    entity,
    entity_id,
    by,
    spans: spans.map(({ start, ...sums }) => ({
      start: new Date(start * ms).toISOString(),
      ...executionMetrics(sums),
    })),
  });
}

/** POST /metrics/reset: executions begin at zero again. */
export async function resetMetrics({ deps, query }: Call): Promise<AdminResponse> {
  const { entity, entity_id: id } = validated(resetQuery, Object.fromEntries(query), ["query"]);
  const store = await storeOf(deps);
  await store.reset(entity ?? null, id ?? null);
  const what = entity === undefined ? "everything" : id === undefined ? `every ${entity}` : `${entity} ${id}`;
  return ok({ status: "success", message: `The metrics of ${what} begin at zero` });
}

/** With what this process has counted until now, if it counts. */
async function storeOf({ executions, store }: Call["deps"]): Promise<ExecutionStore> {
  return executions === null ? store.executions : await executions();
}
