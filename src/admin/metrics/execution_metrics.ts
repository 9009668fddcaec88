// Executions as ContextForge shows them, from the counters of this process: of each tool, and of all that there is of a kind. They
// begin at zero with the process.
import type { GatewayRow, ToolRow } from "../../store/registry/rows.ts";
import {
  type FamilySnapshot,
  type MetricsSnapshot,
  MetricSums,
  SEPARATOR,
} from "../../telemetry/metric_values.ts";
import { BUCKETS, type MetricName } from "../../telemetry/metric_table.ts";

/** Times are in seconds. Null: nothing was executed, or the gateway does not count it. */
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
  readonly avgResponseTime: number | null;
  /** From 0 to 100. */
  readonly successRate: number | null;
  readonly lastExecution: string | null;
}

/** What of a tool finds its counters. */
type CountedTool = Pick<ToolRow, "id" | "name" | "originalName">;
type CountedUpstream = Pick<GatewayRow, "name">;

interface Sums {
  readonly count: number;
  readonly failed: number;
  readonly seconds: number;
  readonly least: number | null;
  readonly greatest: number | null;
  readonly lastMs: number | null;
}

const NOTHING: Sums = { count: 0, failed: 0, seconds: 0, least: null, greatest: null, lastMs: null };

const MAX_TOP = 10;

export class Executions {
  readonly #families: ReadonlyMap<string, FamilySnapshot>;
  readonly #failedByTool: ReadonlyMap<string, number>;
  readonly #timeByTool: ReadonlyMap<string, readonly number[]>;

  /** @param snapshots of all workers */
  constructor(snapshots: readonly MetricsSnapshot[]) {
    const sums = new MetricSums();
    for (const family of snapshots.flat()) sums.add(family);
    this.#families = new Map(sums.families().map((family) => [family.name, family]));
    this.#timeByTool = new Map(this.#valuesOf("sluice_tool_call_duration_seconds"));
    const failed = new Map<string, number>();
    for (const [key, [count]] of this.#valuesOf("sluice_tool_calls_total")) {
      const at = key.lastIndexOf(SEPARATOR);
      const tool = key.slice(0, at);
      if (key.slice(at + 1) !== "success") failed.set(tool, (failed.get(tool) ?? 0) + count!);
    }
    this.#failedByTool = failed;
  }

  /** The calls of a tool, by whomever and through whichever virtual server. */
  ofTool(tool: CountedTool, upstream: CountedUpstream): ExecutionMetrics {
    return shown(this.#sumsOf([upstream.name, tool.originalName].join(SEPARATOR)));
  }

  ofAllTools(): ExecutionMetrics {
    return shown([...this.#timeByTool.keys()].map((key) => this.#sumsOf(key)).reduce(joined, NOTHING));
  }

  /** The requests of clients by this method. Their least and greatest durations are not kept. */
  ofMethod(method: string): ExecutionMetrics {
    let sums = NOTHING;
    for (const [key, values] of this.#valuesOf("mcp_server_operation_duration_seconds")) {
      const [name, errorType] = key.split(SEPARATOR);
      if (name !== method) continue;
      const count = values.slice(0, -1).reduce((sum, count) => sum + count, 0);
      const failed = errorType === "" ? 0 : count;
      sums = joined(sums, { ...NOTHING, count, failed, seconds: values[BUCKETS.length + 1]! });
    }
    return shown(sums);
  }

  /** The tools with the most calls. */
  topTools(
    tools: readonly { readonly row: CountedTool; readonly gateway: CountedUpstream }[],
  ): TopPerformer[] {
    const called = tools.map(({ row, gateway }) => ({ row, calls: this.ofTool(row, gateway) }))
      .filter(({ calls }) => calls.totalExecutions > 0)
      .sort((a, b) => b.calls.totalExecutions - a.calls.totalExecutions);
    return called.slice(0, MAX_TOP).map(({ row: { id, name }, calls }) => ({
      ...{ id, name, executionCount: calls.totalExecutions, avgResponseTime: calls.avgResponseTime },
      successRate: 100 * (1 - calls.failureRate),
      lastExecution: calls.lastExecutionTime,
    }));
  }

  #sumsOf(tool: string): Sums {
    const time = this.#timeByTool.get(tool);
    if (time === undefined || time[0] === 0) return NOTHING;
    const [count, seconds, least, greatest, lastMs] = time as [number, number, number, number, number];
    return { count, failed: this.#failedByTool.get(tool) ?? 0, seconds, least, greatest, lastMs };
  }

  #valuesOf(name: MetricName): FamilySnapshot["values"] {
    return this.#families.get(name)?.values ?? [];
  }
}

function joined(a: Sums, b: Sums): Sums {
  const both = (pick: (...values: number[]) => number, one: number | null, other: number | null) =>
    one === null ? other : other === null ? one : pick(one, other);
  return {
    count: a.count + b.count,
    failed: a.failed + b.failed,
    seconds: a.seconds + b.seconds,
    least: both(Math.min, a.least, b.least),
    greatest: both(Math.max, a.greatest, b.greatest),
    lastMs: both(Math.max, a.lastMs, b.lastMs),
  };
}

function shown({ count, failed, seconds, least, greatest, lastMs }: Sums): ExecutionMetrics {
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
