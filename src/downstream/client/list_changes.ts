// Finds which lists have changed for a client, and sends the `list_changed` notifications. A client hears of a change that it can see:
// in its own list, at its endpoint, with its token.
import type { Principal } from "../../auth/principal.ts";
import { METHOD_PERMISSIONS } from "../../auth/method_permissions.ts";
import type { Permission } from "../../auth/permission_table.ts";
import { canSee, includesPermission, visibilityKey } from "../../auth/rbac.ts";
import type { Catalog, Entry, EntryIndex, Scope } from "../../catalog/snapshot/catalog.ts";
import { reachedScope } from "../../catalog/snapshot/reach.ts";
import { notificationText } from "../../mcp/json_rpc.ts";
import type { EntityRow } from "../../store/registry/rows.ts";

export const LIST_CHANGED = {
  tools: "notifications/tools/list_changed",
  prompts: "notifications/prompts/list_changed",
  resources: "notifications/resources/list_changed",
} as const;

export type ListChangedMethod = typeof LIST_CHANGED[keyof typeof LIST_CHANGED];

/** A client that may hear of changed lists, over any transport. */
export interface ListListener {
  /** The virtual server of its endpoint or token; null: everything. */
  readonly serverId: string | null;
  /** Null: nobody has used the session in this worker yet. */
  readonly principal: Principal | null;
  /** The version of the catalog when the client could first list; null: not known. */
  readonly since: string | null;
  /** Does the client receive this notification outside calls? */
  hears(method: ListChangedMethod): boolean;
  /** @param message JSON text */
  notify(message: string): void;
  /** Follows the new catalog itself, because its own sessions list other things. @returns false: it sees what others see */
  follows?(catalog: Catalog): boolean;
}

interface Kind {
  readonly method: ListChangedMethod;
  readonly permission: Permission;
  readonly indexesIn: (scope: Scope) => readonly EntryIndex<Entry<EntityRow>>[];
}

const KINDS: readonly Kind[] = [
  {
    method: LIST_CHANGED.tools,
    permission: METHOD_PERMISSIONS["tools/list"],
    indexesIn: ({ tools }) => [tools],
  },
  {
    method: LIST_CHANGED.prompts,
    permission: METHOD_PERMISSIONS["prompts/list"],
    indexesIn: ({ prompts }) => [prompts],
  },
  {
    method: LIST_CHANGED.resources,
    permission: METHOD_PERMISSIONS["resources/list"],
    indexesIn: ({ resources, templates }) => [resources, templates],
  },
];

/**
 * Notifies the clients whose lists have changed since they could list them.
 * @param former the catalogs since clients were last notified, the oldest first
 */
export function announceListChanges(
  listeners: Iterable<ListListener>,
  former: readonly Catalog[],
  after: Catalog,
): void {
  const known = [...former, after];
  // Clients that see the same entries of one endpoint share the comparison.
  const changes = new Map<string, readonly Kind[]>();
  for (const listener of listeners) {
    const { serverId, principal, since } = listener;
    if (principal === null || listener.follows?.(after) === true) continue;
    const before = known.findLast(({ version }) => version === since) ?? known[0]!;
    if (before === after) continue;
    const key = JSON.stringify([serverId, visibilityKey(principal), before.version]);
    let changed = changes.get(key);
    if (changed === undefined) {
      changes.set(key, changed = changedKinds(before, after, { serverId, principal }));
    }
    notifyOf(changed, listener);
  }
}

/** Notifies one client whose lists differ between two scopes. */
export function announceScopeChange(listener: ListListener, before: Scope, after: Scope): void {
  if (before !== after && listener.principal !== null) {
    notifyOf(changedIn(before, after, listener.principal), listener);
  }
}

function notifyOf(changed: readonly Kind[], listener: ListListener): void {
  const { principal } = listener;
  for (const { method, permission } of changed) {
    if (principal === null || !listener.hears(method) || !includesPermission(principal, permission)) continue;
    listener.notify(notificationText(method));
  }
}

function changedKinds(
  before: Catalog,
  after: Catalog,
  reacher: { readonly serverId: string | null; readonly principal: Principal },
): readonly Kind[] {
  const scope = reachedScope(after, reacher);
  return scope === null ? [] : changedIn(reachedScope(before, reacher), scope, reacher.principal);
}

function changedIn(former: Scope | null, scope: Scope, principal: Principal): readonly Kind[] {
  return KINDS.filter(({ indexesIn }) => {
    const formerly = former === null ? [] : indexesIn(former);
    return indexesIn(scope).some((index, i) => !isSameList(formerly[i], index, principal));
  });
}

function isSameList(
  before: EntryIndex<Entry<EntityRow>> | undefined,
  after: EntryIndex<Entry<EntityRow>>,
  principal: Principal,
): boolean {
  if (before === after) return true;
  if (before?.allPublic && after.allPublic) return before.listText === after.listText;
  const [formerly, now] = [visibleEntries(before, principal), visibleEntries(after, principal)];
  return formerly.length === now.length &&
    now.every(({ listText }, i) => listText === formerly[i]!.listText);
}

function visibleEntries(
  index: EntryIndex<Entry<EntityRow>> | undefined,
  principal: Principal,
): readonly Entry<EntityRow>[] {
  return index?.entries.filter(({ row }) => canSee(principal, row)) ?? [];
}
