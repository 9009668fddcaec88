// Reads the members of a virtual server from a request, and the names and descriptions of its tools.
import { canSee } from "../../auth/rbac.ts";
import type { Selection } from "../../catalog/snapshot/membership.ts";
import type { Entities } from "../../store/registry/entities.ts";
import type { EntityRow, ServerRow, ToolOverride } from "../../store/registry/rows.ts";
import type { Call } from "../rest/deps.ts";
import { type Fault, fault } from "../rest/faults.ts";
import type { ServerInput } from "../rest/schemas.ts";
import { memberIdsOf } from "../rest/server_names.ts";

/** A server without members. */
export const NO_MEMBERS: Selection = {
  toolIds: [],
  resourceIds: [],
  promptIds: [],
  gatewayIds: [],
  memberTags: [],
  excluded: [],
};

/**
 * What a request says about the members. The result has no field that is not in the request. Members that the caller may not see stay: a
 * caller sends back the members that an answer has shown.
 * @param former the server's members before the request
 */
export async function requestedMembers(
  { deps, principal }: Call,
  input: ServerInput,
  loc: readonly string[],
  former: Selection = NO_MEMBERS,
): Promise<{ members: Partial<Selection>; faults: Fault[] }> {
  const faults: Fault[] = [];
  const { tools, resources, prompts, gateways } = deps.store;
  const resolve = async <Row extends EntityRow>(
    { field, noun, entities, keysOf, former }: {
      field: "associated_tools" | "associated_resources" | "associated_prompts" | "associated_gateways";
      noun: string;
      entities: Entities<Row>;
      keysOf: (row: Row) => readonly string[];
      former: readonly string[];
    },
  ): Promise<string[] | undefined> => {
    const wanted = input[field];
    if (wanted === undefined) return undefined;
    const isSeen = (row: Row) => canSee(principal, row);
    const byId = new Map(
      (await entities.list({ ids: [...new Set([...former, ...wanted ?? []])] })).map((row) => [row.id, row]),
    );
    const kept = former.filter((id) => byId.has(id) && !isSeen(byId.get(id)!));
    if (wanted === null || wanted.length === 0) return kept;
    const areIds = wanted.every((key) => byId.has(key));
    const byKey = new Map<string, string[]>();
    for (const row of (areIds ? [...byId.values()] : await entities.list()).filter(isSeen)) {
      byKey.set(row.id, [row.id]);
      for (const key of keysOf(row)) {
        const same = byKey.get(key);
        if (same === undefined) byKey.set(key, [row.id]);
        else same.push(row.id);
      }
    }
    const chosen = wanted.flatMap((key, i) => {
      const [id, ...others] = byKey.get(key) ?? [];
      if (id === undefined) faults.push(fault([...loc, field, i], `Unknown ${noun}: "${key}"`, "not_found"));
      if (others.length > 0) {
        faults.push(
          fault([...loc, field, i], `"${key}" is the name of several ${noun}s; use an id`, "ambiguous"),
        );
      }
      return id === undefined || others.length > 0 ? [] : [id];
    });
    return [...chosen, ...kept];
  };
  const members = {
    toolIds: await resolve({
      field: "associated_tools",
      noun: "tool",
      entities: tools,
      keysOf: ({ name }) => [name],
      former: former.toolIds,
    }),
    resourceIds: await resolve({
      field: "associated_resources",
      noun: "resource",
      entities: resources,
      keysOf: ({ uri, name, customName }) => [...new Set([uri, name, customName ?? name])],
      former: former.resourceIds,
    }),
    promptIds: await resolve({
      field: "associated_prompts",
      noun: "prompt",
      entities: prompts,
      keysOf: ({ name }) => [name],
      former: former.promptIds,
    }),
    gatewayIds: await resolve({
      field: "associated_gateways",
      noun: "gateway",
      entities: gateways,
      keysOf: ({ name, slug }) => [...new Set([name, slug])],
      former: former.gatewayIds,
    }),
    memberTags: given(input.associated_tags),
    excluded: given(input.excluded),
  };
  const inRequest = Object.entries(members).filter(([, value]) => value !== undefined);
  return { members: Object.fromEntries(inRequest), faults };
}

/** null, like an empty list, removes what was there. */
function given(list: readonly string[] | null | undefined): readonly string[] | undefined {
  return list === undefined ? undefined : [...new Set(list ?? [])];
}

/**
 * The names and descriptions that a request gives the server's tools, by id or name. null removes all; without the field the
 * result is undefined. Those of tools that the caller may not see stay.
 * @param selection the server's members after the request
 * @param former those before the request
 */
export async function requestedOverrides(
  { deps, principal }: Call,
  { tool_overrides: wanted }: ServerInput,
  selection: Selection,
  loc: readonly string[],
  former: ServerRow["toolOverrides"] = {},
): Promise<{ toolOverrides?: ServerRow["toolOverrides"]; faults: Fault[] }> {
  if (wanted === undefined) return { faults: [] };
  const faults: Fault[] = [];
  const { toolIds } = await memberIdsOf(deps.store, selection);
  const tools = (await deps.store.tools.list({ ids: toolIds })).filter((tool) => canSee(principal, tool));
  const idOf = new Map(tools.flatMap(({ id, name }) => [[name, id], [id, id]]));
  const toolOverrides = new Map<string, ToolOverride>();
  const owners = new Map<string, string>();
  for (const [key, words] of Object.entries(wanted ?? {})) {
    const at = [...loc, "tool_overrides", key];
    const id = idOf.get(key);
    if (id === undefined) {
      faults.push(fault(at, `"${key}" is not one of the server's tools`, "not_found"));
      continue;
    }
    if (toolOverrides.has(id)) {
      faults.push(fault(at, `"${key}" occurs twice, by id and by name`, "ambiguous"));
    }
    const { name = null, description = null } = words;
    toolOverrides.set(id, {
      ...(name === null ? {} : { name }),
      ...(description === null ? {} : { description }),
    });
    if (name === null) continue;
    const owner = owners.get(name);
    if (owner !== undefined) {
      faults.push(fault([...at, "name"], `"${owner}" has the name "${name}" already`, "not_unique"));
    }
    owners.set(name, key);
  }
  const hidden = (await deps.store.tools.list({ ids: Object.keys(former) }))
    .filter((tool) => !canSee(principal, tool));
  const kept = hidden.map(({ id }) => [id, former[id]!] as const);
  return { toolOverrides: Object.fromEntries([...kept, ...toolOverrides]), faults };
}
