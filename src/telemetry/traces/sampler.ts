// Decides at the beginning of a trace whether it is exported: the samplers of OTEL_TRACES_SAMPLER
// (https://opentelemetry.io/docs/specs/otel/trace/sdk/#sampling).
import { randomIn, type TraceContext } from "./trace_context.ts";

export const SAMPLERS = [
  "always_on",
  "always_off",
  "traceidratio",
  "parentbased_always_on",
  "parentbased_always_off",
  "parentbased_traceidratio",
] as const;

export type SamplerName = typeof SAMPLERS[number];

/**
 * @param parent null: the trace begins here
 * @param random 0 to 1: of a trace that begins here, and becomes a part of its id
 */
export type Sampler = (parent: TraceContext | null, random: number) => boolean;

/** @param ratio OTEL_TRACES_SAMPLER_ARG, 0 to 1 */
export function samplerOf(name: SamplerName, ratio: number): Sampler {
  const root = rootSampler(name.replace("parentbased_", ""), ratio);
  return name.startsWith("parentbased_")
    ? (parent, random) => parent === null ? root(null, random) : parent.isSampled
    : root;
}

/** Programs with the same ratio agree about a trace, since its id decides. */
function rootSampler(name: string, ratio: number): Sampler {
  if (name === "always_on") return () => true;
  if (name === "always_off") return () => false;
  return (parent, random) => (parent === null ? random : randomIn(parent.traceId)) < ratio;
}
