// Makes the dependencies of the admin API from the worker's parts.
import type { AdminDeps, UpstreamLoad } from "../../admin/rest/deps.ts";
import type { Principal } from "../../auth/principal.ts";
import type { Quotas } from "../../auth/quotas/quotas.ts";
import { tokenOf } from "../../auth/token_reach.ts";
import { SluiceError } from "../../base/errors.ts";
import type { Config } from "../../config/schema.ts";
import { isObject } from "../../mcp/json_rpc.ts";
import { LATEST_SESSION_REVISION } from "../../mcp/revisions.ts";
import type { CatalogSync } from "../../catalog/catalog_sync.ts";
import type { Holds } from "../../catalog/holds.ts";
import { logListFaults } from "../../catalog/list_faults.ts";
import type { Verdict } from "../../store/registry/decisions.ts";
import type { Registry } from "../../store/registry/registry.ts";
import type { SecretBox } from "../../store/secret_box.ts";
import type { Upstreams } from "../../upstream/upstreams.ts";
import { commit, REVISIONS_SERVED, VERSION } from "../../version.ts";
import type { Log } from "../../telemetry/log.ts";
import { NOTHING_FOUND } from "../../upstream/discover.ts";
import { signedOver } from "../../upstream/identity/aws_signature.ts";
import type { Discover } from "./discovery.ts";
import type { Outbound } from "./outbound.ts";
import type { Readiness } from "../../admin/readiness.ts";

export interface AdminParts {
  readonly config: Config;
  readonly registry: Registry;
  readonly secretBox: SecretBox;
  readonly outbound: Outbound;
  readonly upstreams: Upstreams;
  readonly quotas: Quotas;
  readonly sync: CatalogSync;
  readonly log: Log;
  readonly holds: Holds;
  readonly countDecision: (verdict: Verdict) => void;
  /** The changes of upstreams that wait for an approval. */
  readonly waitingChanges: () => number;
  readonly discover: Discover;
  readonly catalogChanged: () => Promise<void>;
  readonly executions: AdminDeps["executions"];
  readonly logLines: AdminDeps["logLines"];
  readonly settings: AdminDeps["settings"];
  readonly checkup: AdminDeps["checkup"];
  readonly examine: AdminDeps["examine"];
  /** Of each worker. */
  readonly upstreamLoads: () => Promise<readonly UpstreamLoad[]>;
  readonly ready: () => Promise<Readiness>;
  readonly accounts: Pick<
    AdminDeps,
    | "connecting"
    | "logins"
    | "passwords"
    | "passwordMails"
    | "accounts"
    | "apiTokens"
    | "people"
    | "sso"
    | "endGrants"
  >;
  readonly audit: Pick<AdminDeps, "auditTrail" | "auditRecords" | "importReports">;
  readonly startedAt: Date;
}

export function adminDeps(parts: AdminParts): AdminDeps {
  const { config, registry, secretBox, outbound, sync, log, catalogChanged } = parts;
  return {
    store: registry,
    secretBox,
    ...parts.accounts,
    ...parts.audit,
    checkEgress: outbound.check,
    secrets: outbound.secrets,
    discover: async (asked, onListing) => {
      const { name, url, transport, headers, caCertificate, env, oauth, isTransportOpen, protocol } = asked;
      const place = { upstream: name, url: new URL(url), caCertificate: caCertificate ?? undefined };
      const target = {
        ...{ ...place, transport, headers, env },
        authorization: signedOver(
          asked.aws,
          url,
          outbound.certified.over(
            asked.certificate,
            oauth === null ? undefined : outbound.logins.trial({ ...place, credentials: oauth }),
          ),
        ),
      };
      const found = await parts.discover(target, { protocol, ...NOTHING_FOUND }, {
        isTransportOpen,
        onListing,
      });
      logListFaults(log, name, found);
      return found;
    },
    variable: (name) => config.registrationVariables.includes(name) ? Deno.env.get(name) : undefined,
    refresh: (gatewayId, kinds) => sync.refresh(gatewayId, kinds),
    onHeld: (upstream, holding) => parts.holds.report(upstream, holding),
    countDecision: parts.countDecision,
    catalogChanged,
    readResource: async (principal, { gatewayId, uri }, signal) => {
      const result = await askUpstream(parts, principal, gatewayId, "resources/read", { uri }, signal);
      const contents = isObject(result) && Array.isArray(result.contents) ? result.contents : [];
      return { contents: contents.filter(isObject) };
    },
    renderPrompt: (principal, { gatewayId, originalName }, args, signal) =>
      askUpstream(
        parts,
        principal,
        gatewayId,
        "prompts/get",
        { name: originalName, arguments: args },
        signal,
      ),
    executions: parts.executions,
    logLines: parts.logLines,
    settings: parts.settings,
    checkup: parts.checkup,
    examine: parts.examine,
    advise: async (users) => {
      const { machine, replicas } = await parts.checkup();
      if (machine === null) return null;
      const { adviseRunning } = await import("../../tuning/running_advice.ts");
      return adviseRunning(users, { config, machine, replicas: Math.max(1, replicas.length) });
    },
    upstreamLoad: async () => {
      const loads = await parts.upstreamLoads();
      return {
        processes: sumOf(loads.map(({ processes }) => processes)),
        calls: sumOf(loads.map(({ calls }) => calls)),
      };
    },
    toolNames: {
      separator: config.gatewayToolNameSeparator,
      maxLength: config.gatewayToolNameMaxLength,
    },
    ready: parts.ready,
    version: () => ({
      app: { name: "sluice", version: VERSION, commit: commit() },
      platform: { deno: Deno.version.deno, os: Deno.build.os, arch: Deno.build.arch },
      mcp: { revisions: REVISIONS_SERVED },
      workers: config.workers,
      database: { kind: config.databaseUrl.split(":", 1)[0] },
      heldChanges: parts.waitingChanges(),
      startedAt: parts.startedAt.toISOString(),
    }),
    now: () => new Date(),
  };
}

function sumOf(all: readonly ReadonlyMap<string, number>[]): ReadonlyMap<string, number> {
  const sum = new Map<string, number>();
  for (const counts of all) {
    for (const [key, count] of counts) sum.set(key, (sum.get(key) ?? 0) + count);
  }
  return sum;
}

/** A look-up by REST passes no headers of the operator on. */
const NO_HEADERS = new Headers();

/** One call outside any session, for an operator who reads a resource or renders a prompt. */
async function askUpstream(
  { upstreams, config, quotas }: AdminParts,
  principal: Principal,
  gatewayId: string | null,
  method: string,
  params: unknown,
  signal: AbortSignal,
): Promise<unknown> {
  if (gatewayId === null) throw new SluiceError("NOT_FOUND", { what: "Gateway" });
  const upstream = upstreams.get(gatewayId);
  const text = JSON.stringify(params);
  const answer = await quotas.run(principal, null, text, () =>
    upstream.request(method, text, {
      bound: null,
      revision: LATEST_SESSION_REVISION,
      token: tokenOf(principal),
      received: NO_HEADERS,
      timeoutMs: config.mcpSessionPoolTransportTimeoutMs,
      timeoutSetting: "MCP_SESSION_POOL_TRANSPORT_TIMEOUT",
      signal,
    }));
  const value: unknown = JSON.parse(answer.text);
  if (!answer.failed) return value;
  const reason = isObject(value) && typeof value.message === "string" ? value.message : "no reason given";
  throw new SluiceError("UPSTREAM_REJECTED", { upstream: upstream.name, method, reason });
}
