// Names of the members of virtual servers, and conflicts between them, as a reader or writer of the servers may see them.
import { canSee } from "../../auth/rbac.ts";
import type { Principal } from "../../auth/principal.ts";
import { SluiceError } from "../../base/errors.ts";
import { inListOrder, type Placed } from "../../catalog/snapshot/list_order.ts";
import {
  type Entries,
  growsByItself,
  type MemberIds,
  Membership,
  type Selection,
  takesAllOf,
} from "../../catalog/snapshot/membership.ts";
import { type NameConflict, nameMembers } from "../../catalog/snapshot/scope_names.ts";
import { newSearch, type UriConflict, uriConflicts } from "../../catalog/snapshot/uri_conflicts.ts";
import { chunks, type Entities } from "../../store/registry/entities.ts";
import type { Registry } from "../../store/registry/registry.ts";
import type {
  EntityRow,
  GatewayRow,
  PromptRow,
  ResourceRow,
  ServerRow,
  ToolRow,
} from "../../store/registry/rows.ts";

type Conflict = NameConflict<ToolRow | PromptRow>;

/** The members of servers that a reader may see. */
export interface KnownMembers {
  /** Visible tools by id. */
  readonly tools: ReadonlyMap<string, ToolRow>;
  /** The ids of visible resources, templates and prompts. */
  readonly others: ReadonlySet<string>;
  /** Visible upstreams. */
  readonly gateways: readonly GatewayRow[];
  /** Conflicts of names. The reader may see both members of each. */
  conflictsOf(server: ServerRow): readonly Conflict[];
  /** Conflicts of URIs. The reader may see both members of each. */
  uriConflictsOf(server: ServerRow): readonly UriConflict<Placed<ResourceRow>>[];
}

export async function readMembers(
  store: Registry,
  principal: Principal,
  servers: readonly ServerRow[],
): Promise<KnownMembers> {
  const members = await membersOf(store, servers);
  const isKnown = (row: EntityRow) => canSee(principal, row);
  const search = newSearch();
  return {
    tools: new Map(members.tools.filter(isKnown).map((row) => [row.id, row])),
    others: new Set([...members.resources, ...members.prompts].filter(isKnown).map(({ id }) => id)),
    conflictsOf: (server) =>
      conflictsOf(server, members).filter(({ keptBy, renamed }) => isKnown(keptBy) && isKnown(renamed)),
    uriConflictsOf: (server) => {
      const { resourceIds } = members.idsOf(server);
      return uriConflicts(placedOf(members.resources.filter(isKnown), resourceIds, members), search);
    },
    gateways: members.gateways.filter(isKnown),
  };
}

/**
 * Refuses a write that gives two tools or prompts the same name. A conflict from before, for instance because an upstream was
 * renamed, does not prevent other changes.
 * @throws {SluiceError} CONFLICT with both names
 */
export async function refuseNewConflicts(
  store: Registry,
  principal: Principal,
  { before, after }: { readonly before: ServerRow | null; readonly after: ServerRow },
): Promise<void> {
  const members = await membersOf(store, before === null ? [after] : [before, after]);
  const keyOf = ({ name, keptBy, renamed }: Conflict) => JSON.stringify([name, keptBy.id, renamed.id]);
  const old = new Set(before === null ? [] : conflictsOf(before, members).map(keyOf));
  const conflict = conflictsOf(after, members).find((each) => !old.has(keyOf(each)));
  if (conflict === undefined) return;
  const { kind, name, keptBy, renamed } = conflict;
  const shown = (row: ToolRow | PromptRow) =>
    canSee(principal, row) ? `"${row.name}"` : "a member that you may not see";
  throw new SluiceError("CONFLICT", {
    reason:
      `Two ${kind}s of this server would have the name "${name}": ${shown(keptBy)} and ${shown(renamed)}. ` +
      `Remove one of them, ${
        kind === "tool" ? "rename one in tool_overrides, " : ""
      }or use "naming": "prefixed"`,
  });
}

/** The ids of a server's members, including those that whole upstreams and tags bring in. */
export async function memberIdsOf(store: Registry, server: Selection): Promise<MemberIds> {
  return growsByItself(server) ? new Membership(await readEntries(store, [server])).of(server) : server;
}

interface Members extends Entries {
  readonly gatewaysById: ReadonlyMap<string, GatewayRow>;
  idsOf(server: ServerRow): MemberIds;
}

async function membersOf(store: Registry, servers: readonly ServerRow[]): Promise<Members> {
  const entries = await readEntries(store, servers);
  const membership = new Membership(entries);
  return {
    ...entries,
    gatewaysById: new Map(entries.gateways.map((row) => [row.id, row])),
    idsOf: (server) => membership.of(server),
  };
}

/** All upstreams, and at least the members of these servers. Many upstreams may have nothing to do with them. */
async function readEntries(
  { tools, prompts, resources, gateways }: Registry,
  servers: readonly Selection[],
): Promise<Entries> {
  const all = await gateways.list();
  const union = <T>(of: (server: Selection) => readonly T[]) => [...new Set(servers.flatMap(of))];
  const memberTags = union((server) => server.memberTags);
  const taken = { gatewayIds: union((server) => server.gatewayIds), memberTags };
  const whole = all.filter((gateway) => takesAllOf(taken, gateway));
  const membersIn = async <Row extends EntityRow>(
    entities: Entities<Row>,
    idsOf: (server: Selection) => readonly string[],
  ): Promise<readonly Row[]> => {
    const parts = [await entities.list({ ids: union(idsOf) })];
    for (const chunk of chunks(whole)) {
      parts.push(await entities.list({ gatewayIds: chunk.map(({ id }) => id) }));
    }
    if (memberTags.length > 0) parts.push(await entities.list({ isTagged: true }));
    const byId = new Map<string, Row>();
    for (const rows of parts) for (const row of rows) byId.set(row.id, row);
    return [...byId.values()];
  };
  return {
    tools: await membersIn(tools, ({ toolIds }) => toolIds),
    prompts: await membersIn(prompts, ({ promptIds }) => promptIds),
    resources: await membersIn(resources, ({ resourceIds }) => resourceIds),
    gateways: all,
  };
}

function conflictsOf(server: ServerRow, members: Members): readonly Conflict[] {
  const { toolIds, promptIds } = members.idsOf(server);
  return nameMembers<ToolRow | PromptRow>(server, {
    tools: ownOf(members.tools, toolIds, members),
    prompts: ownOf(members.prompts, promptIds, members),
  }).conflicts;
}

/** The rows of these ids, in list order. */
function ownOf<Row extends ToolRow | PromptRow>(
  rows: readonly Row[],
  ids: readonly string[],
  members: Members,
): Row[] {
  return placedOf(rows, ids, members).map(({ row }) => row);
}

function placedOf<Row extends ToolRow | PromptRow | ResourceRow>(
  rows: readonly Row[],
  ids: readonly string[],
  { gatewaysById }: Members,
): Placed<Row>[] {
  const wanted = new Set(ids);
  return inListOrder(rows.filter(({ id }) => wanted.has(id)), gatewaysById);
}
