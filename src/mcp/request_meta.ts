// Revision 2026-07-28 on the wire: what a request claims of itself, and what every result must hold.
import {
  findMember,
  isObject,
  type JsonObject,
  memberText,
  replaceMember,
  type RequestMessage,
} from "./json_rpc.ts";
import { META } from "./revisions.ts";

/** The `_meta` object of a message's params; undefined where there is none. */
export function metaOf(params: unknown): JsonObject | undefined {
  const meta = isObject(params) ? params._meta : undefined;
  return isObject(meta) ? meta : undefined;
}

/** Does the message claim a revision in its `_meta`? Then it is judged by the modern rules, whatever the claim is worth. */
export function claimsRevision(params: unknown): boolean {
  const meta = metaOf(params);
  return meta !== undefined && META.protocolVersion in meta;
}

/** The text of a member of the request's `_meta`, as the client wrote it. */
export function metaText(message: RequestMessage, key: string): string | undefined {
  const params = memberText(message.text, "params");
  const meta = params === undefined ? undefined : memberText(params, "_meta");
  return meta === undefined ? undefined : memberText(meta, key);
}

/**
 * The params member that `Mcp-Name` repeats, by method (2026-07-28, transports, "Standard Headers"; tasks extension,
 * "Routing Headers").
 */
export const NAMED_BY: Readonly<Record<string, string>> = {
  "tools/call": "name",
  "prompts/get": "name",
  "resources/read": "uri",
  "tasks/get": "taskId",
  "tasks/update": "taskId",
  "tasks/cancel": "taskId",
};

/** The same object text with a member added, unless it is there. `value` is JSON text. */
export function withMember(text: string, key: string, value: string): string {
  return findMember(text, key) === null ? replaceMember(text, key, value) : text;
}
