// tools/list, prompts/list, resources/list, resources/templates/list: what the endpoint shows to this caller.
import { canSee, requirePermission } from "../auth/rbac.ts";
import { SluiceError } from "../base/errors.ts";
import type { Entry, Shelf } from "../catalog/catalog.ts";
import { isObject } from "../mcp/json_rpc.ts";
import type { EntityRow } from "../store/store.ts";
import type { RpcAnswer } from "../upstream/session.ts";
import type { CallContext, Handler } from "./call_context.ts";

export const listTools: Handler = (call, { params }) =>
  list(call, params, "tools.read", "tools", call.scope.tools);

export const listPrompts: Handler = (call, { params }) =>
  list(call, params, "prompts.read", "prompts", call.scope.prompts);

export const listResources: Handler = (call, { params }) =>
  list(call, params, "resources.read", "resources", call.scope.resources);

export const listResourceTemplates: Handler = (call, { params }) =>
  list(call, params, "resources.read", "resourceTemplates", call.scope.templates);

function list(
  { principal }: CallContext,
  params: unknown,
  permission: string,
  key: string,
  shelf: Shelf<Entry<EntityRow>>,
): RpcAnswer {
  requirePermission(principal, permission);
  // Lists are one page, so no cursor is ours.
  if (isObject(params) && params.cursor !== undefined) {
    throw new SluiceError("INVALID_PARAMS", { reason: "unknown cursor" });
  }
  const items = shelf.allPublic
    ? shelf.listText
    : shelf.entries.filter(({ row }) => canSee(principal, row)).map(({ listText }) => listText).join(",");
  return { text: `{${JSON.stringify(key)}:[${items}]}`, failed: false };
}
