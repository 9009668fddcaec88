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
  readonly protocols: readonly string[];
  readonly serverInfo: ServerInfo | null;
  readonly instructions: string | null;
  readonly isolation: string;
  readonly processCount: number | null;
  readonly drainingSince: string | null;
  readonly callsUnderWay: number | null;
  readonly toolApproval: string | null;
  /** Absent for viewers who may not approve. */
  readonly heldCount?: number;
  readonly authType: string | null;
  /** With `oauth`. Secrets are masked. */
  readonly oauthConfig: Readonly<Record<string, unknown>> | null;
  /** With `aws_sigv4`. Secrets are masked. */
  readonly awsConfig: Readonly<Record<string, unknown>> | null;
  readonly authUsername: string | null;
  readonly authHeaders: readonly { readonly key: string; readonly value: string }[] | null;
  readonly authQueryParamKey: string | null;
  readonly caCertificate: string | null;
  readonly clientCert: string | null;
  readonly passthroughHeaders: readonly string[] | null;
  readonly refreshIntervalSeconds: number | null;
  /** A program: for administrators alone. */
  readonly command?: string;
  readonly args?: readonly string[];
  readonly cwd?: string | null;
  /** The values are masks. */
  readonly env?: Readonly<Record<string, string>>;
  readonly source?: string | null;
  readonly tags: readonly { readonly id: string; readonly label: string }[];
  readonly visibility: string;
  readonly teamId: string | null;
  readonly lastRefreshAt: string | null;
  readonly toolCount: number;
  readonly resourceCount: number;
  readonly promptCount: number;
  readonly skippedTools: readonly SkippedEntry[];
  readonly warnings?: readonly Warning[];
}

export interface ServerInfo {
  readonly name?: string;
  readonly title?: string;
  readonly version?: string;
}

export interface SkippedEntry {
  readonly kind: string;
  readonly name: string;
  readonly reason: string;
}

export interface Warning {
  readonly loc: readonly (string | number)[];
  readonly msg: string;
}

/** What `POST /gateways/test` answers. */
export interface TestedUpstream extends
  Pick<
    Upstream,
    | "transport"
    | "serverInfo"
    | "protocols"
    | "toolCount"
    | "resourceCount"
    | "promptCount"
    | "skippedTools"
    | "warnings"
  > {
  readonly durationMs: number;
}

/** The states as the REST API filters by them, and as pages call them. */
export const STATES = {
  reachable: { mood: "good", label: "reachable" },
  unreachable: { mood: "bad", label: "not reachable" },
  starting: { mood: "warn", label: "starting" },
  failed: { mood: "bad", label: "failed" },
  disabled: { mood: "plain", label: "off" },
} as const satisfies Readonly<Record<string, { readonly mood: Mood; readonly label: string }>>;

/** An upstream that answers, and whose last request by the gateway itself failed. */
export const FAILING = { mood: "warn", label: "failing" } as const;

export interface UpstreamState {
  readonly mood: Mood;
  readonly label: string;
}

export function stateOf(upstream: Upstream): UpstreamState {
  const { enabled, status, reachable, callsUnderWay, lastError } = upstream;
  if (isDraining(upstream)) return { mood: "warn", label: `draining: ${countOf(callsUnderWay!, "call")}` };
  if (!enabled) return STATES.disabled;
  if (status !== "ready") return STATES[status];
  if (!reachable) return STATES.unreachable;
  return lastError === null ? STATES.reachable : FAILING;
}

/** It is off for new calls, and some are under way. */
export function isDraining({ enabled, callsUnderWay }: Upstream): boolean {
  return !enabled && callsUnderWay !== null && callsUnderWay > 0;
}

export function whatIsWrong({ lastError }: Pick<Upstream, "lastError">): string {
  return lastError ?? "it cannot be reached";
}

export function transportName(transport: string): string {
  return TRANSPORT_NAMES[transport] ?? transport;
}

const TRANSPORT_NAMES: Readonly<Record<string, string>> = {
  STREAMABLEHTTP: "streamable HTTP",
  SSE: "SSE",
  WEBSOCKET: "WebSocket",
  STDIO: "command",
};

/** `3 tools, 1 resource, 0 prompts` */
export function offersOf(
  { toolCount, resourceCount, promptCount }: Pick<Upstream, "toolCount" | "resourceCount" | "promptCount">,
): string {
  return [countOf(toolCount, "tool"), countOf(resourceCount, "resource"), countOf(promptCount, "prompt")]
    .join(", ");
}

export function countOf(count: number, noun: string, plural = `${noun}s`): string {
  return `${count.toLocaleString("en")} ${count === 1 ? noun : plural}`;
}

/** `name version`, as the upstream introduces itself; null: it did not. */
export function introductionOf(serverInfo: ServerInfo | null): string | null {
  if (serverInfo === null) return null;
  const { title, name, version } = serverInfo;
  return [title ?? name, version].filter((word) => word !== undefined).join(" ");
}

/** The command line of a program; null: it is no program, or the viewer may not see what is started. */
export function commandOf({ transport, command, args = [] }: Upstream): string | null {
  return transport !== "STDIO" || command === undefined ? null : [command, ...args].join(" ");
}
