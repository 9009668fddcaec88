// tools/list, prompts/list, resources/list, resources/templates/list: what the endpoint shows to this caller.
import { canSee, requirePermission } from "../auth/rbac.ts";
import { SluiceError } from "../base/errors.ts";
import type { Entry, Scope, Shelf } from "../catalog/catalog.ts";
import { isObject } from "../mcp/json_rpc.ts";
import type { EntityRow } from "../store/store.ts";
import type { CallContext, Handler } from "./call_context.ts";
import type { UpstreamCaller } from "./upstream_caller.ts";

/** The key of a list's `_meta` that names the upstreams whose entries cannot be used now. */
const UNAVAILABLE_KEY = "sluice/unavailableUpstreams";

interface List {
  /** Of the result's array. */
  readonly key: string;
  readonly permission: string;
  readonly shelfOf: (scope: Scope) => Shelf<Entry<EntityRow>>;
}

const LISTS: Readonly<Record<string, List>> = {
  "tools/list": { key: "tools", permission: "tools.read", shelfOf: ({ tools }) => tools },
  "prompts/list": { key: "prompts", permission: "prompts.read", shelfOf: ({ prompts }) => prompts },
  "resources/list": { key: "resources", permission: "resources.read", shelfOf: ({ resources }) => resources },
  "resources/templates/list": {
    key: "resourceTemplates",
    permission: "resources.read",
    shelfOf: ({ templates }) => templates,
  },
};

export function listHandlers(caller: UpstreamCaller): [method: string, handler: Handler][] {
  return Object.entries(LISTS).map(([method, list]) => [method, (call, { params }) => {
    requirePermission(call.principal, list.permission);
    // Lists are one page, so no cursor is ours.
    if (isObject(params) && params.cursor !== undefined) {
      throw new SluiceError("INVALID_PARAMS", { reason: "unknown cursor" });
    }
    return { text: render(caller, call, list), failed: false };
  }]);
}

/** A dead upstream takes nothing off the list: the list says who is missing. */
function render(caller: UpstreamCaller, { principal, scope }: CallContext, { key, shelfOf }: List): string {
  const shelf = shelfOf(scope);
  const visible = shelf.allPublic ? null : shelf.entries.filter(({ row }) => canSee(principal, row));
  const items = visible === null ? shelf.listText : visible.map(({ listText }) => listText).join(",");
  const missing = caller.missing(visible === null ? shelf.gateways : visible.map(({ gateway }) => gateway));
  const meta = missing.length === 0 ? "" : `,"_meta":${JSON.stringify({ [UNAVAILABLE_KEY]: missing })}`;
  return `{${JSON.stringify(key)}:[${items}]${meta}}`;
}
