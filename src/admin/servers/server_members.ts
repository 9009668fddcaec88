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
 * The members that a request names. The result has no field that is not in the request. Members that the caller may not see stay: a
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
  const resolve = <Row extends EntityRow>(field: MemberField, kind: MemberKind<Row>) =>
    requestedIds(input[field], kind, {
      isSeen: (row) => canSee(principal, row),
      refuse: (index, text, type) => void faults.push(fault([...loc, field, index], text, type)),
    });
  const members = {
    toolIds: await resolve("associated_tools", {
      noun: "tool",
      entities: tools,
      keysOf: ({ name }) => [name],
      former: former.toolIds,
    }),
    resourceIds: await resolve("associated_resources", {
      noun: "resource",
      entities: resources,
      keysOf: ({ uri, name, customName }) => [...new Set([uri, name, customName ?? name])],
      former: former.resourceIds,
    }),
    promptIds: await resolve("associated_prompts", {
      noun: "prompt",
      entities: prompts,
      keysOf: ({ name }) => [name],
      former: former.promptIds,
    }),
    gatewayIds: await resolve("associated_gateways", {
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

type MemberField =
  | "associated_tools"
  | "associated_resources"
  | "associated_prompts"
  | "associated_gateways";

interface MemberKind<Row extends EntityRow> {
  readonly noun: string;
  readonly entities: Entities<Row>;
  /** The names by which a request may name a member in place of its id. */
  readonly keysOf: (row: Row) => readonly string[];
  /** The ids of the members before the request. */
  readonly former: readonly string[];
}

/**
 * The ids of the members that a request names, and those that its caller may not see.
 * @param wanted ids or names; null: no members; undefined: the request does not say
 */
async function requestedIds<Row extends EntityRow>(
  wanted: readonly string[] | null | undefined,
  { noun, entities, keysOf, former }: MemberKind<Row>,
  { isSeen, refuse }: {
    readonly isSeen: (row: EntityRow) => boolean;
    /** @param index of the member in the request */
    readonly refuse: (index: number, text: string, type: string) => void;
  },
): Promise<string[] | undefined> {
  if (wanted === undefined) return undefined;
  const named = await entities.list({ ids: [...new Set([...former, ...wanted ?? []])] });
  const byId = new Map(named.map((row) => [row.id, row]));
  const kept = former.filter((id) => byId.has(id) && !isSeen(byId.get(id)!));
  if (wanted === null || wanted.length === 0) return kept;
  const areIds = wanted.every((key) => byId.has(key));
  const byKey = idsByKey((areIds ? named : await entities.list()).filter(isSeen), keysOf);
  const chosen = wanted.flatMap((key, index) => {
    const [id, ...others] = byKey.get(key) ?? [];
    if (id === undefined) refuse(index, `Unknown ${noun}: "${key}"`, "not_found");
    if (others.length > 0) refuse(index, `"${key}" is the name of several ${noun}s; use an id`, "ambiguous");
    return id === undefined || others.length > 0 ? [] : [id];
  });
  return [...chosen, ...kept];
}

/** The ids of rows by id and by name. */
function idsByKey<Row extends EntityRow>(
  rows: readonly Row[],
  keysOf: (row: Row) => readonly string[],
): ReadonlyMap<string, string[]> {
  const byKey = new Map<string, string[]>();
  for (const row of rows) {
    byKey.set(row.id, [row.id]);
    for (const key of keysOf(row)) {
      const same = byKey.get(key);
      if (same === undefined) byKey.set(key, [row.id]);
      else same.push(row.id);
    }
  }
  return byKey;
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
