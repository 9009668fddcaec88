// Reads and writes the claims in a 2026-07-28 request's `_meta` (basic, "Request Metadata"), within params text.
import { findMember, memberText, removeMembers, replaceMember } from "./json_rpc.ts";
import { META, STATELESS_REVISION } from "./revisions.ts";

/** All values except the log level are JSON text. */
export interface Claims {
  readonly clientCapabilities: string;
  readonly clientInfo: string;
  readonly logLevel: string | null;
}

const RESERVED = "io.modelcontextprotocol/";
const REQUEST_KEYS = [META.protocolVersion, META.clientCapabilities, META.clientInfo, META.logLevel];

/** Adds claims to params, before other members of `_meta`. All other bytes stay the same. */
export function withClaims(params: string | undefined, claims: Claims): string {
  const text = claimsText(claims);
  if (params === undefined) return `{"_meta":{${text}}}`;
  const range = findMember(params, "_meta");
  if (range === null || params[range.start] !== "{") return replaceMember(params, "_meta", `{${text}}`);
  // Of a duplicate key, some readers take the first and some the last value.
  const meta = unclaimed(params.slice(range.start, range.end));
  const rest = meta.slice(1).trimStart();
  return `${params.slice(0, range.start)}{${text}${rest.startsWith("}") ? "" : ","}${rest}${
    params.slice(range.end)
  }`;
}

/**
 * Removes claims for an older revision. A server that speaks both would take a request with claims for a 2026-07-28 request.
 */
export function withoutClaims(params: string | undefined): string | undefined {
  const meta = params === undefined ? undefined : memberText(params, "_meta");
  if (meta === undefined || !meta.startsWith("{")) return params;
  const rest = unclaimed(meta);
  return rest === meta ? params : replaceMember(params!, "_meta", rest);
}

/**
 * A cheap check whether the text may hold a claim under this key; the reader corrects a wrong yes. Some write the slash as
 * `\/`.
 */
export function mayClaim(text: string, key: string): boolean {
  return text.includes(key.slice(key.indexOf("/")));
}

/** The value of a claim as JSON text. */
export function claimIn(params: string | undefined, key: string): string | undefined {
  if (params === undefined || !mayClaim(params, key)) return undefined;
  return memberText(memberText(params, "_meta") ?? "{}", key);
}

/** The log level that a request asks for; null: none. */
export function logLevelIn(params: string | undefined): string | null {
  const level = claimIn(params, META.logLevel);
  const value: unknown = level === undefined ? null : JSON.parse(level);
  return typeof value === "string" ? value : null;
}

function claimsText({ clientCapabilities, clientInfo, logLevel }: Claims): string {
  return `"${META.protocolVersion}":"${STATELESS_REVISION}","${META.clientCapabilities}":${clientCapabilities},` +
    `"${META.clientInfo}":${clientInfo}` +
    (logLevel === null ? "" : `,"${META.logLevel}":${JSON.stringify(logLevel)}`);
}

function unclaimed(meta: string): string {
  // Escaped keys are unusual but still found.
  if (!meta.includes(RESERVED) && !meta.includes("\\")) return meta;
  return removeMembers(meta, REQUEST_KEYS);
}
