// What a 2026-07-28 client hears while a call is under way: what the open request has asked for.
import { memberText, memberValue, replaceMember, type RequestMessage } from "../../mcp/json_rpc.ts";
import { metaText } from "../../mcp/request_meta.ts";
import { rankOf } from "../../proxy/methods/logging.ts";
import { LIST_CHANGED } from "../client/list_changes.ts";

/**
 * What belongs to no call, whoever sends it on a call's stream: lists and resources are listened to by a request of their own, only
 * clients cancel calls, and of what a visit came to the revision tells nobody ("Receiving Messages"; "Cancellation"; "Key Changes").
 */
const OF_NO_CALL: ReadonlySet<unknown> = new Set([
  ...Object.values(LIST_CHANGED),
  "notifications/resources/updated",
  "notifications/subscriptions/acknowledged",
  "notifications/cancelled",
  "notifications/elicitation/complete",
]);

/**
 * A notification of the call as its client gets it, as JSON text; null: not at all. Log messages come from the level on that the
 * request names (logging, "Per-request log level").
 * @param isResumed the call was begun by an earlier request, and knows the progress token of that one: it reports under the token of
 *  the open request, if that has any (progress, "Behavior Requirements")
 */
export function heardBy(
  request: RequestMessage,
  text: string,
  { logLevel, isResumed }: { readonly logLevel: string | null; readonly isResumed: boolean },
): string | null {
  // Some write the slash with an escape.
  const method = memberValue(text, "method");
  switch (method) {
    case "notifications/message":
      return logLevel !== null && rankOf(levelIn(text)) >= rankOf(logLevel) ? text : null;
    case "notifications/progress":
      return isResumed ? withToken(text, metaText(request, "progressToken")) : text;
    default:
      return OF_NO_CALL.has(method) ? null : text;
  }
}

function levelIn(text: string): unknown {
  return memberValue(memberText(text, "params") ?? "{}", "level");
}

function withToken(text: string, token: string | undefined): string | null {
  if (token === undefined) return null;
  const params = memberText(text, "params") ?? "{}";
  return replaceMember(text, "params", replaceMember(params, "progressToken", token));
}
