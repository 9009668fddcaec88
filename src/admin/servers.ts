// /servers: virtual servers, each a chosen set of tools, resources and prompts.
import { canSee } from "../auth/rbac.ts";
import type { Principal } from "../auth/principal.ts";
import type { Entities } from "../store/entities.ts";
import type { EntityRow, ServerRow } from "../store/store.ts";
import type { Noun } from "./crud.ts";
import { type AdminDeps, type AdminResponse, type Call, ok } from "./deps.ts";
import { type Fault, fault, notSupported, snakeObject, soundFields, validated } from "./faults.ts";
import { gatewaysById, knownGateway, sharingChanges, sharingFaults, visibleRow } from "./lookup.ts";
import { pageOf, readListQuery, selected } from "./paging.ts";
import { serverCreate, type ServerInput, serverUpdate } from "./schemas.ts";
import { promptRead, resourceRead, serverRead, toolRead } from "./shapes.ts";

type Members = Pick<ServerRow, "toolIds" | "resourceIds" | "promptIds">;

export const SERVER: Noun<ServerRow> = {
  word: "Server",
  stateKey: null,
  entities: ({ servers }) => servers,
  read,
};

export async function listServers(call: Call): Promise<AdminResponse> {
  const { deps, principal } = call;
  const query = readListQuery(call);
  const rows = selected(await deps.store.servers.list(), principal, query);
  const { page, answer } = pageOf(rows, { key: "servers", sortKey: "name", query });
  const names = await toolNames(deps, principal);
  return answer(page.map((row) => serverRead(row, names)));
}

export async function getServer(call: Call): Promise<AdminResponse> {
  return ok(await read(call, await visibleRow(call, "Server", call.deps.store.servers)));
}

export async function createServer(call: Call): Promise<AdminResponse> {
  const { deps, principal } = call;
  const body = snakeObject(await call.body(), ["body"]);
  const loc = ["body", "server"];
  const raw = { team_id: body.team_id, visibility: body.visibility, ...snakeObject(body.server, loc) };
  const { members, faults } = await requestedMembers(call, soundFields(serverCreate, raw), loc);
  const input = validated(serverCreate, raw, loc, [
    ...faults,
    ...unsupportedFaults(raw, loc),
    ...sharingFaults(raw, null, loc),
  ]);
  const row = await deps.store.servers.insert({
    id: input.id ?? undefined,
    name: input.name,
    description: input.description ?? null,
    icon: input.icon ?? null,
    enabled: true,
    visibility: input.visibility ?? "public",
    teamId: input.team_id ?? null,
    ownerEmail: input.owner_email ?? principal.email,
    tags: input.tags ?? [],
    createdBy: principal.email,
    toolIds: members.toolIds ?? [],
    resourceIds: members.resourceIds ?? [],
    promptIds: members.promptIds ?? [],
  });
  await deps.catalogChanged();
  return ok(await read(call, row), 201);
}

export async function updateServer(call: Call): Promise<AdminResponse> {
  const { deps, principal } = call;
  const row = await visibleRow(call, "Server", deps.store.servers);
  const raw = snakeObject(await call.body(), ["body"]);
  const { members, faults } = await requestedMembers(call, soundFields(serverUpdate, raw), ["body"]);
  const input = validated(serverUpdate, raw, ["body"], [
    ...faults,
    ...unsupportedFaults(raw, ["body"]),
    ...sharingFaults(raw, row, ["body"]),
  ]);
  const after = await deps.store.servers.update(row.id, {
    name: input.name,
    description: input.description,
    icon: input.icon,
    ...sharingChanges(input),
    ...members,
    modifiedBy: principal.email,
  });
  await deps.catalogChanged();
  return ok(await read(call, after));
}

export async function listServerTools(call: Call): Promise<AdminResponse> {
  const { toolIds } = await visibleRow(call, "Server", call.deps.store.servers);
  const gateways = await gatewaysById(call.deps);
  const rows = await members(call, call.deps.store.tools, toolIds);
  return ok(
    rows.map((row) => toolRead(row, knownGateway(call.principal, gateways.get(row.gatewayId ?? "")))),
  );
}

export async function listServerResources(call: Call): Promise<AdminResponse> {
  const { resourceIds } = await visibleRow(call, "Server", call.deps.store.servers);
  return ok((await members(call, call.deps.store.resources, resourceIds)).map(resourceRead));
}

export async function listServerPrompts(call: Call): Promise<AdminResponse> {
  const { promptIds } = await visibleRow(call, "Server", call.deps.store.servers);
  const gateways = await gatewaysById(call.deps);
  const rows = await members(call, call.deps.store.prompts, promptIds);
  return ok(rows.map((row) => promptRead(row, gateways.get(row.gatewayId ?? ""))));
}

/** Those of the server's members that the caller may see, in the server's order. */
async function members<Row extends EntityRow & { readonly gatewayId: string | null }>(
  call: Call,
  entities: Entities<Row>,
  ids: readonly string[],
): Promise<Row[]> {
  const rows = selected(await entities.list({ ids }), call.principal, readListQuery(call));
  const place = new Map(ids.map((id, i) => [id, i]));
  return rows.sort((a, b) => place.get(a.id)! - place.get(b.id)!);
}

/** The ids that a request means; what it does not mention stays undefined. */
async function requestedMembers(
  { deps, principal }: Call,
  input: ServerInput,
  loc: readonly string[],
): Promise<{ members: Partial<Members>; faults: Fault[] }> {
  const faults: Fault[] = [];
  const { tools, resources, prompts } = deps.store;
  const resolve = async <Row extends EntityRow>(
    { field, noun, entities, keysOf }: {
      field: "associated_tools" | "associated_resources" | "associated_prompts";
      noun: string;
      entities: Entities<Row>;
      keysOf: (row: Row) => readonly string[];
    },
  ): Promise<string[] | undefined> => {
    const wanted = input[field];
    if (wanted === undefined) return undefined;
    if (wanted === null || wanted.length === 0) return [];
    const byKey = new Map<string, string[]>();
    for (const row of (await entities.list()).filter((each) => canSee(principal, each))) {
      byKey.set(row.id, [row.id]);
      for (const key of keysOf(row)) byKey.set(key, [...byKey.get(key) ?? [], row.id]);
    }
    return wanted.flatMap((key, i) => {
      const [id, ...others] = byKey.get(key) ?? [];
      if (id === undefined) faults.push(fault([...loc, field, i], `Unknown ${noun}: "${key}"`, "not_found"));
      if (others.length > 0) {
        faults.push(
          fault([...loc, field, i], `"${key}" means several ${noun}s; give the id of one`, "ambiguous"),
        );
      }
      return id === undefined || others.length > 0 ? [] : [id];
    });
  };
  const members = {
    toolIds: await resolve({
      field: "associated_tools",
      noun: "tool",
      entities: tools,
      keysOf: ({ name }) => [name],
    }),
    resourceIds: await resolve({
      field: "associated_resources",
      noun: "resource",
      entities: resources,
      keysOf: ({ uri, name }) => [...new Set([uri, name])],
    }),
    promptIds: await resolve({
      field: "associated_prompts",
      noun: "prompt",
      entities: prompts,
      keysOf: ({ name }) => [name],
    }),
  };
  return { members, faults };
}

function unsupportedFaults(raw: Readonly<Record<string, unknown>>, loc: readonly string[]): Fault[] {
  const faults: Fault[] = [];
  const { associated_a2a_agents: agents, oauth_enabled: oauth } = raw;
  if (Array.isArray(agents) ? agents.length > 0 : Boolean(agents)) {
    faults.push(notSupported([...loc, "associated_a2a_agents"], "an A2A agent in a server"));
  }
  if (oauth === true) faults.push(notSupported([...loc, "oauth_enabled"], "OAuth for a server"));
  return faults;
}

async function read({ deps, principal }: Call, row: ServerRow) {
  const tools = await deps.store.tools.list({ ids: row.toolIds });
  const names = tools.filter((tool) => canSee(principal, tool)).map(({ id, name }) => [id, name] as const);
  return serverRead(row, new Map(names));
}

async function toolNames({ store }: AdminDeps, principal: Principal): Promise<Map<string, string>> {
  const tools = (await store.tools.list()).filter((tool) => canSee(principal, tool));
  return new Map(tools.map(({ id, name }) => [id, name]));
}
