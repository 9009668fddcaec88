// What a 2026-07-28 request claims of itself in `_meta` (basic, "Request Metadata"): written into params text, and taken out.
import { findMember, memberText, removeMember, replaceMember } from "./json_rpc.ts";
import { META, STATELESS_REVISION } from "./revisions.ts";

/** All values but the log level are JSON text. */
export interface Claims {
  readonly clientCapabilities: string;
  readonly clientInfo: string;
  readonly logLevel: string | null;
}

const RESERVED = "io.modelcontextprotocol/";
const REQUEST_KEYS = [META.protocolVersion, META.clientCapabilities, META.clientInfo, META.logLevel];

/** The params with these claims in front of what else their `_meta` says; all other bytes are as they were. */
export function withClaims(params: string | undefined, claims: Claims): string {
  const text = claimsText(claims);
  if (params === undefined) return `{"_meta":{${text}}}`;
  const range = findMember(params, "_meta");
  if (range === null || params[range.start] !== "{") return replaceMember(params, "_meta", `{${text}}`);
  // Of a key that is there twice readers take either one.
  const meta = unclaimed(params.slice(range.start, range.end));
  const rest = meta.slice(1).trimStart();
  return `${params.slice(0, range.start)}{${text}${rest.startsWith("}") ? "" : ","}${rest}${
    params.slice(range.end)
  }`;
}

/** The params as an older revision has them: a server of both eras would take one with claims for a 2026-07-28 request. */
export function withoutClaims(params: string | undefined): string | undefined {
  const meta = params === undefined ? undefined : memberText(params, "_meta");
  if (meta === undefined || !meta.startsWith("{")) return params;
  const rest = unclaimed(meta);
  return rest === meta ? params : replaceMember(params!, "_meta", rest);
}

/** May the text hold a claim under this key? Cheap; a wrong yes is found out by who reads on. Some write the slash as `\/`. */
export function mayClaim(text: string, key: string): boolean {
  return text.includes(key.slice(key.indexOf("/")));
}

/** What a request claims under this key, as JSON text. */
export function claimIn(params: string | undefined, key: string): string | undefined {
  if (params === undefined || !mayClaim(params, key)) return undefined;
  return memberText(memberText(params, "_meta") ?? "{}", key);
}

/** The log level that a request asks for, if it does. */
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
  // An escaped key is one that nobody writes; it is still found.
  if (!meta.includes(RESERVED) && !meta.includes("\\")) return meta;
  return REQUEST_KEYS.reduce((text, key) => removeMember(text, key), meta);
}
