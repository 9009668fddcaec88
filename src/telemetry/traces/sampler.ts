// Decides at the beginning of a trace whether it is exported: the samplers of OTEL_TRACES_SAMPLER
// (https://opentelemetry.io/docs/specs/otel/trace/sdk/#sampling).
import type { TraceContext } from "./trace_context.ts";

export const SAMPLERS = [
  "always_on",
  "always_off",
  "traceidratio",
  "parentbased_always_on",
  "parentbased_always_off",
  "parentbased_traceidratio",
] as const;

export type SamplerName = typeof SAMPLERS[number];

/** @param parent null: the trace begins here */
export type Sampler = (traceId: string, parent: TraceContext | null) => boolean;

/** The last digits of a trace id that are compared with the ratio: as many as a number holds exactly. */
const RANDOM_DIGITS = 13;

/** @param ratio OTEL_TRACES_SAMPLER_ARG, 0 to 1 */
export function samplerOf(name: SamplerName, ratio: number): Sampler {
  const root = rootSampler(name.replace("parentbased_", ""), ratio);
  return name.startsWith("parentbased_")
    ? (traceId, parent) => parent === null ? root(traceId) : parent.isSampled
    : root;
}

/** Programs with the same ratio agree about a trace, since its id decides. */
function rootSampler(name: string, ratio: number): (traceId: string) => boolean {
  if (name === "always_on") return () => true;
  if (name === "always_off") return () => false;
  const bound = ratio * 16 ** RANDOM_DIGITS;
  return (traceId) => parseInt(traceId.slice(-RANDOM_DIGITS), 16) < bound;
}
