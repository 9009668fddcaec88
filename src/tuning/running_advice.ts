// What the tuner would change of a gateway that serves, for a number of users: the sums of `sluice tune --users N --check`, without
// what only the command can look at.
import type { Config } from "../config/schema.ts";
import type { MachineSize } from "../telemetry/checkup.ts";
import { type Advice, adviseSettings } from "./advice.ts";
import { USUAL_LATENCY_MS, USUAL_THINK_MS } from "./demand.ts";
import { planOf } from "./tuning_plan.ts";

export interface RunningAdvice {
  readonly users: number;
  readonly replicas: number;
  /** Settings that do not serve the users. */
  readonly advice: readonly Advice[];
  /** Sentences: where the machine does not suffice. */
  readonly shortfalls: readonly string[];
}

export function adviseRunning(
  users: number,
  { config, machine, replicas }: {
    readonly config: Config;
    readonly machine: MachineSize;
    /** That share the users. */
    readonly replicas: number;
  },
): RunningAdvice {
  const { vcpu, ram_mb: ramMb } = machine;
  const times = { latencyMs: USUAL_LATENCY_MS, thinkMs: USUAL_THINK_MS, callMicros: null };
  const { settings, shortfalls } = planOf({ users, replicas, vcpu, ramMb, ...times }, {
    // A pooler in between cannot be told from the address, and changes no setting of the gateway.
    database: config.databaseUrl.startsWith("sqlite") ? "sqlite" : "postgres",
    redis: config.cacheType === "redis",
    fileMax: null,
  });
  return { users, replicas, advice: adviseSettings(settings, config), shortfalls };
}
