// What a 2026-07-28 client finds in every answer, added where a handler or a legacy upstream has not put it.
import { memberText, replaceMember } from "../mcp/json_rpc.ts";
import { withMember } from "../mcp/modern.ts";
import { META } from "../mcp/revisions.ts";
import type { RpcAnswer } from "../upstream/client_peer.ts";

/**
 * How long a client may keep a list, ms: who wants to know sooner listens for changes. Not longer than an upstream takes to
 * be noticed that changes without a word.
 */
const LIST_TTL_MS = 60_000;

/** Freshness of what nobody has given any. What a caller sees depends on the caller, so nothing is public. */
const FRESHNESS: Readonly<Record<string, number>> = {
  "server/discover": LIST_TTL_MS,
  "tools/list": LIST_TTL_MS,
  "prompts/list": LIST_TTL_MS,
  "resources/list": LIST_TTL_MS,
  "resources/templates/list": LIST_TTL_MS,
  // Of an upstream that says nothing of its own: it may change at any moment.
  "resources/read": 0,
};

/** Error codes that only older revisions know (2026-07-28, basic, "Error Codes"). */
const RENUMBERED: Readonly<Record<string, string>> = { "-32002": "-32602" };

/** @param serverInfo who answers, as JSON text */
export function completed(method: string, { text, failed }: RpcAnswer, serverInfo: string): RpcAnswer {
  if (failed) {
    const code = RENUMBERED[memberText(text, "code") ?? ""];
    return { text: code === undefined ? text : replaceMember(text, "code", code), failed };
  }
  const ttlMs = FRESHNESS[method];
  let result = text;
  if (ttlMs !== undefined && memberText(text, "resultType") !== '"input_required"') {
    result = withMember(withMember(result, "cacheScope", '"private"'), "ttlMs", String(ttlMs));
  }
  result = withMember(result, "resultType", '"complete"');
  return { text: stamped(result, serverInfo), failed };
}

/** With `_meta` that says which server this is, unless an upstream has said so for itself. */
function stamped(text: string, serverInfo: string): string {
  const meta = memberText(text, "_meta") ?? "{}";
  if (!meta.startsWith("{")) return text;
  return replaceMember(text, "_meta", withMember(meta, META.serverInfo, serverInfo));
}
