import { assertEquals, assertStringIncludes } from "@std/assert";
import { VERSION } from "../../../version.ts";
import { checkRegistry } from "./registry_checks.ts";
import type { RegistryFacts, ReplicaFacts, UpstreamFacts } from "./registry_facts.ts";
import { checkRunning, readSamples, type RunningSettings } from "./running_checks.ts";
import type { Finding } from "../finding.ts";

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
  passthroughHeaders: null,
  protocols: ["2025-11-25"],
  probed: { ms: 3 },
};
const ANSWER = { status: 200, text: `{"app":{"version":"${VERSION}"}}`, clockAheadMs: 300 };
const REPLICA: ReplicaFacts = { address: "http://10.0.0.1:4444", isForeign: false, asked: ANSWER };
const WELL: RegistryFacts = {
  upstreams: [UPSTREAM],
  metricsTokens: [{ name: "scraper", expiresAt: null }, { name: "long", expiresAt: NOW + 90 * DAY }],
  opensCredentials: true,
  replicas: [REPLICA],
  toolLimits: [],
};
const SETTINGS = {
  ...{ authRequired: true, mcpSessionPoolEnabled: true, replicaTtlMs: 10_000 },
  ...{
    enableHeaderPassthrough: true,
    enableSensitiveHeaderPassthrough: false,
    otelEnableObservability: false,
  },
  ...{ defaultPassthroughHeaders: ["x-locale"], mcpSessionPoolIdentityHeaders: ["X-User-ID"] },
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
  // The connection that the last check could not open is open now.
  const refused = { lastError: 'Cannot connect to upstream "up": connection refused', reachable: false };
  assertEquals(registry({ upstreams: [{ ...UPSTREAM, ...refused }] }), []);
  assertEquals(registry({ upstreams: [{ ...UPSTREAM, ...refused, probed: null }] }), [
    "warning upstream.unreachable",
  ]);
  const traced = { ...UPSTREAM, passthroughHeaders: ["traceparent"] };
  assertEquals(registry({ upstreams: [traced] }, { otelEnableObservability: true }), []);
  assertEquals(registry({ upstreams: [traced] }, { mcpSessionPoolEnabled: false }), []);
  // Without authentication, identity headers that are passed on tell callers apart.
  const identified = { authRequired: false, defaultPassthroughHeaders: ["x-user-id"] };
  assertEquals(registry({ upstreams: [{ ...UPSTREAM, isolation: "caller" }] }, identified), []);
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

Deno.test("checkRegistry() gives a line that can be run as it is for each kind of upstream", () => {
  const fixOf = (changes: Partial<UpstreamFacts>) =>
    checkRegistry(SETTINGS, { ...WELL, upstreams: [{ ...UPSTREAM, ...changes }] }, NOW)[0]!.fix;
  assertEquals(
    fixOf({ url: "wss://mcp.example.com/ws?key=secret", transport: "WEBSOCKET", reachable: false }),
    "sluice doctor --upstream wss://mcp.example.com/ws",
  );
  const request = (method: string, path: string) =>
    `curl -sX ${method} 'http://127.0.0.1:4444/gateways/up${path}' -H "Authorization: Bearer $(sluice token --admin)"`;
  assertEquals(fixOf({ transport: "STDIO", reachable: false }), request("POST", "/tools/refresh"));
  assertEquals(
    fixOf({ url: "http://mcp.example.com/it's" }),
    `${request("PUT", "")} -H "Content-Type: application/json" ` +
      `-d '{"url":"https://mcp.example.com/it'\\''s","auth_type":"bearer","auth_token":"TOKEN"}'`,
  );
  assertStringIncludes(
    fixOf({ url: "http://mcp.example.com/mcp?key=secret&hush" }),
    `-d '{"url":"https://mcp.example.com/mcp?key=VALUE&VALUE",`,
  );
});

Deno.test("checkRegistry() finds what is wrong with each upstream, token and replica", () => {
  const upstream = (changes: Partial<UpstreamFacts>) => ({ upstreams: [{ ...UPSTREAM, ...changes }] });
  const replica = (changes: Partial<ReplicaFacts>) => ({ replicas: [{ ...REPLICA, ...changes }] });
  const cases: [facts: Partial<RegistryFacts>, finding: string, settings?: Partial<typeof SETTINGS>][] = [
    [upstream({ reachable: false, lastError: "refused" }), "warning upstream.unreachable"],
    [upstream({ reachable: false, isPending: true }), "warning upstream.never_listed"],
    [upstream({ probed: { reason: "connection refused" } }), "warning upstream.unreachable"],
    [upstream({ probed: { ms: 2_500 } }), "note upstream.latency"],
    [upstream({ passthroughHeaders: ["X-Locale", "traceparent"] }), "warning upstream.tracing_pool"],
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

function lines(findings: readonly Finding[]): string[] {
  return findings.map(({ severity, id, fix }) => `${severity} ${id} ${fix}`);
}

const RUNNING: RunningSettings = {
  workers: 2,
  backpressure: 512,
  toolTimeoutMs: 60_000,
  httpClientMaxConnections: 100,
  mcpSessionPoolMaxPerKey: 10,
  dbPoolSize: 5,
  ...{ host: "0.0.0.0", port: 4444, ssl: false },
};
const HEALTHY = `# HELP sluice_http_answers_total Answers
sluice_http_answers_total{endpoint="/rpc",status="200"} 100000
sluice_tool_calls_total{upstream="up",gen_ai_tool_name="a",outcome="ok"} 90000
sluice_errors_total{code="UPSTREAM_TIMEOUT",source="upstream"} 9
sluice_requests_refused_total{code="OVERLOADED"} 12
sluice_requests_limit 1024
sluice_connections_open 40
sluice_downstream_sessions 300
sluice_downstream_channels 12
sluice_worker_heap_bytes{worker="0"} 90000000
sluice_worker_heap_limit_bytes{worker="0"} 2147483648
sluice_upstream_breaker_open{upstream="up"} 0
sluice_workers_ended_total{reason="recycled"} 3
sluice_tool_call_duration_seconds_sum{upstream="up",gen_ai_tool_name="a"} 900
sluice_tool_call_duration_seconds_count{upstream="up",gen_ai_tool_name="a"} 90000
sluice_tool_call_duration_seconds_sum{upstream="up",gen_ai_tool_name="b"} 10
sluice_tool_call_duration_seconds_count{upstream="up",gen_ai_tool_name="b"} 10
`;

Deno.test("checkRunning() finds nothing in the ordinary state of a gateway", () => {
  assertEquals(checkRunning(RUNNING, readSamples(HEALTHY), [UPSTREAM]), []);
  assertEquals(checkRunning(RUNNING, readSamples(""), []), []);
  // One that was deleted is not told of.
  assertEquals(checkRunning(RUNNING, readSamples('sluice_upstream_breaker_open{upstream="gone"} 1'), []), []);
});

Deno.test("checkRunning() finds a gateway that answers with failures", () => {
  const [finding] = checkRunning(RUNNING, { brokenStatus: 500 }, []);
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
      "warning running.upstream_auth sluice logs --text UPSTREAM_AUTH_FAILED",
    ],
    ["sluice_accept_failures_total 4", "error running.accept LimitNOFILE=65536"],
    ['sluice_workers_ended_total{reason="died"} 1', "warning running.memory sluice tune --users 312 --check"],
    [
      'sluice_worker_heap_bytes{worker="0"} 2000000000',
      "warning running.memory sluice tune --users 312 --check",
    ],
    [
      'sluice_upstream_breaker_open{upstream="up"} 2',
      "warning running.breaker sluice doctor --upstream https://mcp.example.com/mcp",
    ],
    [
      'sluice_tool_call_duration_seconds_sum{upstream="up",gen_ai_tool_name="b"} 450',
      "warning running.latency TOOL_TIMEOUT=450",
    ],
    [
      "sluice_requests_limit 128",
      "note running.settings kill -HUP $(ss -Hltnp 'sport = :4444' | sed 's/.*pid=\\([0-9]*\\).*/\\1/;q')",
    ],
  ];
  for (const [more, finding] of cases) {
    // The sample replaces the healthy one.
    const name = more.slice(0, more.lastIndexOf(" "));
    const text = HEALTHY.split("\n").filter((line) => !line.startsWith(`${name} `)).join("\n") + more;
    assertEquals(lines(checkRunning(RUNNING, readSamples(text), [UPSTREAM])), [finding]);
  }
  // A tool's own limit counts for the tool: a longer one is well, a shorter one is not, however fast the upstream's other tools are.
  const slow = readSamples(
    `${HEALTHY}sluice_tool_call_duration_seconds_sum{upstream="up",gen_ai_tool_name="c"} 450\n` +
      'sluice_tool_call_duration_seconds_count{upstream="up",gen_ai_tool_name="c"} 10\n',
  );
  const judged = (timeoutMs: number) =>
    lines(checkRunning(RUNNING, slow, [UPSTREAM], [{ id: "t1", upstream: "up", tool: "c", timeoutMs }]));
  assertEquals(judged(600_000), []);
  assertEquals(judged(80_000), [
    "warning running.latency curl -sX PUT 'http://127.0.0.1:4444/tools/t1' " +
    `-H "Authorization: Bearer $(sluice token --admin)" -H "Content-Type: application/json" -d '{"timeout_ms":450000}'`,
  ]);
  // Series of the tools beyond METRICS_MAX_NAMES together: no tool of that name can be mended.
  const rest = readSamples(
    `${HEALTHY}sluice_tool_call_duration_seconds_sum{upstream="other",gen_ai_tool_name="other"} 450\n` +
      'sluice_tool_call_duration_seconds_count{upstream="other",gen_ai_tool_name="other"} 10\n',
  );
  assertEquals(checkRunning(RUNNING, rest, [UPSTREAM]), []);
  const one = checkRunning(RUNNING, readSamples("sluice_accept_failures_total 1"), []);
  assertStringIncludes(one[0]!.found, "could not take 1 connection: ");
  const auto = { ...RUNNING, backpressure: "auto" as const };
  const full = readSamples(`${HEALTHY}sluice_requests_refused_total{code="TOO_MANY_STREAMS"} 900\n`);
  assertEquals(lines(checkRunning(auto, full, [UPSTREAM])), [
    "warning running.refused sluice tune --users 312 --check",
  ]);
});

Deno.test("checkRunning() names each upstream that refuses the stored credentials, with a line for its kind of them", () => {
  const refusals = ["up", "keyed", "deleted"].flatMap((upstream) =>
    ["tools/call", "resources/read"].map((method) =>
      `mcp_client_operation_duration_seconds_count{upstream="${upstream}",mcp_method_name="${method}",error_type="UPSTREAM_AUTH_FAILED"} 150`
    )
  );
  const failed = 'sluice_errors_total{code="UPSTREAM_AUTH_FAILED",source="upstream"} 900';
  const samples = readSamples([HEALTHY, failed, ...refusals].join("\n"));
  const found = checkRunning(RUNNING, samples, [UPSTREAM, {
    ...UPSTREAM,
    name: "keyed",
    authType: "oauth",
  }]);
  const asked = `-H "Authorization: Bearer $(sluice token --admin)"`;
  assertEquals(lines(found), [
    `warning running.upstream_auth curl -sX PUT 'http://127.0.0.1:4444/gateways/up' ${asked} ` +
    `-H "Content-Type: application/json" -d '{"auth_type":"bearer","auth_token":"TOKEN"}'`,
    `warning running.upstream_auth curl -sX GET 'http://127.0.0.1:4444/gateways/keyed' ${asked}`,
  ]);
});
