// POST /metrics/reset: executions begin at zero again.
import { type AdminResponse, type Call, ok } from "../rest/deps.ts";
import { validated } from "../rest/faults.ts";
import { resetQuery } from "../rest/queries.ts";

export async function resetMetrics({ deps, query }: Call): Promise<AdminResponse> {
  const { entity, entity_id: id } = validated(resetQuery, Object.fromEntries(query), ["query"]);
  const store = deps.executions === null ? deps.store.executions : await deps.executions();
  await store.reset(entity ?? null, id ?? null);
  const what = entity === undefined ? "everything" : id === undefined ? `every ${entity}` : `${entity} ${id}`;
  return ok({ status: "success", message: `The metrics of ${what} begin at zero` });
}
