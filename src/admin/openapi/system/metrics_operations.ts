// What was executed, also by hour and day, and the operation that begins at zero.
import * as z from "zod";
import { field } from "../../rest/described.ts";
import { historyQuery, resetQuery } from "../../rest/queries.ts";
import { count, EXAMPLE_ID, executions, text, time } from "../answers.ts";
import { operations } from "../operation.ts";

const top = (what: string) =>
  field(
    z.array(z.strictObject({
      id: text("The id of the entity.", EXAMPLE_ID),
      name: text("Its name; a resource without one has its URI.", "time-convert-time"),
      executionCount: count("Its executions."),
      avgResponseTime: field(z.number(), "Their mean time in seconds.", 0.012),
      successRate: field(z.number().min(0).max(100), "Those that succeeded, in percent.", 100),
      lastExecution: time("When the last one ended."),
    })),
    `The ten ${what} that were executed most.`,
  );

export const executedMetrics = z.strictObject({
  tools: field(executions, "All calls of tools."),
  resources: field(executions, "All reads of resources of the registry."),
  prompts: field(executions, "All prompts that were got."),
  servers: field(executions, "All of these at virtual servers."),
  topPerformers: z.strictObject({
    tools: top("tools"),
    resources: top("resources"),
    prompts: top("prompts"),
    servers: top("virtual servers"),
  }).describe("The busiest of each kind, the busiest first."),
}).describe("Executions since the last reset, as ContextForge shows them.");

export const metricsOperations = operations("Operation", {
  readExecutionHistory: {
    summary: "Read executions by hour or day",
    description:
      "Of one entity, on all replicas, in UTC. Hours are kept for `METRICS_RETENTION_DAYS`, days for " +
      "`METRICS_ROLLUP_RETENTION_DAYS`. A reset deletes them.",
    query: historyQuery,
    answers: {
      200: z.strictObject({
        entity: text("As it was asked for.", "tool"),
        entity_id: text("As it was asked for.", EXAMPLE_ID),
        by: text("As it was asked for.", "hour"),
        spans: field(
          z.array(executions.extend({ start: time("When the hour or day begins.") })),
          "The first first. Hours and days without an execution are left out.",
        ),
      }),
    },
  },
  resetMetrics: {
    summary: "Begin executions at zero",
    description: "Of everything, of a kind, or of one entity. The counters of `/metrics/prometheus` go on.",
    query: resetQuery,
    answers: {
      200: z.strictObject({
        status: field(z.literal("success"), "Always `success`.", "success"),
        message: text("What begins at zero.", "The metrics of everything begin at zero"),
      }),
    },
  },
});
