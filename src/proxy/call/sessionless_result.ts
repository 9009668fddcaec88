// What a 2026-07-28 client finds in every answer, added where a handler or a legacy upstream has not put it.
import { SluiceError } from "../../base/errors.ts";
import { isObject, memberText, replaceMember } from "../../mcp/json_rpc.ts";
import { withMember } from "../../mcp/request_meta.ts";
import { META } from "../../mcp/revisions.ts";
import type { RpcAnswer } from "../../upstream/client/client_peer.ts";

/**
 * How long a client may keep a list, ms: who wants to know sooner listens for changes. Not longer than an upstream takes to
 * be noticed that changes without a word.
 */
export const LIST_TTL_MS = 60_000;

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

/** 2025-11-25, elicitation, "URL Elicitation Required Error". */
const URL_ELICITATION_REQUIRED = "-32042";

/** Error codes that only older revisions know, and what is said instead (2026-07-28, basic, "Error Codes"). */
const RENUMBERED: Readonly<Record<string, string>> = {
  "-32002": "-32602",
  [URL_ELICITATION_REQUIRED]: "-32603",
};

/** The requests whose answer may ask for something ("Multi Round-Trip Requests", "Supported Requests"). */
const MAY_ASK: ReadonlySet<string> = new Set(["tools/call", "prompts/get", "resources/read"]);

/**
 * An older upstream wants its user to visit some URLs before the call is made again. Newer clients are asked for that by an
 * input-required result; there is no state to come back to, so they make the call anew. Null: the error does not say where.
 * @throws {SluiceError} MISSING_CLIENT_CAPABILITY: the client cannot be asked, and an upstream without sessions does not know
 */
function visitsFirst(error: string, clientCapabilities: string | undefined): RpcAnswer | null {
  const { data } = JSON.parse(error);
  const elicitations: unknown = isObject(data) ? data.elicitations : undefined;
  if (!Array.isArray(elicitations) || elicitations.length === 0) return null;
  if (memberText(memberText(clientCapabilities ?? "{}", "elicitation") ?? "{}", "url") === undefined) {
    const requiredCapabilities = { elicitation: { url: {} } };
    throw new SluiceError("MISSING_CLIENT_CAPABILITY", { capability: "elicitation.url" }, {
      data: { requiredCapabilities },
    });
  }
  const inputRequests = Object.fromEntries(
    elicitations.map((params, i) => [`visit-${i + 1}`, { method: "elicitation/create", params }]),
  );
  return { text: JSON.stringify({ resultType: "input_required", inputRequests }), failed: false };
}

/**
 * @param serverInfo who answers, as JSON text
 * @param clientCapabilities as the client declared them, as JSON text
 * @throws {SluiceError} MISSING_CLIENT_CAPABILITY
 */
export function completed(
  method: string,
  { text, failed }: RpcAnswer,
  serverInfo: string,
  clientCapabilities?: string,
): RpcAnswer {
  if (failed) {
    const code = memberText(text, "code") ?? "";
    if (code === URL_ELICITATION_REQUIRED && MAY_ASK.has(method)) {
      const asking = visitsFirst(text, clientCapabilities);
      if (asking !== null) return { text: stamped(asking.text, serverInfo), failed: false };
    }
    const renumbered = RENUMBERED[code];
    return { text: renumbered === undefined ? text : replaceMember(text, "code", renumbered), failed };
  }
  // No result at all: nothing can be added to it, and its client says so.
  if (!text.startsWith("{")) return { text, failed };
  const ttlMs = FRESHNESS[method];
  let result = text;
  if (ttlMs !== undefined && memberText(text, "resultType") !== '"input_required"') {
    result = withFreshness(result, ttlMs);
  }
  result = withMember(result, "resultType", '"complete"');
  return { text: stamped(result, serverInfo), failed };
}

/** What an upstream says of it stays, unless it says nothing that a client can use: that is stale, and nobody else's. */
function withFreshness(result: string, ttlMs: number): string {
  const [ttl, scope] = [memberText(result, "ttlMs"), memberText(result, "cacheScope")];
  const isTtl = ttl !== undefined && Number.isInteger(Number(ttl)) && Number(ttl) >= 0;
  const isScope = scope === '"public"' || scope === '"private"';
  const scoped = isScope ? result : replaceMember(result, "cacheScope", '"private"');
  return isTtl ? scoped : replaceMember(scoped, "ttlMs", ttl === undefined ? String(ttlMs) : "0");
}

/** With `_meta` that says which server this is, unless an upstream has said so for itself. */
function stamped(text: string, serverInfo: string): string {
  const meta = memberText(text, "_meta") ?? "{}";
  if (!meta.startsWith("{")) return text;
  return replaceMember(text, "_meta", withMember(meta, META.serverInfo, serverInfo));
}
