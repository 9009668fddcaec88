// The `_meta` claims of a 2026-07-28 request, and the headers that repeat its params.
import { isObject, type JsonObject, memberText, type RequestMessage } from "./json_rpc.ts";
import { META } from "./revisions.ts";

/** The `_meta` object of a message's params; undefined: none. */
export function metaOf(params: unknown): JsonObject | undefined {
  const meta = isObject(params) ? params._meta : undefined;
  return isObject(meta) ? meta : undefined;
}

/** Whether a message claims a revision in its `_meta`. The rules of 2026-07-28 then apply, even if the claim is invalid. */
export function claimsRevision(params: unknown): boolean {
  const meta = metaOf(params);
  return meta !== undefined && META.protocolVersion in meta;
}

/** A member of the request's `_meta`, as the client's text. */
export function metaText(message: RequestMessage, key: string): string | undefined {
  const params = memberText(message.text, "params");
  const meta = params === undefined ? undefined : memberText(params, "_meta");
  return meta === undefined ? undefined : memberText(meta, key);
}

/**
 * The params member that `Mcp-Name` repeats, by method (2026-07-28, transports, "Standard Headers"; tasks extension, "Routing
 * Headers").
 */
export const NAMED_BY: Readonly<Record<string, string>> = {
  "tools/call": "name",
  "prompts/get": "name",
  "resources/read": "uri",
  "tasks/get": "taskId",
  "tasks/update": "taskId",
  "tasks/cancel": "taskId",
};
