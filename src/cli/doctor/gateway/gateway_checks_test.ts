import { assertEquals } from "@std/assert";
import { VERSION } from "../../../version.ts";
import { checkRegistry } from "./registry_checks.ts";
import type { RegistryFacts, ReplicaFacts, UpstreamFacts } from "./registry_facts.ts";
import { checkRunning, readSamples, type RunningSettings } from "./running_checks.ts";

const DAY = 24 * 60 * 60 * 1000;
const NOW = Date.parse("2026-05-01");

const UPSTREAM: UpstreamFacts = {
  name: "up",
  url: "https://mcp.example.com/mcp",
  transport: "STREAMABLEHTTP",
  authType: "bearer",
  isolation: "session",
  stateful: true,
  enabled: true,
  reachable: true,
  lastError: null,
  skipped: 0,
  failedLists: 0,
  isPending: false,
};
const ANSWER = { status: 200, text: `{"app":{"version":"${VERSION}"}}`, clockAheadMs: 300 };
const REPLICA: ReplicaFacts = { address: "http://10.0.0.1:4444", isForeign: false, asked: ANSWER };
const WELL: RegistryFacts = {
  upstreams: [UPSTREAM],
  metricsTokens: [{ name: "scraper", expiresAt: null }, { name: "long", expiresAt: NOW + 90 * DAY }],
  opensCredentials: true,
  replicas: [REPLICA],
};
const SETTINGS = {
  ...{ authRequired: true, mcpSessionPoolEnabled: true, replicaTtlMs: 10_000 },
  ...{ host: "0.0.0.0", port: 4444, ssl: false },
};

function registry(facts: Partial<RegistryFacts>, settings: Partial<typeof SETTINGS> = {}): string[] {
  return checkRegistry({ ...SETTINGS, ...settings }, { ...WELL, ...facts }, NOW).map(({ severity, id }) =>
    `${severity} ${id}`
  );
}

Deno.test("checkRegistry() finds nothing where upstreams, tokens and replicas are well, or switched off", () => {
  assertEquals(registry({}), []);
  assertEquals(
    registry({ upstreams: [{ ...UPSTREAM, enabled: false, reachable: false, isolation: "shared" }] }),
    [],
  );
  assertEquals(registry({ upstreams: [{ ...UPSTREAM, stateful: false, isolation: "shared" }] }), []);
  assertEquals(registry({ upstreams: [{ ...UPSTREAM, url: "http://127.0.0.1:9000/mcp" }] }), []);
  assertEquals(registry({ opensCredentials: null }), []);
  assertEquals(registry({ upstreams: [{ ...UPSTREAM, isolation: "caller" }] }), []);
});

Deno.test("checkRegistry() quotes addresses of upstreams for the shell: whoever registers one may choose it", () => {
  const url = "https://mcp.example.com/$(id);x?key=secret";
  const [{ fix } = { fix: "" }] = checkRegistry(SETTINGS, {
    ...WELL,
    upstreams: [{ ...UPSTREAM, url, reachable: false }],
  }, NOW);
  assertEquals(fix, "sluice doctor --upstream 'https://mcp.example.com/$(id);x'");
});

Deno.test("checkRegistry() finds what is wrong with each upstream, token and replica", () => {
  const upstream = (changes: Partial<UpstreamFacts>) => ({ upstreams: [{ ...UPSTREAM, ...changes }] });
  const replica = (changes: Partial<ReplicaFacts>) => ({ replicas: [{ ...REPLICA, ...changes }] });
  const cases: [facts: Partial<RegistryFacts>, finding: string, settings?: Partial<typeof SETTINGS>][] = [
    [upstream({ reachable: false, lastError: "refused" }), "warning upstream.unreachable"],
    [upstream({ reachable: false, isPending: true }), "warning upstream.never_listed"],
    [upstream({ skipped: 2 }), "note upstream.lists"],
    [upstream({ failedLists: 1 }), "warning upstream.lists"],
    [upstream({ isolation: "shared" }), "warning upstream.shared_state"],
    [upstream({ isolation: "caller" }), "warning upstream.anonymous_state", { authRequired: false }],
    [upstream({ url: "http://mcp.example.com/mcp" }), "note upstream.plain_credentials"],
    [{ opensCredentials: false }, "error upstream.credentials"],
    [{ metricsTokens: [{ name: "t", expiresAt: NOW + 3 * DAY }] }, "warning token.metrics_expiry"],
    [{ metricsTokens: [{ name: "t", expiresAt: NOW - 1 }] }, "warning token.metrics_expiry"],
    [replica({ isForeign: true, asked: null }), "error replica.secrets"],
    [replica({ asked: { ...ANSWER, status: 401 } }), "error replica.secrets"],
    [replica({ asked: { reason: "connection refused" } }), "error replica.address"],
    [replica({ asked: { ...ANSWER, text: '{"app":{"version":"0.0.1"}}' } }), "warning replica.version"],
    [replica({ asked: { ...ANSWER, clockAheadMs: -60_000 } }), "warning replica.clock"],
  ];
  for (const [facts, finding, settings] of cases) assertEquals(registry(facts, settings), [finding]);
});

const RUNNING: RunningSettings = {
  workers: 2,
  backpressure: 512,
  toolTimeoutMs: 60_000,
  httpClientMaxConnections: 100,
  mcpSessionPoolMaxPerKey: 10,
  dbPoolSize: 5,
};
const HEALTHY = `# HELP sluice_http_answers_total Answers
sluice_http_answers_total{endpoint="/rpc",status="200"} 100000
sluice_tool_calls_total{upstream="up",tool="a",outcome="ok"} 90000
sluice_errors_total{code="UPSTREAM_TIMEOUT",source="upstream"} 9
sluice_requests_refused_total{code="OVERLOADED"} 12
sluice_requests_limit 1024
sluice_worker_heap_bytes{worker="0"} 90000000
sluice_worker_heap_limit_bytes{worker="0"} 2147483648
sluice_upstream_breaker_open{upstream="up"} 0
sluice_workers_ended_total{reason="recycled"} 3
mcp_client_operation_duration_seconds_sum{upstream="up"} 900
mcp_client_operation_duration_seconds_count{upstream="up"} 90000
`;

Deno.test("checkRunning() finds nothing in the ordinary state of a gateway", () => {
  assertEquals(checkRunning(RUNNING, readSamples(HEALTHY)), []);
  assertEquals(checkRunning(RUNNING, readSamples("")), []);
});

Deno.test("checkRunning() finds a gateway that answers with failures", () => {
  const [finding] = checkRunning(RUNNING, { brokenStatus: 500 });
  assertEquals([finding?.id, finding?.severity], ["running.broken", "error"]);
});

Deno.test("checkRunning() names the cause of each symptom and the line that mends it", () => {
  const cases: [more: string, finding: string][] = [
    ['sluice_requests_refused_total{code="OVERLOADED"} 900', "warning running.refused BACKPRESSURE=1024"],
    [
      'sluice_errors_total{code="UPSTREAM_TIMEOUT",source="upstream"} 900',
      "warning running.timeouts TOOL_TIMEOUT=120",
    ],
    [
      'sluice_errors_total{code="HTTP_POOL_TIMEOUT",source="internal"} 1',
      "warning running.outbound_pool HTTP_CLIENT_MAX_CONNECTIONS=200",
    ],
    [
      'sluice_errors_total{code="SESSION_POOL_TIMEOUT",source="internal"} 1',
      "warning running.session_pool MCP_SESSION_POOL_MAX_PER_KEY=20",
    ],
    [
      'sluice_errors_total{code="STORE_POOL_TIMEOUT",source="internal"} 1',
      "warning running.database_pool DB_POOL_SIZE=20",
    ],
    [
      'sluice_errors_total{code="UPSTREAM_AUTH_FAILED",source="upstream"} 900',
      "warning running.upstream_auth PUT /gateways/{id}",
    ],
    ["sluice_accept_failures_total 4", "error running.accept LimitNOFILE=65536"],
    ['sluice_workers_ended_total{reason="died"} 1', "warning running.memory sluice tune --users N --check"],
    [
      'sluice_worker_heap_bytes{worker="0"} 2000000000',
      "warning running.memory sluice tune --users N --check",
    ],
    ['sluice_upstream_breaker_open{upstream="up"} 2', "warning running.breaker sluice doctor --upstream URL"],
    [
      'mcp_client_operation_duration_seconds_sum{upstream="up"} 4500000',
      "warning running.latency TOOL_TIMEOUT=500",
    ],
    ["sluice_requests_limit 128", "note running.settings kill -HUP PID"],
  ];
  for (const [more, finding] of cases) {
    // The sample replaces the healthy one.
    const name = more.slice(0, more.lastIndexOf(" "));
    const text = HEALTHY.split("\n").filter((line) => !line.startsWith(`${name} `)).join("\n") + more;
    const found = checkRunning(RUNNING, readSamples(text));
    assertEquals(found.map(({ severity, id, fix }) => `${severity} ${id} ${fix}`), [finding]);
  }
});
