// Which of an endpoint's lists a new catalog has changed, as the notifications that say so.
import type { Scope } from "../catalog/catalog.ts";

export const LIST_CHANGED = {
  tools: "notifications/tools/list_changed",
  prompts: "notifications/prompts/list_changed",
  resources: "notifications/resources/list_changed",
} as const;

export type ListChangedMethod = typeof LIST_CHANGED[keyof typeof LIST_CHANGED];

/** An upstream has said that a list of its own has changed: who shows it says so too, whatever the catalog has noticed. */
export interface UpstreamChange {
  readonly gatewayId: string;
  readonly method: string;
}

/** @param said what upstreams have announced themselves */
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
  const shelves = method === LIST_CHANGED.tools
    ? [scope.tools]
    : method === LIST_CHANGED.prompts
    ? [scope.prompts]
    : [scope.resources, scope.templates];
  return new Set(shelves.flatMap(({ gateways }) => gateways.map(({ id }) => id)));
}
