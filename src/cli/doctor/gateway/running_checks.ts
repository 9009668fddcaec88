// Judges what a running gateway has met since its start, from its metrics: the symptoms of the tuning guide with their causes.
import type { Config } from "../../../config/schema.ts";
import { OTHER } from "../../../telemetry/metric_values.ts";
import { counted, type Finding } from "../finding.ts";
import {
  credentialsLine,
  examineLine,
  reloadLine,
  requestLine,
  type ServingPlace,
} from "../remedies/gateway_lines.ts";
import type { ToolLimit, UpstreamFacts } from "./registry_facts.ts";

export type RunningSettings =
  & Pick<
    Config,
    | "workers"
    | "backpressure"
    | "toolTimeoutMs"
    | "httpClientMaxConnections"
    | "mcpSessionPoolMaxPerKey"
    | "dbPoolSize"
  >
  & ServingPlace;

/** A registered upstream, as far as a finding about its calls names it. */
export type RunningUpstream = Pick<UpstreamFacts, "name" | "url" | "transport" | "authType">;

/** The values of a metric with their labels. */
export interface Sample {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

export type Samples = ReadonlyMap<string, readonly Sample[]>;

/** The metrics of a gateway that runs, or the status that it answers in their place. */
export type Running = Samples | { readonly brokenStatus: number };

/** Fewer failures among the calls are the ordinary state of a network. */
const RARE = 0.001;

/** From here on callers for whom much is kept lose their sessions. */
const FULL_HEAP = 0.65;

/** Reads Prometheus' text format. */
export function readSamples(text: string): Samples {
  const samples = new Map<string, Sample[]>();
  for (const line of text.split("\n")) {
    const [, name, labels = "", value] = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)/.exec(line) ?? [];
    if (name === undefined) continue;
    const pairs = [...labels.matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)].map(([, label, text]) => [label, text]);
    const sample = { labels: Object.fromEntries(pairs), value: Number(value) };
    const others = samples.get(name);
    if (others === undefined) samples.set(name, [sample]);
    else others.push(sample);
  }
  return samples;
}

/** The metrics of a running gateway, and what they are judged by. */
interface Facts {
  readonly settings: RunningSettings;
  readonly samples: Samples;
  /** By name. */
  readonly upstreams: ReadonlyMap<string, RunningUpstream>;
  /** Tools with a time limit of their own. */
  readonly limits: readonly ToolLimit[];
}

/** What is looked for, in the order of the report. */
const SYMPTOMS: readonly ((facts: Facts) => Finding[])[] = [
  refusals,
  timeouts,
  fullPools,
  refusedCredentials,
  lackOfDescriptors,
  lackOfMemory,
  openBreakers,
  slowTools,
  otherSettings,
];

/** @param limits tools with a time limit of their own */
export function checkRunning(
  settings: RunningSettings,
  running: Running,
  upstreams: readonly RunningUpstream[],
  limits: readonly ToolLimit[] = [],
): Finding[] {
  if ("brokenStatus" in running) return [broken(running.brokenStatus)];
  const byName = new Map(upstreams.map((upstream) => [upstream.name, upstream]));
  const facts = { settings, samples: running, upstreams: byName, limits };
  return SYMPTOMS.flatMap((symptom) => symptom(facts));
}

/** Of the samples that have all these labels. */
function sumOf(samples: Samples, name: string, labels: Readonly<Record<string, string>> = {}): number {
  return (samples.get(name) ?? [])
    .filter((sample) => Object.entries(labels).every(([label, value]) => sample.labels[label] === value))
    .reduce((total, { value }) => total + value, 0);
}

function failures(samples: Samples, code: string): number {
  return sumOf(samples, "sluice_errors_total", { code });
}

function callsOf(samples: Samples): number {
  return sumOf(samples, "sluice_tool_calls_total");
}

/** The tuning for the users of now: at least those that are connected or have sessions. */
function tuningLine(samples: Samples): string {
  const sessions = sumOf(samples, "sluice_downstream_sessions") +
    sumOf(samples, "sluice_downstream_channels");
  return `sluice tune --users ${Math.max(1, sumOf(samples, "sluice_connections_open"), sessions)} --check`;
}

function refusals({ settings: { backpressure }, samples }: Facts): Finding[] {
  const refused = sumOf(samples, "sluice_requests_refused_total");
  const answers = sumOf(samples, "sluice_http_answers_total");
  if (refused <= RARE * (answers + refused)) return [];
  const tuning = tuningLine(samples);
  return [{
    id: "running.refused",
    severity: "warning",
    found: `The running gateway has refused ${
      counted(refused, "request")
    } because all places were taken, beside ${counted(answers, "answer")}.`,
    why: "Clients get 503. The load is above BACKPRESSURE, or upstreams are slower than planned.",
    fix: backpressure === "auto" ? tuning : `BACKPRESSURE=${2 * backpressure}`,
    remark: backpressure === "auto"
      ? "with the number of users that you expect: those of now are named"
      : `${tuning} says whether processors and memory suffice for the users of now`,
    page: "sizing#settings-that-follow",
  }];
}

function timeouts({ settings, samples }: Facts): Finding[] {
  const [ended, calls] = [failures(samples, "UPSTREAM_TIMEOUT"), callsOf(samples)];
  if (ended <= RARE * calls) return [];
  return [{
    id: "running.timeouts",
    severity: "warning",
    found: `${ended} of ${counted(calls, "call")} of the running gateway ended at the time limit.`,
    why: "The tools take longer than TOOL_TIMEOUT or their own timeout_ms.",
    fix: `TOOL_TIMEOUT=${2 * settings.toolTimeoutMs / 1000}`,
    remark: "or timeout_ms of the slow tools; look at sluice_tool_call_duration_seconds by tool",
    page: "upstreams#how-long-a-tool-may-run",
  }];
}

function fullPools({ settings, samples }: Facts): Finding[] {
  const pools = [
    [
      "HTTP_POOL_TIMEOUT",
      "running.outbound_pool",
      "no free outbound connection",
      `HTTP_CLIENT_MAX_CONNECTIONS=${2 * settings.httpClientMaxConnections}`,
    ],
    [
      "SESSION_POOL_TIMEOUT",
      "running.session_pool",
      "no free session of the pool",
      `MCP_SESSION_POOL_MAX_PER_KEY=${2 * settings.mcpSessionPoolMaxPerKey}`,
    ],
    [
      "STORE_POOL_TIMEOUT",
      "running.database_pool",
      "no free connection to the database",
      `DB_POOL_SIZE=${4 * settings.dbPoolSize}`,
    ],
  ] as const;
  return pools.flatMap(([code, id, what, fix]): Finding[] => {
    const count = failures(samples, code);
    if (count === 0) return [];
    return [{
      id,
      severity: "warning",
      found: `${counted(count, "request")} of the running gateway found ${what} in time (${code}).`,
      why: "The pool is too small for the load, or what it leads to is slow.",
      fix,
      page: "sizing#settings-that-follow",
    }];
  });
}

function refusedCredentials({ settings, samples, upstreams }: Facts): Finding[] {
  const unauthorized = failures(samples, "UPSTREAM_AUTH_FAILED");
  if (unauthorized <= RARE * callsOf(samples)) return [];
  const refused = (samples.get("mcp_client_operation_duration_seconds_count") ?? [])
    .filter(({ labels, value }) => labels.error_type === "UPSTREAM_AUTH_FAILED" && value > 0);
  // An upstream has a series for each method.
  const names = new Set(refused.map(({ labels }) => labels.upstream!));
  const refusing = [...names].flatMap((name) => upstreams.get(name) ?? []);
  const common = {
    id: "running.upstream_auth",
    severity: "warning",
    why: "A stored credential has expired or was replaced.",
    page: "upstreams#credentials",
  } as const;
  if (refusing.length === 0) {
    return [{
      ...common,
      found: `Upstreams have refused the credentials of ${
        counted(unauthorized, "call or check", "calls or checks")
      }.`,
      fix: "sluice logs --text UPSTREAM_AUTH_FAILED",
      remark: "names the upstreams; their pages under /admin take new credentials",
    }];
  }
  return refusing.map((upstream) => ({
    ...common,
    found: `Upstream ${upstream.name} has refused the credentials of calls.`,
    ...credentialsLine(settings, upstream),
    upstream: upstream.name,
  }));
}

function lackOfDescriptors({ samples }: Facts): Finding[] {
  const lost = sumOf(samples, "sluice_accept_failures_total");
  if (lost === 0) return [];
  return [{
    id: "running.accept",
    severity: "error",
    found: `The running gateway could not take ${counted(lost, "connection")}: no file descriptor was free.`,
    why: "Clients wait, and health checks fail.",
    fix: "LimitNOFILE=65536",
    remark: "in the unit of systemd; nofile in ulimits of Docker Compose",
    page: "deploy#systemd",
  }];
}

function lackOfMemory({ samples }: Facts): Finding[] {
  const ended = sumOf(samples, "sluice_workers_ended_total", { reason: "died" }) +
    sumOf(samples, "sluice_workers_ended_total", { reason: "stood_still" });
  const shares = (samples.get("sluice_worker_heap_bytes") ?? []).map(({ labels: { worker }, value }) =>
    value / (sumOf(samples, "sluice_worker_heap_limit_bytes", { worker: worker! }) || Infinity)
  );
  const fullest = Math.max(0, ...shares);
  if (ended === 0 && fullest <= FULL_HEAP) return [];
  return [{
    id: "running.memory",
    severity: "warning",
    found: ended > 0
      ? `${counted(ended, "worker")} of the running gateway died or stood still.`
      : `A worker of the running gateway has filled ${Math.round(fullest * 100)} % of its heap.`,
    why: "A worker out of memory ends with its calls; one that nears its limit ends sessions first.",
    fix: tuningLine(samples),
    remark: "says whether the memory suffices for the users of now; the log has the reason of each end",
    page: "sizing#settings-that-follow",
  }];
}

function openBreakers({ settings, samples, upstreams }: Facts): Finding[] {
  return (samples.get("sluice_upstream_breaker_open") ?? []).flatMap(({ labels, value }): Finding[] => {
    const upstream = upstreams.get(labels.upstream!);
    if (value === 0 || upstream === undefined) return [];
    return [{
      id: "running.breaker",
      severity: "warning",
      found: `The circuit breaker of upstream ${upstream.name} is open in ${counted(value, "worker")}.`,
      why: "Its sessions could not be opened several times in a row: calls fail at once.",
      fix: examineLine(settings, upstream),
      page: "upstreams#circuit-breaker",
      upstream: upstream.name,
    }];
  });
}

/** Tools that take half of their time limit in the mean: a tool's own limit, or TOOL_TIMEOUT. */
function slowTools({ settings, samples, limits }: Facts): Finding[] {
  const keyOf = (upstream: string | undefined, tool: string | undefined) => `${upstream}\n${tool}`;
  const own = new Map(limits.map((limit) => [keyOf(limit.upstream, limit.tool), limit]));
  const sums = new Map(
    (samples.get("sluice_tool_call_duration_seconds_sum") ?? []).map(({ labels, value }) =>
      [keyOf(labels.upstream, labels.gen_ai_tool_name), value] as const
    ),
  );
  const counts = samples.get("sluice_tool_call_duration_seconds_count") ?? [];
  return counts.flatMap(({ labels: { upstream, gen_ai_tool_name: tool }, value: calls }): Finding[] => {
    // The sum of tools without series of their own says nothing of one tool and its limit.
    if (upstream === OTHER && tool === OTHER) return [];
    const key = keyOf(upstream, tool);
    const mean = (sums.get(key) ?? 0) / calls;
    const limit = own.get(key);
    const limitMs = limit?.timeoutMs ?? settings.toolTimeoutMs;
    if (!(mean > limitMs / 2000)) return [];
    return [{
      id: "running.latency",
      severity: "warning",
      found: `Calls of the tool ${tool} of upstream ${upstream} take ${mean.toFixed(1)} s in the mean, and ${
        limit === undefined ? "TOOL_TIMEOUT" : "its timeout_ms"
      } is ${limitMs / 1000} s.`,
      why: "Half of the time limit in the mean: many calls will end at it.",
      ...(limit === undefined
        ? { fix: `TOOL_TIMEOUT=${Math.ceil(10 * mean)}`, remark: "or timeout_ms of this tool alone" }
        : {
          fix: requestLine(settings, "PUT", limit.id, {
            kind: "tools",
            body: { timeout_ms: 1000 * Math.ceil(10 * mean) },
          }),
        }),
      page: "upstreams#how-long-a-tool-may-run",
    }];
  });
}

function otherSettings({ settings: { workers, backpressure, port }, samples }: Facts): Finding[] {
  const limit = sumOf(samples, "sluice_requests_limit");
  if (backpressure === "auto" || limit === 0 || limit === workers * backpressure) return [];
  return [{
    id: "running.settings",
    severity: "note",
    found:
      `The running gateway takes ${limit} requests at once, and the settings here say WORKERS ${workers} x BACKPRESSURE ${backpressure}.`,
    why: "It was started with other settings, or has not read the present ones.",
    fix: reloadLine(port),
    remark: "reads the settings again; the log names those that need a restart",
    page: "deploy#stop-reload-replace",
  }];
}

function broken(status: number): Finding {
  return {
    id: "running.broken",
    severity: "error",
    found: `The running gateway answers its metrics with ${status}.`,
    why: status === 503
      ? "It is overloaded, or a service that it needs does not answer."
      : "A fault of the gateway: its log has the reason under the correlation id of the answer.",
    fix: "sluice health --ready",
    remark: "sluice logs --level ERROR has the lines of the log",
    page: "troubleshooting",
  };
}
