// Executions as ContextForge shows them: of each entry, and of all that there is of a kind.
import type { ExecutionSums } from "../../store/executions/execution_rows.ts";
import type { ExecutionStore } from "../../store/executions/execution_store.ts";
import type { ExecutedKind } from "../../telemetry/executions.ts";

/** Times are in seconds; null: nothing was executed. */
export interface ExecutionMetrics {
  readonly totalExecutions: number;
  readonly successfulExecutions: number;
  readonly failedExecutions: number;
  /** From 0 to 1. */
  readonly failureRate: number;
  readonly minResponseTime: number | null;
  readonly maxResponseTime: number | null;
  readonly avgResponseTime: number | null;
  /** ISO 8601 */
  readonly lastExecutionTime: string | null;
}

export interface TopPerformer {
  readonly id: string;
  readonly name: string;
  readonly executionCount: number;
  readonly avgResponseTime: number;
  /** From 0 to 100. */
  readonly successRate: number;
  /** ISO 8601 */
  readonly lastExecution: string;
}

/** Kinds by their names in ContextForge's answers. Upstreams are not among them. */
export const SHOWN_KINDS = {
  tools: "tool",
  resources: "resource",
  prompts: "prompt",
  servers: "server",
} as const satisfies Readonly<Record<string, ExecutedKind>>;

export type ShownKind = keyof typeof SHOWN_KINDS;

const MAX_TOP = 10;

/** @param executions null: they are not recorded */
export async function metricsOf(
  executions: (() => Promise<ExecutionStore>) | null,
  kind: ExecutedKind,
  id: string,
): Promise<ExecutionMetrics | null> {
  return executions === null ? null : executionMetrics(await (await executions()).of(kind, id));
}

/** The answer to `GET /metrics`. */
export async function allMetrics(
  store: ExecutionStore,
): Promise<
  & Record<ShownKind, ExecutionMetrics>
  & { readonly topPerformers: Record<ShownKind, readonly TopPerformer[]> }
> {
  const kinds = Object.entries(SHOWN_KINDS);
  const sums = await Promise.all(
    kinds.map(async ([name, kind]) => [name, executionMetrics(await store.ofAll(kind))]),
  );
  const top = await Promise.all(kinds.map(async ([name, kind]) => [name, await topPerformers(store, kind)]));
  return { ...Object.fromEntries(sums), topPerformers: Object.fromEntries(top) };
}

export function executionMetrics(sums: ExecutionSums | null): ExecutionMetrics {
  const { count, failed, seconds, least, greatest, lastMs } = sums ??
    { count: 0, failed: 0, seconds: 0, least: null, greatest: null, lastMs: null };
  return {
    totalExecutions: count,
    successfulExecutions: count - failed,
    failedExecutions: failed,
    failureRate: count === 0 ? 0 : failed / count,
    minResponseTime: least,
    maxResponseTime: greatest,
    avgResponseTime: count === 0 ? null : seconds / count,
    lastExecutionTime: lastMs === null ? null : new Date(lastMs).toISOString(),
  };
}

async function topPerformers(store: ExecutionStore, kind: ExecutedKind): Promise<TopPerformer[]> {
  return (await store.top(kind, MAX_TOP)).map(({ id, name, count, failed, seconds, lastMs }) => ({
    ...{ id, name, executionCount: count, avgResponseTime: seconds / count },
    successRate: 100 * (1 - failed / count),
    lastExecution: new Date(lastMs).toISOString(),
  }));
}
