// Which headers of a caller pin its upstream sessions, and which of them differ with every request.
import type { Config } from "../../../config/schema.ts";
import { isPassable } from "../../../upstream/client/passthrough.ts";

export type PassingSettings = Pick<
  Config,
  | "enableHeaderPassthrough"
  | "enableSensitiveHeaderPassthrough"
  | "defaultPassthroughHeaders"
  | "mcpSessionPoolEnabled"
  | "mcpSessionPoolIdentityHeaders"
  | "otelEnableObservability"
>;

/** A gateway that continues traces sends its own in place of the caller's. */
const CONTINUED: ReadonlySet<string> = new Set(["traceparent", "tracestate"]);

/** Of proxies, clouds and tracers: their value belongs to one request. */
const OF_ONE_REQUEST: ReadonlySet<string> = new Set([
  ...CONTINUED,
  ...["b3", "x-b3-traceid", "x-b3-spanid", "x-b3-parentspanid", "baggage", "sentry-trace", "uber-trace-id"],
  ...["x-request-id", "request-id", "x-correlation-id", "correlation-id", "x-trace-id", "x-request-start"],
  ...["x-amzn-trace-id", "x-cloud-trace-context", "x-datadog-trace-id", "x-datadog-parent-id"],
  "idempotency-key",
]);

/** The headers among `names` whose value differs with every request. */
export function ofOneRequest(names: readonly string[]): string[] {
  return names.filter((name) => OF_ONE_REQUEST.has(name.toLowerCase()));
}

/** The same, of headers that are passed to upstreams. @param names of an upstream, or the general ones */
export function passedOfOneRequest(names: readonly string[], settings: PassingSettings): string[] {
  if (!settings.enableHeaderPassthrough) return [];
  return ofOneRequest(names).filter((name) =>
    !(settings.otelEnableObservability && CONTINUED.has(name.toLowerCase()))
  );
}

/** Do callers without a token keep their identity at upstreams? */
export function passesIdentity(settings: PassingSettings): boolean {
  const { enableHeaderPassthrough, enableSensitiveHeaderPassthrough, mcpSessionPoolIdentityHeaders } =
    settings;
  const identities = new Set(mcpSessionPoolIdentityHeaders.map((name) => name.toLowerCase()));
  return enableHeaderPassthrough &&
    settings.defaultPassthroughHeaders.map((name) => name.toLowerCase()).some((name) =>
      identities.has(name) && isPassable(name, enableSensitiveHeaderPassthrough)
    );
}
