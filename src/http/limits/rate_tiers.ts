// The rate limit tier of a request, and the caller that it counts for.
import { callerKey } from "../../base/sharing/caller_identity.ts";
import type { Principal } from "../../auth/principal.ts";
import { tokenOf } from "../../auth/token_reach.ts";
import { networkOf, peerAddress } from "../../base/egress/trusted_proxies.ts";

/** ContextForge's names. A higher tier allows fewer requests. */
export const TIERS = ["high", "medium", "low"] as const;

export type Tier = (typeof TIERS)[number];

/** The tier of every MCP endpoint. */
export const MCP_TIER: Tier = "medium";

interface Limited {
  readonly open?: boolean;
  readonly speaks: "json-rpc" | "rest";
}

/** The tier of an endpoint by its path, also below /v1; null: open endpoints have no limit. */
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
 * The caller that a request counts for: issuer and subject of its token, whichever token it is. Without a token the client's address.
 */
export function callerOf(principal: Principal, info: { readonly remoteAddr: Deno.NetAddr }): string {
  const token = tokenOf(principal);
  if (token !== null) return callerKey(token);
  return networkOf(peerAddress(info));
}
