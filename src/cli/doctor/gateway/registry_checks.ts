// Judges the registered upstreams, the tokens of scrapers, and the replicas.
import { shellWord } from "../../../client_config/shell_word.ts";
import type { Config } from "../../../config/schema.ts";
import { localUrl } from "../../command_line/local_url.ts";
import type { ReplicaStatus } from "../../../telemetry/checkup.ts";
import { VERSION } from "../../../version.ts";
import { type Finding, sentence } from "../finding.ts";
import type { RegistryFacts, ReplicaFacts, UpstreamFacts } from "./registry_facts.ts";

type Settings =
  & Pick<Config, "authRequired" | "mcpSessionPoolEnabled" | "replicaTtlMs">
  & Pick<Config, "host" | "port" | "ssl">;

/** Replicas compare the times of signatures; a reply's date has seconds. */
const CLOCK_TOLERANCE_MS = 10_000;

/** A token that ends within this time is named. */
const SOON_MS = 14 * 24 * 60 * 60 * 1000;

/** How many upstreams are named in a finding. */
const MAX_NAMED = 5;

export function checkRegistry(settings: Settings, facts: RegistryFacts, now: number): Finding[] {
  return [
    ...checkReachable(settings, facts.upstreams),
    ...checkLists(settings, facts.upstreams),
    ...checkState(settings, facts.upstreams),
    ...checkPlain(facts.upstreams),
    ...checkCredentials(facts),
    ...checkTokens(facts, now),
    ...facts.replicas.flatMap((replica) => checkReplica(replica)),
  ];
}

function checkReachable(settings: Settings, upstreams: readonly UpstreamFacts[]): Finding[] {
  return upstreams.filter((upstream) => upstream.enabled && hasFailed(upstream)).map((
    { name, lastError, url, isPending, transport },
  ) => ({
    id: isPending ? "upstream.never_listed" : "upstream.unreachable",
    severity: "warning",
    found: sentence(
      `upstream ${name} ${isPending ? "has never answered" : "does not answer"}${
        lastError === null ? "" : `: ${lastError}`
      }`,
    ),
    why: "Calls of its tools fail.",
    fix: transport === "STDIO"
      ? requestLine(settings, "POST", name, { path: "/tools/refresh" })
      : `sluice doctor --upstream ${shellWord(withoutQuery(url))}`,
    remark: "or switch it off: POST /gateways/{id}/state?activate=false",
    page: "troubleshooting#an-upstream-fails-find-out-why",
    upstream: name,
  }));
}

/** Several failed checks make an upstream unreachable; one is told already. */
function hasFailed({ reachable, lastError }: UpstreamFacts): boolean {
  return !reachable || lastError !== null;
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
  const { authRequired } = settings;
  const stateful = upstreams.filter(({ enabled, stateful }) => enabled && stateful === true);
  const shared = stateful.filter(({ isolation }) => isolation === "shared");
  const anonymous = authRequired ? [] : stateful.filter(({ isolation }) => isolation === "caller");
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

function checkPlain(upstreams: readonly UpstreamFacts[]): Finding[] {
  const plain = upstreams.filter(({ enabled, url, authType }) =>
    enabled && authType !== null && authType !== "env" && /^(http|ws):/.test(url) && !isHere(url)
  );
  if (plain.length === 0) return [];
  return [{
    id: "upstream.plain_credentials",
    severity: "note",
    found: `Credentials are sent without TLS to ${namesOf(plain)}.`,
    why: "Whoever is on the way can read and use them.",
    fix: "https:// in the URL of the upstream",
    remark: "fine where the network between is trusted",
    page: "upstreams#credentials",
  }];
}

function checkCredentials({ opensCredentials }: RegistryFacts): Finding[] {
  if (opensCredentials !== false) return [];
  return [{
    id: "upstream.credentials",
    severity: "error",
    found: "AUTH_ENCRYPTION_SECRET here does not open the stored credentials of all upstreams.",
    why:
      "Calls of these upstreams fail with SECRET_UNREADABLE. Another secret was in force when they were stored.",
    fix: "AUTH_ENCRYPTION_SECRET=...",
    remark: "the former value; or give the credentials again",
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
    fix: "JWT_SECRET_KEY and AUTH_ENCRYPTION_SECRET: the same in all replicas",
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
      fix: "REPLICA_ADDRESS=host:port",
      remark: "at that replica: an address that leads to it directly",
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

/** A line for a shell in the gateway's folder that asks the gateway about an upstream. */
function requestLine(
  settings: Settings,
  method: "GET" | "POST" | "PUT",
  name: string,
  { path = "", body }: { readonly path?: string; readonly body?: unknown } = {},
): string {
  const sent = body === undefined ? "" : ` -H "Content-Type: application/json" -d '${JSON.stringify(body)}'`;
  const url = `${localUrl(settings)}/gateways/${encodeURIComponent(name).replaceAll("'", "%27")}${path}`;
  return `curl -sX ${method} '${url}' -H "Authorization: Bearer $(sluice token --admin)"${sent}`;
}

function isHere(url: string): boolean {
  const host = URL.parse(url)?.hostname ?? "";
  return host === "localhost" || /^127\./.test(host) || host === "[::1]";
}

function withoutQuery(url: string): string {
  const parsed = URL.parse(url);
  return parsed === null ? url : `${parsed.origin}${parsed.pathname}`;
}

function namesOf(upstreams: readonly UpstreamFacts[]): string {
  const names = upstreams.slice(0, MAX_NAMED).map(({ name }) => name).join(", ");
  return upstreams.length > MAX_NAMED ? `${names} and ${upstreams.length - MAX_NAMED} more` : names;
}

function counted(count: number, noun: string, plural = `${noun}s`): string {
  return `${count} ${count === 1 ? noun : plural}`;
}
