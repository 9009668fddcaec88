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

/** @param limits tools with a time limit of their own */
export function checkRunning(
  settings: RunningSettings,
  running: Running,
  upstreams: readonly RunningUpstream[],
  limits: readonly ToolLimit[] = [],
): Finding[] {
  if ("brokenStatus" in running) return [broken(running.brokenStatus)];
  const samples = running;
  const sum = (name: string, labels: Readonly<Record<string, string>> = {}) =>
    (samples.get(name) ?? []).filter((sample) =>
      Object.entries(labels).every(([label, value]) => sample.labels[label] === value)
    ).reduce((total, { value }) => total + value, 0);
  const failed = (code: string) => sum("sluice_errors_total", { code });
  const answers = sum("sluice_http_answers_total");
  const calls = sum("sluice_tool_calls_total");
  // The tuning is for the users of now: at least those that are connected or have sessions.
  const users = Math.max(
    1,
    sum("sluice_connections_open"),
    sum("sluice_downstream_sessions") + sum("sluice_downstream_channels"),
  );
  const tuning = `sluice tune --users ${users} --check`;
  const registered = new Map(upstreams.map((upstream) => [upstream.name, upstream]));
  const findings: Finding[] = [];
  const add = (finding: Omit<Finding, "severity"> & { readonly severity?: Finding["severity"] }) =>
    findings.push({ severity: "warning", ...finding });

  const refused = sum("sluice_requests_refused_total");
  if (refused > RARE * (answers + refused)) {
    add({
      id: "running.refused",
      found: `The running gateway has refused ${
        counted(refused, "request")
      } because all places were taken, beside ${counted(answers, "answer")}.`,
      why: "Clients get 503. The load is above BACKPRESSURE, or upstreams are slower than planned.",
      fix: settings.backpressure === "auto" ? tuning : `BACKPRESSURE=${2 * settings.backpressure}`,
      remark: settings.backpressure === "auto"
        ? "with the number of users that you expect: those of now are named"
        : `${tuning} says whether processors and memory suffice for the users of now`,
      page: "sizing#settings-that-follow",
    });
  }
  const timeouts = failed("UPSTREAM_TIMEOUT");
  if (timeouts > RARE * calls) {
    add({
      id: "running.timeouts",
      found: `${timeouts} of ${counted(calls, "call")} of the running gateway ended at the time limit.`,
      why: "The tools take longer than TOOL_TIMEOUT or their own timeout_ms.",
      fix: `TOOL_TIMEOUT=${2 * settings.toolTimeoutMs / 1000}`,
      remark: "or timeout_ms of the slow tools; look at sluice_tool_call_duration_seconds by tool",
      page: "upstreams#how-long-a-tool-may-run",
    });
  }
  for (
    const [code, id, what, fix] of [
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
    ] as const
  ) {
    const count = failed(code);
    if (count === 0) continue;
    add({
      id,
      found: `${counted(count, "request")} of the running gateway found ${what} in time (${code}).`,
      why: "The pool is too small for the load, or what it leads to is slow.",
      fix,
      page: "sizing#settings-that-follow",
    });
  }
  const unauthorized = failed("UPSTREAM_AUTH_FAILED");
  if (unauthorized > RARE * calls) {
    const refusals = (samples.get("mcp_client_operation_duration_seconds_count") ?? []).filter((
      { labels, value },
    ) => labels.error_type === "UPSTREAM_AUTH_FAILED" && value > 0);
    // An upstream has a series for each method.
    const names = new Set(refusals.map(({ labels }) => labels.upstream!));
    const refusing = [...names].flatMap((name) => registered.get(name) ?? []);
    const why = "A stored credential has expired or was replaced.";
    const page = "upstreams#credentials";
    for (const upstream of refusing) {
      add({
        id: "running.upstream_auth",
        found: `Upstream ${upstream.name} has refused the credentials of calls.`,
        why,
        ...credentialsLine(settings, upstream),
        page,
        upstream: upstream.name,
      });
    }
    if (refusing.length === 0) {
      add({
        id: "running.upstream_auth",
        found: `Upstreams have refused the credentials of ${
          counted(unauthorized, "call or check", "calls or checks")
        }.`,
        why,
        fix: "sluice logs --text UPSTREAM_AUTH_FAILED",
        remark: "names the upstreams; their pages under /admin take new credentials",
        page,
      });
    }
  }
  if (sum("sluice_accept_failures_total") > 0) {
    add({
      id: "running.accept",
      severity: "error",
      found: `The running gateway could not take ${
        counted(sum("sluice_accept_failures_total"), "connection")
      }: no file descriptor was free.`,
      why: "Clients wait, and health checks fail.",
      fix: "LimitNOFILE=65536",
      remark: "in the unit of systemd; nofile in ulimits of Docker Compose",
      page: "deploy#systemd",
    });
  }
  const ended = ["died", "stood_still"].map((reason) => sum("sluice_workers_ended_total", { reason }))
    .reduce((total, count) => total + count, 0);
  const fullest = Math.max(
    0,
    ...(samples.get("sluice_worker_heap_bytes") ?? []).map(({ labels: { worker }, value }) =>
      value / (sum("sluice_worker_heap_limit_bytes", { worker: worker! }) || Infinity)
    ),
  );
  if (ended > 0 || fullest > FULL_HEAP) {
    add({
      id: "running.memory",
      found: ended > 0
        ? `${counted(ended, "worker")} of the running gateway died or stood still.`
        : `A worker of the running gateway has filled ${Math.round(fullest * 100)} % of its heap.`,
      why: "A worker out of memory ends with its calls; one that nears its limit ends sessions first.",
      fix: tuning,
      remark: "says whether the memory suffices for the users of now; the log has the reason of each end",
      page: "sizing#settings-that-follow",
    });
  }
  for (const { labels, value } of samples.get("sluice_upstream_breaker_open") ?? []) {
    const upstream = registered.get(labels.upstream!);
    if (value === 0 || upstream === undefined) continue;
    add({
      id: "running.breaker",
      found: `The circuit breaker of upstream ${upstream.name} is open in ${counted(value, "worker")}.`,
      why: "Its sessions could not be opened several times in a row: calls fail at once.",
      fix: examineLine(settings, upstream),
      page: "upstreams#circuit-breaker",
      upstream: upstream.name,
    });
  }
  findings.push(...checkLatency(settings, samples, limits));
  const limit = sum("sluice_requests_limit");
  if (settings.backpressure !== "auto" && limit > 0 && limit !== settings.workers * settings.backpressure) {
    add({
      id: "running.settings",
      severity: "note",
      found:
        `The running gateway takes ${limit} requests at once, and the settings here say WORKERS ${settings.workers} x BACKPRESSURE ${settings.backpressure}.`,
      why: "It was started with other settings, or has not read the present ones.",
      fix: reloadLine(settings.port),
      remark: "reads the settings again; the log names those that need a restart",
      page: "deploy#stop-reload-replace",
    });
  }
  return findings;
}

/** Tools that take half of their time limit in the mean: a tool's own limit, or TOOL_TIMEOUT. */
function checkLatency(settings: RunningSettings, samples: Samples, limits: readonly ToolLimit[]): Finding[] {
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
