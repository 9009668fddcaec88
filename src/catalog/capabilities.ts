// What an endpoint can do: what its upstreams say of themselves, put together.
import { isObject } from "../mcp/json_rpc.ts";

export type Capabilities = Readonly<Record<string, unknown>>;

/** The capabilities of an endpoint's upstreams, the first registered first. */
export interface OfferedCapabilities {
  readonly all: readonly Capabilities[];
  /** Of those that have resources or templates here. */
  readonly withResources: readonly Capabilities[];
  /** Of those that have prompts or templates here, whose arguments can be completed. */
  readonly withArguments: readonly Capabilities[];
}

/** Ours to say, or not to be said here: tasks live in an upstream's session, and are not passed through yet. */
const NOT_PASSED_ON: ReadonlySet<string> = new Set(["tools", "resources", "prompts", "completions", "tasks"]);

/**
 * The lists change whenever the catalog does, whoever offers them. Everything else comes from the upstreams, what we never
 * heard of included: objects are put together member by member, and of two that differ the first registered counts.
 */
export function mergeCapabilities({ all, withResources, withArguments }: OfferedCapabilities): Capabilities {
  const merged = firstOfEach(all);
  const { subscribe: _, ...resources } = objectOf(merged.resources);
  const subscribes = withResources.some(({ resources }) => objectOf(resources).subscribe === true);
  const completes = withArguments.some((capabilities) => Object.hasOwn(capabilities, "completions"));
  return {
    tools: { ...objectOf(merged.tools), listChanged: true },
    resources: { ...resources, ...(subscribes ? { subscribe: true } : {}), listChanged: true },
    prompts: { ...objectOf(merged.prompts), listChanged: true },
    ...(completes ? { completions: objectOf(merged.completions) } : {}),
    ...Object.fromEntries(Object.entries(merged).filter(([key]) => !NOT_PASSED_ON.has(key))),
  };
}

/** One level below the key: what is deeper, e.g. one extension's settings, comes from one upstream whole. */
function firstOfEach(all: readonly Capabilities[]): Capabilities {
  const merged = new Map<string, unknown>();
  for (const [key, value] of all.flatMap((capabilities) => Object.entries(capabilities))) {
    const first = merged.get(key);
    if (first === undefined) merged.set(key, value);
    else if (isObject(first) && isObject(value)) merged.set(key, { ...value, ...first });
  }
  return Object.fromEntries(merged);
}

function objectOf(value: unknown): Capabilities {
  return isObject(value) ? value : {};
}
