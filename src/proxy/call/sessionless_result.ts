// Completes results for 2026-07-28 clients with the required members that a handler or an upstream of an older revision has
// not set.
import { SluiceError } from "../../base/errors.ts";
import { addMember, isObject, memberText, replaceMember } from "../../mcp/json_rpc.ts";
import { META } from "../../mcp/revisions.ts";
import type { RpcAnswer } from "../../upstream/client/client_peer.ts";

/**
 * Time that a client may cache a list, ms. Clients that need changes sooner subscribe. The time does not exceed the refresh
 * interval of upstreams that announce no changes.
 */
export const LIST_TTL_MS = 60_000;

/** Default freshness by method, ms. Lists depend on the caller, so nothing is public. */
const FRESHNESS: Readonly<Record<string, number>> = {
  "server/discover": LIST_TTL_MS,
  "tools/list": LIST_TTL_MS,
  "prompts/list": LIST_TTL_MS,
  "resources/list": LIST_TTL_MS,
  "resources/templates/list": LIST_TTL_MS,
  // The upstream gave no freshness, so the content may change at any time.
  "resources/read": 0,
};

/** 2025-11-25, elicitation, "URL Elicitation Required Error". */
const URL_ELICITATION_REQUIRED = "-32042";

/** Error codes of older revisions, and their replacements (2026-07-28, basic, "Error Codes"). */
const RENUMBERED: Readonly<Record<string, string>> = {
  "-32002": "-32602",
  [URL_ELICITATION_REQUIRED]: "-32603",
};

/** The requests whose result may require input ("Multi Round-Trip Requests", "Supported Requests"). */
const MAY_ASK: ReadonlySet<string> = new Set(["tools/call", "prompts/get", "resources/read"]);

/** An error with more elicitations stays an error: no client shows so many. */
const MAX_VISITS = 100;

/**
 * Converts the URL elicitation error of an older upstream into an input-required result. The upstream keeps no state for it,
 * so the client repeats the call. Null: the error names no URL.
 * @throws {SluiceError} MISSING_CLIENT_CAPABILITY: the client cannot be asked, and an upstream without sessions does not know
 *  that
 */
function visitsFirst(error: string, clientCapabilities: string | undefined): RpcAnswer | null {
  const { data } = JSON.parse(error);
  const elicitations: unknown = isObject(data) ? data.elicitations : undefined;
  if (!Array.isArray(elicitations) || elicitations.length === 0 || elicitations.length > MAX_VISITS) {
    return null;
  }
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
 * @param serverInfo of the answering server, as JSON text
 * @param clientCapabilities as declared by the client, as JSON text
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
  // The result is not an object. It is passed through, and the client reports the fault.
  if (!text.startsWith("{")) return { text, failed };
  const ttlMs = FRESHNESS[method];
  let result = text;
  if (ttlMs !== undefined && memberText(text, "resultType") !== '"input_required"') {
    result = withFreshness(result, ttlMs);
  }
  result = addMember(result, "resultType", '"complete"');
  return { text: stamped(result, serverInfo), failed };
}

/** Adds freshness unless the upstream has set usable values. The default is stale and private. */
function withFreshness(result: string, ttlMs: number): string {
  const [ttl, scope] = [memberText(result, "ttlMs"), memberText(result, "cacheScope")];
  const isTtl = ttl !== undefined && Number.isInteger(Number(ttl)) && Number(ttl) >= 0;
  const isScope = scope === '"public"' || scope === '"private"';
  const scoped = isScope ? result : replaceMember(result, "cacheScope", '"private"');
  return isTtl ? scoped : replaceMember(scoped, "ttlMs", ttl === undefined ? String(ttlMs) : "0");
}

/** Adds `_meta` with the server's identity, unless the upstream has set its own. */
function stamped(text: string, serverInfo: string): string {
  const meta = memberText(text, "_meta") ?? "{}";
  if (!meta.startsWith("{")) return text;
  return replaceMember(text, "_meta", addMember(meta, META.serverInfo, serverInfo));
}
