// Which rate limit a request falls under, and whose requests are counted together.
import { type Principal, tokenOf } from "../auth/principal.ts";
import { parseAddress } from "../base/egress_guard_address.ts";

/** ContextForge's names: the higher the tier, the fewer requests. */
export const TIERS = ["high", "medium", "low"] as const;

export type Tier = (typeof TIERS)[number];

/** Of everything that speaks MCP. */
export const MCP_TIER: Tier = "medium";

interface Limited {
  readonly open?: boolean;
  readonly speaks: "json-rpc" | "rest";
}

/** As an endpoint's path says, below /v1 too; null: what is open to everybody is never limited. */
export function tierOf({ open, speaks }: Limited, path: string): Tier | null {
  if (open) return null;
  if (speaks === "json-rpc") return MCP_TIER;
  const start = path.startsWith("/v1/") ? 4 : 1;
  const end = path.indexOf("/", start);
  return TIER_BY_SEGMENT.get(end < 0 ? path.slice(start) : path.slice(start, end)) ?? "low";
}

const TIER_BY_SEGMENT: ReadonlyMap<string, Tier> = new Map([
  ...["tokens", "admin"].map((segment) => [segment, "high"] as const),
  ...["tools", "resources", "prompts", "servers", "gateways"].map((segment) => [segment, "medium"] as const),
]);

/**
 * Whose requests count together: those of one issuer and subject, whatever their tokens; without a token those of one address,
 * or of one /64 network of IPv6, of which a host may have any number of addresses.
 */
export function callerOf(principal: Principal, info: { readonly remoteAddr: Deno.NetAddr }): string {
  const token = tokenOf(principal);
  if (token !== null) return `${token.issuer}\n${token.subject}`;
  const client = addressOf(info);
  if (!client.includes(":")) return client;
  const address = parseAddress(client);
  return address === null ? client : `${(address.bits >> 64n).toString(16)}::/64`;
}

/** The client's IP address. A socket for both versions gives that of an IPv4 client as `::ffff:…`. */
export function addressOf({ remoteAddr: { hostname } }: { readonly remoteAddr: Deno.NetAddr }): string {
  return hostname.startsWith(IPV4_MAPPED) ? hostname.slice(IPV4_MAPPED.length) : hostname;
}

const IPV4_MAPPED = "::ffff:";
