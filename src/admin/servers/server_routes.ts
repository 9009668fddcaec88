// Room `servers`: handlers of virtual servers, each a selection of tools, resources and prompts. `routes.ts` loads them. This
// file serves /servers.
import type { MemberIds } from "../../catalog/snapshot/membership.ts";
import type { Entities } from "../../store/registry/entities.ts";
import type { ServerRow } from "../../store/registry/rows.ts";
import { metricsOf } from "../metrics/execution_metrics.ts";
import { deleting, type Noun, switching } from "../rest/crud.ts";
import { type AdminResponse, type Call, ok } from "../rest/deps.ts";
import { type Fault, notSupported, soundFields, validated } from "../rest/faults.ts";
import {
  changeableRow,
  gatewaysById,
  newSharing,
  placed,
  requireMove,
  sharingChanges,
  sharingFaults,
  visibleRow,
} from "../rest/lookup.ts";
import { listed, type ListedRow, paged, readListQuery, type Select, selected } from "../rest/paging.ts";
import { type KnownFields, readFields } from "../rest/fields.ts";
import { serverCreate, serverUpdate, serverWrapper } from "../rest/schemas.ts";
import { NO_MEMBERS, requestedMembers, requestedOverrides } from "./server_members.ts";
import { memberIdsOf, readMembers, refuseNewConflicts } from "../rest/server_names.ts";
import { promptRead, resourceRead, serverRead, toolRead } from "../rest/shapes.ts";

/** Fields of ContextForge for features that the gateway lacks. A value that asks for the feature is refused. */
const JUDGED_FIELDS = ["associated_a2a_agents", "oauth_enabled"];
const WITHOUT_EFFECT = ["oauth_config"];

const SERVER_WRAPPER: KnownFields = { schema: serverWrapper };
const SERVER_CREATE: KnownFields = {
  schema: serverCreate,
  judged: JUDGED_FIELDS,
  withoutEffect: WITHOUT_EFFECT,
};
const SERVER_UPDATE: KnownFields = { ...SERVER_CREATE, schema: serverUpdate };

const SERVER: Noun<ServerRow> = {
  word: "Server",
  stateKey: null,
  entities: ({ servers }) => servers,
  read,
};

export const deleteServer = deleting(SERVER);
export const switchServer = switching(SERVER);

const select: Select<ServerRow> = async ({ deps, principal }, query) => ({
  rows: selected(await deps.store.servers.list(), principal, query),
  async show(page) {
    const members = await readMembers(deps.store, principal, page);
    return page.map((row) => serverRead(row, members));
  },
});

export const listServers = listed("servers", select);
export const pageServers = paged("/admin/servers", select);

export async function getServer(call: Call): Promise<AdminResponse> {
  const row = await visibleRow(call, "Server", call.deps.store.servers);
  const metrics = await metricsOf(call.deps.executions, "server", row.id);
  return ok({ ...await read(call, row), metrics });
}

export async function createServer(call: Call): Promise<AdminResponse> {
  const { deps, principal } = call;
  const body = readFields(call, await call.body(), ["body"], SERVER_WRAPPER);
  const loc = ["body", "server"];
  const fields = readFields(call, body.server, loc, SERVER_CREATE);
  const raw = placed(principal, "servers.create", {
    team_id: body.team_id,
    visibility: body.visibility,
    ...fields,
  });
  const sound = soundFields(serverCreate, raw);
  const { members, faults } = await requestedMembers(call, sound, loc);
  const selection = { ...NO_MEMBERS, ...members };
  const overrides = await requestedOverrides(call, sound, selection, loc);
  const input = validated(serverCreate, raw, loc, [
    ...faults,
    ...overrides.faults,
    ...unsupportedFaults(raw, loc),
    ...sharingFaults(raw, null, loc),
  ]);
  const row = await deps.store.transaction(async (store) => {
    const inserted = await store.servers.insert({
      id: input.id ?? undefined,
      name: input.name,
      description: input.description ?? null,
      icon: input.icon ?? null,
      naming: input.naming ?? "prefixed",
      toolOverrides: overrides.toolOverrides ?? {},
      serverInfo: input.server_info ?? null,
      instructions: input.instructions ?? null,
      revisions: input.revisions ?? "auto",
      enabled: true,
      ...newSharing(input, principal),
      ...selection,
    });
    await refuseNewConflicts(store, principal, { before: null, after: inserted });
    return inserted;
  });
  await deps.catalogChanged();
  return ok(await read(call, row), 201);
}

export async function updateServer(call: Call): Promise<AdminResponse> {
  const { deps, principal } = call;
  const row = await changeableRow(call, "Server", deps.store.servers);
  const raw = readFields(call, await call.body(), ["body"], SERVER_UPDATE);
  requireMove(call, raw, row);
  const sound = soundFields(serverUpdate, raw);
  const { members, faults } = await requestedMembers(call, sound, ["body"], row);
  const overrides = await requestedOverrides(
    call,
    sound,
    { ...row, ...members },
    ["body"],
    row.toolOverrides,
  );
  const input = validated(serverUpdate, raw, ["body"], [
    ...faults,
    ...overrides.faults,
    ...unsupportedFaults(raw, ["body"]),
    ...sharingFaults(raw, row, ["body"]),
  ]);
  const after = await deps.store.transaction(async (store) => {
    const updated = await store.servers.update(row.id, {
      name: input.name,
      description: input.description,
      icon: input.icon,
      naming: input.naming,
      toolOverrides: overrides.toolOverrides,
      serverInfo: input.server_info,
      instructions: input.instructions,
      revisions: input.revisions,
      ...sharingChanges(input),
      ...members,
      modifiedBy: principal.email,
    });
    await refuseNewConflicts(store, principal, { before: row, after: updated });
    return updated;
  });
  await deps.catalogChanged();
  return ok(await read(call, after));
}

export async function listServerTools(call: Call): Promise<AdminResponse> {
  const { toolIds } = await serverMembers(call);
  const gateways = await gatewaysById(call.deps);
  const rows = await members(call, call.deps.store.tools, toolIds);
  return ok(
    rows.map((row) => toolRead(row, gateways.get(row.gatewayId ?? ""), call.principal)),
  );
}

export async function listServerResources(call: Call): Promise<AdminResponse> {
  const { resourceIds } = await serverMembers(call);
  return ok((await members(call, call.deps.store.resources, resourceIds)).map(resourceRead));
}

export async function listServerPrompts(call: Call): Promise<AdminResponse> {
  const { promptIds } = await serverMembers(call);
  const gateways = await gatewaysById(call.deps);
  const rows = await members(call, call.deps.store.prompts, promptIds);
  return ok(rows.map((row) => promptRead(row, gateways.get(row.gatewayId ?? ""))));
}

async function serverMembers(call: Call): Promise<MemberIds> {
  const { store } = call.deps;
  return await memberIdsOf(store, await visibleRow(call, "Server", store.servers));
}

/** The server's members that the caller may see, in the server's order. */
async function members<Row extends ListedRow>(
  call: Call,
  entities: Entities<Row>,
  ids: readonly string[],
): Promise<Row[]> {
  const rows = selected(await entities.list({ ids }), call.principal, readListQuery(call));
  const place = new Map(ids.map((id, i) => [id, i]));
  return rows.sort((a, b) => place.get(a.id)! - place.get(b.id)!);
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
  return serverRead(row, await readMembers(deps.store, principal, [row]));
}
