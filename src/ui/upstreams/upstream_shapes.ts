// Room `upstreams`: the pages of upstreams. This file has what the REST API says of an upstream, as far as pages show it.
import type { Mood } from "../parts/page_parts.tsx";

export interface Upstream {
  readonly id: string;
  readonly name: string;
  readonly slug: string;
  readonly url: string;
  readonly description: string | null;
  readonly transport: string;
  readonly enabled: boolean;
  readonly status: "ready" | "starting" | "failed" | "disabled";
  readonly nextTryAt: string | null;
  readonly reachable: boolean;
  readonly lastSeen: string | null;
  readonly lastError: string | null;
  readonly protocolVersion: string | null;
  readonly isolation: string;
  readonly authType: string | null;
  readonly tags: readonly { readonly id: string; readonly label: string }[];
  readonly visibility: string;
  readonly lastRefreshAt: string | null;
  readonly toolCount: number;
  readonly resourceCount: number;
  readonly promptCount: number;
}

export function stateOf(
  { enabled, status, reachable }: Upstream,
): { readonly mood: Mood; readonly label: string } {
  if (!enabled) return { mood: "plain", label: "off" };
  if (status === "starting") return { mood: "warn", label: "starting" };
  if (status === "failed") return { mood: "bad", label: "failed" };
  return reachable ? { mood: "good", label: "reachable" } : { mood: "bad", label: "not reachable" };
}

export function whatIsWrong({ lastError, nextTryAt }: Upstream): string {
  const words = lastError ?? "it cannot be reached";
  return nextTryAt === null ? words : `${words} (tried again at ${nextTryAt})`;
}
