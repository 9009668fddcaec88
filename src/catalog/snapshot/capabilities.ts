// What an endpoint can do: what its upstreams say of themselves, put together.
import { isObject } from "../../mcp/json_rpc.ts";
import { STATELESS_REVISION } from "../../mcp/revisions.ts";
import { TASKS_EXTENSION } from "../../mcp/tasks.ts";
import type { GatewayRow } from "../../store/registry/rows.ts";

export type Capabilities = Readonly<Record<string, unknown>>;

/** The capabilities of an endpoint's upstreams, the first registered first. */
export interface OfferedCapabilities {
  readonly all: readonly Capabilities[];
  /** Of those that have tools here, of which tasks are made. */
  readonly withTools: readonly Capabilities[];
  /** Of those that have resources or templates here. */
  readonly withResources: readonly Capabilities[];
  /** Of those that have prompts or templates here, whose arguments can be completed. */
  readonly withArguments: readonly Capabilities[];
}

/** Ours to say. */
const NOT_PASSED_ON: ReadonlySet<string> = new Set(["tools", "resources", "prompts", "completions", "tasks"]);

/**
 * The lists change whenever the catalog does, whoever offers them. Everything else comes from the upstreams, what we never
 * heard of included: objects are put together member by member, and of two that differ the first registered counts.
 */
export function mergeCapabilities(
  { all, withTools, withResources, withArguments }: OfferedCapabilities,
): Capabilities {
  const merged = firstOfEach(all);
  const { subscribe: _, ...resources } = objectOf(merged.resources);
  const subscribes = withResources.some(({ resources }) => objectOf(resources).subscribe === true);
  const completes = withArguments.some((capabilities) => Object.hasOwn(capabilities, "completions"));
  const tasks = withTools.map(({ tasks }) => tasks).filter(isObject);
  return {
    tools: { ...objectOf(merged.tools), listChanged: true },
    resources: { ...resources, ...(subscribes ? { subscribe: true } : {}), listChanged: true },
    prompts: { ...objectOf(merged.prompts), listChanged: true },
    ...(completes ? { completions: objectOf(merged.completions) } : {}),
    ...(tasks.length > 0 ? { tasks: tasks.reduce(union) } : {}),
    ...Object.fromEntries(Object.entries(merged).filter(([key]) => !NOT_PASSED_ON.has(key))),
  };
}

/**
 * What an upstream offers in the era that it is spoken to in. Tasks of 2025-11-25 and of the extension are not bridged: what
 * the other era has of them cannot be used.
 */
export function capabilitiesOf({ capabilities, protocolVersion }: GatewayRow): Capabilities {
  return protocolVersion === STATELESS_REVISION ? withoutTasks(capabilities) : withoutExtension(capabilities);
}

/** An endpoint's capabilities as a client of 2026-07-28 may use them, or one of an older revision. */
export function forClient(capabilities: Capabilities, isSessionless: boolean): Capabilities {
  return isSessionless ? withoutTasks(capabilities) : withoutExtension(capabilities);
}

/** Has it a tasks/list that we can ask for? */
export function listsTasks(gateway: GatewayRow): boolean {
  return isObject(objectOf(capabilitiesOf(gateway).tasks).list);
}

function withoutTasks({ tasks: _, ...others }: Capabilities): Capabilities {
  return others;
}

function withoutExtension(capabilities: Capabilities): Capabilities {
  const { extensions, ...others } = capabilities;
  if (!isObject(extensions) || !Object.hasOwn(extensions, TASKS_EXTENSION)) return capabilities;
  const { [TASKS_EXTENSION]: _, ...left } = extensions;
  return Object.keys(left).length === 0 ? others : { ...others, extensions: left };
}

/** All that either has; of two values that differ the first. */
function union(one: Capabilities, other: Capabilities): Capabilities {
  const both = Object.entries(other).map(([key, value]) => {
    const first = Object.hasOwn(one, key) ? one[key] : undefined;
    return [key, isObject(first) && isObject(value) ? union(first, value) : first ?? value];
  });
  return { ...one, ...Object.fromEntries(both) };
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
