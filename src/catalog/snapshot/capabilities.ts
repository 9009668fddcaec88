// Merges the capabilities of an endpoint's upstreams.
import { isObject } from "../../mcp/json_rpc.ts";
import { spokenRevisions } from "../../mcp/spoken_revisions.ts";
import { TASKS_EXTENSION } from "../../mcp/tasks.ts";
import type { GatewayRow } from "../../store/registry/rows.ts";

export type Capabilities = Readonly<Record<string, unknown>>;

/** The capabilities of an endpoint's upstreams, in registration order. */
export interface OfferedCapabilities {
  readonly all: readonly Capabilities[];
  /** Of upstreams with tools at this endpoint, from which tasks are made. */
  readonly withTools: readonly Capabilities[];
  /** Of upstreams with resources or templates at this endpoint, or with tools, which can name resources. */
  readonly withResources: readonly Capabilities[];
  /** Of upstreams with prompts or templates at this endpoint, whose arguments can be completed. */
  readonly withArguments: readonly Capabilities[];
}

/** Capabilities that the gateway decides itself. */
const NOT_PASSED_ON: ReadonlySet<string> = new Set(["tools", "resources", "prompts", "completions", "tasks"]);

/**
 * Merges capabilities. `listChanged` is always true, because lists change with the catalog. Other capabilities come from the
 * upstreams, including unknown ones. Objects are merged by member; if two upstreams announce different values, the gateway
 * uses that of the upstream registered first.
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
    ...(tasks.length > 0 ? { tasks: union(tasks) } : {}),
    ...Object.fromEntries(Object.entries(merged).filter(([key]) => !NOT_PASSED_ON.has(key))),
  };
}

/** An upstream's capabilities in the revisions that it is spoken to in. Tasks of 2025-11-25 and tasks of the extension are not bridged. */
export function capabilitiesOf(gateway: GatewayRow): Capabilities {
  const { sessions, stateless } = spokenRevisions(gateway);
  const own = sessions ? gateway.capabilities : withoutTasks(gateway.capabilities);
  return stateless ? own : withoutExtension(own);
}

/** An endpoint's capabilities for clients of 2026-07-28, or of the revisions with sessions. */
export function forClient(capabilities: Capabilities, isSessionless: boolean): Capabilities {
  return isSessionless ? withoutTasks(capabilities) : withoutExtension(capabilities);
}

/** Whether the upstream has a usable tasks/list. */
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

/** Merges objects deeply. The first value takes precedence. */
function union(all: readonly Capabilities[]): Capabilities {
  return byMember(all, (values) => {
    const [first = null, ...others] = values.slice(values.findIndex((value) => value !== null));
    return isObject(first) ? union([first, ...others.filter(isObject)]) : first;
  });
}

/** Merges objects one level deep. Deeper values, such as one extension's settings, come from one upstream. */
function firstOfEach(all: readonly Capabilities[]): Capabilities {
  return byMember(
    all,
    ([first, ...others]) =>
      isObject(first) ? byMember([first, ...others.filter(isObject)], ([value]) => value) : first,
  );
}

/** Merges all values of a member at once: merging one object after the other copies the first ones again and again. */
function byMember(
  all: readonly Capabilities[],
  merge: (values: readonly unknown[]) => unknown,
): Capabilities {
  const values = Map.groupBy(all.flatMap((each) => Object.entries(each)), ([key]) => key);
  return Object.fromEntries(
    [...values].map(([key, entries]) => [key, merge(entries.map(([, value]) => value))]),
  );
}

function objectOf(value: unknown): Capabilities {
  return isObject(value) ? value : {};
}
