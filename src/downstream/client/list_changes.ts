// Finds which lists of an endpoint a new catalog has changed, and sends the `list_changed` notifications to clients.
import type { Catalog, Scope } from "../../catalog/snapshot/catalog.ts";
import { notificationText } from "../../mcp/json_rpc.ts";

export const LIST_CHANGED = {
  tools: "notifications/tools/list_changed",
  prompts: "notifications/prompts/list_changed",
  resources: "notifications/resources/list_changed",
} as const;

export type ListChangedMethod = typeof LIST_CHANGED[keyof typeof LIST_CHANGED];

/** An upstream announced a changed list. Clients that see its entries are notified even if the catalog shows no difference. */
export interface UpstreamChange {
  readonly gatewayId: string;
  readonly method: string;
}

/** A client with a session, over any transport. */
export interface ListListener {
  /** The virtual server of its endpoint; null: everything. */
  readonly serverId: string | null;
  /** Does it receive messages that belong to no call? */
  readonly isListening: boolean;
  notify(message: string): void;
}

/** Notifies the clients that listen. @param said changes that upstreams announced */
export function announceListChanges(
  listeners: Iterable<ListListener>,
  before: Catalog,
  after: Catalog,
  said: readonly UpstreamChange[] = [],
): void {
  for (const listener of listeners) {
    if (!listener.isListening) continue;
    const { serverId } = listener;
    for (const method of changedLists(before.scope(serverId), after.scope(serverId), said)) {
      listener.notify(notificationText(method));
    }
  }
}

/** @param said changes that upstreams announced */
export function changedLists(
  before: Scope | undefined,
  after: Scope | undefined,
  said: readonly UpstreamChange[] = [],
): ListChangedMethod[] {
  const methods: ListChangedMethod[] = [];
  const shows = (method: string) =>
    said.some((change) =>
      change.method === method && after !== undefined && gatewaysOf(after, method).has(change.gatewayId)
    );
  const note = (method: ListChangedMethod, isChanged: boolean) => {
    if (isChanged || shows(method)) methods.push(method);
  };
  note(LIST_CHANGED.tools, before?.tools.listText !== after?.tools.listText);
  note(LIST_CHANGED.prompts, before?.prompts.listText !== after?.prompts.listText);
  note(
    LIST_CHANGED.resources,
    before?.resources.listText !== after?.resources.listText ||
      before?.templates.listText !== after?.templates.listText,
  );
  return methods;
}

function gatewaysOf(scope: Scope, method: string): ReadonlySet<string> {
  const indexes = method === LIST_CHANGED.tools
    ? [scope.tools]
    : method === LIST_CHANGED.prompts
    ? [scope.prompts]
    : [scope.resources, scope.templates];
  return new Set(indexes.flatMap(({ gateways }) => gateways.map(({ id }) => id)));
}
