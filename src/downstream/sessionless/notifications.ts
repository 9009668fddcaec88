// Notifications to a 2026-07-28 client during a call: those that the open request asked for.
import { memberText, memberValue, replaceMember, type RequestMessage } from "../../mcp/json_rpc.ts";
import { metaText } from "../../mcp/request_meta.ts";
import { rankOf } from "../../mcp/log_levels.ts";
import { LIST_CHANGED } from "../client/list_changes.ts";

/**
 * Notifications that never belong to a call. Lists and resources have listen requests; only clients cancel calls; the revision has no
 * `elicitation/complete` ("Receiving Messages"; "Cancellation"; "Key Changes").
 */
const OF_NO_CALL: ReadonlySet<unknown> = new Set([
  ...Object.values(LIST_CHANGED),
  "notifications/resources/updated",
  "notifications/subscriptions/acknowledged",
  "notifications/cancelled",
  "notifications/elicitation/complete",
]);

/**
 * Translates a notification of the call for its client, as JSON text; null: it is not sent. Log messages are sent from the level that
 * the request names (logging, "Per-request log level").
 * @param isResumed an earlier request began the call, with its own progress token. Progress is reported under the token of the open
 *  request, if it has one (progress, "Behavior Requirements")
 */
export function heardBy(
  request: RequestMessage,
  text: string,
  { logLevel, isResumed }: { readonly logLevel: string | null; readonly isResumed: boolean },
): string | null {
  // Some servers escape the slash.
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
