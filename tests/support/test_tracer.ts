// Traces as a unit test needs them.
import type { AttributeValue, Subject } from "../../src/telemetry/traces/span.ts";
import { Tracer, type TracerOptions } from "../../src/telemetry/traces/tracer.ts";

/** Samples nothing, and exports what has failed, unless the options say otherwise. */
export function testTracer(options: Partial<TracerOptions> = {}): Tracer {
  return new Tracer({
    sampler: () => false,
    slowMs: Infinity,
    keepsFailed: true,
    maxOpenSpans: 100,
    export: () => {},
    countLost: () => {},
    ...options,
  });
}

/** The attributes that a span's subject tells, also undefined ones. */
export function attributesOf(subject: Subject): Record<string, AttributeValue> {
  const attributes: Record<string, AttributeValue> = {};
  subject.describe({ attribute: (name, value) => void (attributes[name] = value) });
  return attributes;
}
