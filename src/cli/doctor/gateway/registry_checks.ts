// Judges the registered upstreams, the tokens of scrapers, and the replicas.
import type { Config } from "../../../config/schema.ts";
import type { ReplicaStatus } from "../../../telemetry/checkup.ts";
import { VERSION } from "../../../version.ts";
import { counted, type Finding, sentence, type UpstreamState } from "../finding.ts";
import { credentialsLine, examineLine, requestLine, type ServingPlace } from "../remedies/gateway_lines.ts";
import { passedOfOneRequest, passesIdentity, type PassingSettings } from "./passed_headers.ts";
import type { RegistryFacts, ReplicaFacts, UpstreamFacts } from "./registry_facts.ts";

type Settings =
  & Pick<Config, "authRequired" | "replicaTtlMs">
  & PassingSettings
  & ServingPlace;

/** Replicas compare the times of signatures; a reply's date has seconds. */
const CLOCK_TOLERANCE_MS = 10_000;

/** A request without work has no reason to take so long. */
const SLOW_MS = 2_000;

/** A token that ends within this time is named. */
const SOON_MS = 14 * 24 * 60 * 60 * 1000;

export function checkRegistry(settings: Settings, facts: RegistryFacts, now: number): Finding[] {
  return [
    ...checkReachable(settings, facts.upstreams),
    ...checkLatency(settings, facts.upstreams),
    ...checkLists(settings, facts.upstreams),
    ...checkState(settings, facts.upstreams),
    ...checkPassed(settings, facts.upstreams),
    ...checkPlain(settings, facts.upstreams),
    ...checkCredentials(facts),
    ...checkTokens(facts, now),
    ...facts.replicas.flatMap((replica) => checkReplica(replica)),
  ];
}

function checkReachable(settings: Settings, upstreams: readonly UpstreamFacts[]): Finding[] {
  return upstreams.filter((upstream) => upstream.enabled && hasFailed(upstream)).map((upstream) => {
    const { name, isPending, probed } = upstream;
    const what = isPending
      ? "has never answered"
      : answersNow(upstream)
      ? "has failed its last check"
      : "does not answer";
    const reason = probed !== null && "reason" in probed ? probed.reason : upstream.lastError;
    return {
      id: isPending ? "upstream.never_listed" : "upstream.unreachable",
      severity: "warning",
      found: sentence(`upstream ${name} ${what}${reason === null ? "" : `: ${reason}`}`),
      why: "Calls of its tools fail.",
      fix: examineLine(settings, upstream),
      remark: `or switch it off: POST /gateways/${encodeURIComponent(name)}/state?activate=false`,
      page: "troubleshooting#an-upstream-fails-find-out-why",
      upstream: name,
    };
  });
}

/** One failed check suffices, though several make an upstream unreachable. An answer now outweighs a connection that failed before. */
function hasFailed(upstream: UpstreamFacts): boolean {
  const { reachable, lastError, probed, isPending } = upstream;
  if (probed !== null && "reason" in probed) return true;
  if (!isPending && answersNow(upstream) && /^Cannot connect to upstream /.test(lastError ?? "")) {
    return false;
  }
  return !reachable || lastError !== null;
}

function answersNow({ probed }: UpstreamFacts): boolean {
  return probed !== null && "ms" in probed;
}

function checkLatency(settings: Settings, upstreams: readonly UpstreamFacts[]): Finding[] {
  return upstreams.flatMap((upstream): Finding[] => {
    const { name, probed } = upstream;
    if (probed === null || "reason" in probed || probed.ms < SLOW_MS) return [];
    return [{
      id: "upstream.latency",
      severity: "note",
      found: `Upstream ${name} takes ${
        (probed.ms / 1000).toFixed(1)
      } s to answer a request that asks for nothing.`,
      why: "Each call waits at least as long.",
      fix: examineLine(settings, upstream),
      remark: "shows which step takes the time",
      page: "doctor#one-upstream-step-by-step",
      upstream: name,
    }];
  });
}

function checkLists(settings: Settings, upstreams: readonly UpstreamFacts[]): Finding[] {
  const faulty = upstreams.filter(({ enabled, reachable, lastError, skipped, failedLists }) =>
    enabled && reachable && lastError === null && skipped + failedLists > 0
  );
  return faulty.map(({ name, skipped, failedLists }) => ({
    id: "upstream.lists",
    severity: failedLists > 0 ? "warning" : "note",
    found: `Upstream ${name} has ${
      [
        ...(failedLists > 0 ? [`${counted(failedLists, "list")} that cannot be read`] : []),
        ...(skipped > 0 ? [`${counted(skipped, "entry", "entries")} that clients could not read`] : []),
      ].join(" and ")
    }.`,
    why: "These entries are not offered to clients.",
    fix: requestLine(settings, "GET", name),
    remark: "its fields skippedTools and warnings name the entries and the reasons",
    page: "upstreams",
    upstream: name,
  }));
}

/** The rule: state of one user is never behind a session that another one shares. */
function checkState(settings: Settings, upstreams: readonly UpstreamFacts[]): Finding[] {
  const isAnonymous = !settings.authRequired && !passesIdentity(settings);
  const stateful = upstreams.filter(({ enabled, stateful }) => enabled && stateful === true);
  const shared = stateful.filter(({ isolation }) => isolation === "shared");
  const anonymous = !isAnonymous ? [] : stateful.filter(({ isolation }) => isolation === "caller");
  return [
    ...shared.map(({ name }): Finding => ({
      id: "upstream.shared_state",
      severity: "warning",
      found: `Upstream ${name} keeps sessions, and its isolation is shared.`,
      why: "All users share one session: what one of them leaves there, another one sees.",
      fix: requestLine(settings, "PUT", name, { body: { isolation: "session" } }),
      remark: "or leave it, if the server keeps nothing of a conversation",
      page: "upstreams",
      upstream: name,
    })),
    ...anonymous.map(({ name }): Finding => ({
      id: "upstream.anonymous_state",
      severity: "warning",
      found: `Upstream ${name} keeps sessions for each caller, and AUTH_REQUIRED is false.`,
      why: "Callers without a token count as one: they share a session.",
      fix: "AUTH_REQUIRED=true",
      remark: "or isolation session for this upstream",
      page: "upstreams",
      upstream: name,
    })),
  ];
}

/** Lists of an upstream's own, which replace DEFAULT_PASSTHROUGH_HEADERS. */
function checkPassed(settings: Settings, upstreams: readonly UpstreamFacts[]): Finding[] {
  if (!settings.mcpSessionPoolEnabled) return [];
  return upstreams.flatMap(({ name, enabled, stateful, passthroughHeaders }): Finding[] => {
    const own = passthroughHeaders ?? [];
    const passed = passedOfOneRequest(own, settings);
    if (!enabled || stateful === false || passed.length === 0) return [];
    return [{
      id: "upstream.tracing_pool",
      severity: "warning",
      found: `Upstream ${name} gets ${passed.join(", ")} of callers, and MCP_SESSION_POOL_ENABLED is true.`,
      why:
        "A pooled session serves calls with the same passed headers alone: with these, each call opens a session.",
      fix: requestLine(settings, "PUT", name, {
        body: { passthrough_headers: own.filter((each) => !passed.includes(each)) },
      }),
      page: "upstreams#whose-calls-share-state",
      upstream: name,
    }];
  });
}

function checkPlain(settings: Settings, upstreams: readonly UpstreamFacts[]): Finding[] {
  const plain = upstreams.filter(({ enabled, url, authType }) =>
    enabled && authType !== null && authType !== "env" && /^(http|ws):/.test(url) && !isHere(url)
  );
  return plain.map((upstream) => {
    const { fix, remark } = credentialsLine(settings, upstream, upstream.url.replace(/^(http|ws):/, "$1s:"));
    return {
      id: "upstream.plain_credentials",
      severity: "note",
      found: `Credentials are sent without TLS to upstream ${upstream.name}.`,
      why: "Whoever is on the way can read and use them, unless the network between is trusted.",
      fix,
      remark: `once the server takes TLS; ${remark}`,
      page: "upstreams#credentials",
      upstream: upstream.name,
    };
  });
}

function checkCredentials({ opensCredentials }: RegistryFacts): Finding[] {
  if (opensCredentials !== false) return [];
  return [{
    id: "upstream.credentials",
    severity: "error",
    found: "AUTH_ENCRYPTION_SECRET here does not open the stored credentials of all upstreams.",
    why:
      "Calls of these upstreams fail with SECRET_UNREADABLE. Another secret was in force when they were stored.",
    fix: "AUTH_ENCRYPTION_SECRET=FORMER_VALUE",
    remark:
      "in .env, with the value of the time when they were stored; or give the credentials anew on the pages under /admin",
    page: "troubleshooting#the-gateway-does-not-start",
  }];
}

function checkTokens({ metricsTokens }: RegistryFacts, now: number): Finding[] {
  return metricsTokens.filter(({ expiresAt }) => expiresAt !== null && expiresAt - now < SOON_MS).map((
    { name, expiresAt },
  ) => ({
    id: "token.metrics_expiry",
    severity: "warning",
    found: `The API token ${name}, which opens the metrics alone, ${
      expiresAt! <= now ? "has expired" : "expires"
    }${expiresAt! <= now ? "" : ` on ${new Date(expiresAt!).toISOString().slice(0, 10)}`}.`,
    why: "A scraper that uses it gets 401 from then on, and alerts stop.",
    fix: `printf '\\n%s\\n' "METRICS_TOKEN=$(openssl rand -base64 32)" >> .env`,
    remark: "a secret for scrapers that does not expire",
    page: "deploy#watch-it",
  }));
}

function checkReplica({ address, isForeign, asked }: ReplicaFacts): Finding[] {
  const secrets: Finding = {
    id: "replica.secrets",
    severity: "error",
    found:
      `The replica at ${address} has another JWT_SECRET_KEY or AUTH_ENCRYPTION_SECRET than this folder, or another version.`,
    why: "Tokens of one replica are refused by the other, and sessions are not forwarded.",
    fix: "grep -E '^(JWT_SECRET_KEY|AUTH_ENCRYPTION_SECRET)=' .env | sort | sha256sum; sluice --version",
    remark:
      "on both machines: both lines have to be the same there; copy the lines of .env from one to the other",
    page: "replicas#replicas-on-several-machines",
  };
  if (isForeign) return [secrets];
  if (asked === null) return [];
  if ("reason" in asked) {
    return [{
      id: "replica.address",
      severity: "error",
      found: sentence(
        `the replica at ${address} is registered and cannot be reached from here: ${asked.reason}`,
      ),
      why: "Requests for its sessions are not forwarded; the replicas declare it gone again and again.",
      fix: `printf '\\nREPLICA_ADDRESS=%s\\n' "$(hostname -I | cut -d' ' -f1):${
        URL.parse(address)?.port || "4444"
      }" >> .env`,
      remark: "in the folder of that replica, which has to listen at this address (HOST); then restart it",
      page: "replicas#when-something-fails",
    }];
  }
  const { status, text, clockAheadMs } = asked;
  if (status === 401) return [secrets];
  const findings: Finding[] = [];
  const version = versionIn(text);
  if (status === 200 && version !== null && version !== VERSION) {
    findings.push({
      id: "replica.version",
      severity: "warning",
      found: `The replica at ${address} is version ${version}, and this program is ${VERSION}.`,
      why: "Replicas of different versions may refuse each other's requests.",
      fix: "sluice --version",
      remark: "install the same version everywhere",
      page: "backup#upgrade",
    });
  }
  if (clockAheadMs !== null && Math.abs(clockAheadMs) > CLOCK_TOLERANCE_MS) {
    findings.push({
      id: "replica.clock",
      severity: "warning",
      found: `The clock of the replica at ${address} is ${Math.round(Math.abs(clockAheadMs) / 1000)} s ${
        clockAheadMs > 0 ? "ahead of" : "behind"
      } this machine's.`,
      why: "Signatures between replicas are valid for 30 s, and tokens end early or late.",
      fix: "timedatectl set-ntp true",
      remark: "on both machines",
      page: "replicas#when-something-fails",
    });
  }
  return findings;
}

/** How the replicas stand. @param own the address of this one; null: the question comes from no replica */
export function statesOf(replicas: readonly ReplicaFacts[], own: string | null): ReplicaStatus[] {
  return replicas.map(({ address, isForeign, asked }) => {
    const shared = { address, is_this: address === own, version: null, reason: null };
    if (isForeign) return { ...shared, state: "foreign" };
    if (asked === null) return { ...shared, state: "unknown" };
    if ("reason" in asked) return { ...shared, state: "unreachable", reason: asked.reason };
    if (asked.status === 401) return { ...shared, state: "foreign" };
    return { ...shared, state: "serves", version: versionIn(asked.text) };
  });
}

/** Of an answer to GET /version. */
function versionIn(text: string): string | null {
  return /"version":\s*"([^"]{1,40})"/.exec(text)?.[1] ?? null;
}

function isHere(url: string): boolean {
  const host = URL.parse(url)?.hostname ?? "";
  return host === "localhost" || /^127\./.test(host) || host === "[::1]";
}

/** What each enabled upstream speaks and keeps, and how fast it answers. */
export function describeUpstreams(upstreams: readonly UpstreamFacts[]): UpstreamState[] {
  return upstreams.filter(({ enabled }) => enabled).map((
    { name, transport, protocols, stateful, isolation, probed },
  ) => ({
    name,
    transport,
    revisions: protocols,
    keeps_sessions: stateful,
    isolation,
    answers: probed === null ? null : !("reason" in probed),
    ms: probed === null || "reason" in probed ? null : Math.round(10 * probed.ms) / 10,
  }));
}
