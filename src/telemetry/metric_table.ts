// The table of metrics. Every metric that a gateway exports has one row, here and nowhere else.
import { ERRORS } from "../base/errors.ts";
import { type MetricRow, pairs, row } from "./metric_values.ts";

const [counter, gauge, histogram, summary] = [row("counter"), row("gauge"), row("histogram"), row("summary")];

/** Where records of the audit trail are exported to. */
const SINKS = ["file", "syslog", "webhook"];

export const METRICS = {
  sluice_http_answers_total: counter("Answers by endpoint and HTTP status", ["endpoint", "status"]),
  sluice_http_request_duration_seconds: histogram(
    "Time from a request's header to the header of its answer, by endpoint; requests refused unread are not measured",
    ["endpoint"],
  ),
  mcp_server_operation_duration_seconds: histogram(
    "Time that the gateway took to answer requests of MCP clients, by method and error_type: none; a code of the error table; " +
      "tool_error: the result says isError; the number of an upstream's JSON-RPC error; _OTHER",
    ["mcp_method_name", "error_type"],
  ),
  mcp_client_operation_duration_seconds: histogram(
    "Time that upstreams took for requests, the waits for a session and a connection included, by upstream, method and error_type as above",
    ["upstream", "mcp_method_name", "error_type"],
    { names: 1 },
  ),
  sluice_tool_calls_total: counter(
    "Calls of tools that were sent to upstreams, by outcome: success; tool_error: the result says isError; error",
    ["upstream", "gen_ai_tool_name", "outcome"],
    { names: 2, values: ["success", "tool_error", "error"] },
  ),
  sluice_tool_call_duration_seconds: summary(
    "Time of these calls: their number and the sum of their durations",
    ["upstream", "gen_ai_tool_name"],
    { names: 2 },
  ),
  sluice_trace_spans_exported_total: counter("Spans that the collector of traces has taken"),
  sluice_trace_spans_lost_total: counter(
    "Spans that were not exported, by reason: too_many_open (TRACE_MAX_OPEN_SPANS); queue_full (OTEL_BSP_MAX_QUEUE_SIZE); " +
      "not_delivered: the collector did not answer; refused: it did not take them",
    ["reason"],
    { values: ["too_many_open", "queue_full", "not_delivered", "refused"] },
  ),
  sluice_trace_spans_open: gauge("Spans of calls under way"),
  sluice_trace_spans_waiting: gauge("Spans that wait for the collector of traces"),
  sluice_executions_lost_total: counter(
    "Executions that the database gets nothing of, because too many tools, resources, prompts and virtual servers were used",
  ),
  sluice_errors_total: counter(
    "Failures by code of the error table and by cause: downstream, upstream, internal",
    ["code", "source"],
    { values: Object.entries(ERRORS).map(([code, { source }]) => [code, source]) },
  ),
  sluice_requests_in_flight: gauge("Requests under way"),
  sluice_requests_limit: gauge("Requests that may be under way at once, in all workers (BACKPRESSURE)"),
  sluice_requests_refused_total: counter(
    "Requests refused unread, at BACKPRESSURE (OVERLOADED), MAX_STREAMS (TOO_MANY_STREAMS), or on a channel that is full or ends",
    ["code"],
    { values: ["OVERLOADED", "TOO_MANY_STREAMS"] },
  ),
  sluice_rate_limited_total: counter(
    "Requests refused by a rate limit, by tier: low, medium, high",
    ["tier"],
    { values: ["low", "medium", "high"] },
  ),
  sluice_rate_limit_callers: gauge("Callers whose requests are counted, in each worker"),
  sluice_quota_refusals_total: counter(
    "Calls refused by a quota, by its kind (user, team, token, tool) and by what is used up: calls, seconds, bytes",
    ["kind", "unit"],
    { values: pairs(["user", "team", "token", "tool"], ["calls", "seconds", "bytes"]) },
  ),
  sluice_quota_counters: gauge("Counters of quotas whose window has not ended, of QUOTA_MAX_COUNTERS"),
  sluice_quota_counters_dropped_total: counter(
    "Counters of quotas that started again from zero, for lack of room (QUOTA_MAX_COUNTERS)",
  ),
  sluice_quota_calls_counted_alone_total: counter(
    "Calls that only one replica has counted for their quotas, because Redis was unavailable",
  ),
  sluice_logins_total: counter(
    "Logins by outcome: success, failure, limited (LOGIN_ATTEMPTS_PER_MINUTE), locked (a failure, whatever the password)",
    ["outcome"],
    { values: ["success", "failure", "limited", "locked"] },
  ),
  sluice_password_mails_total: counter(
    "Requests for a link to a new password, by outcome: sent, failed, no_user (no active user with a password), " +
      "dropped (too many wait)",
    ["outcome"],
    { values: ["sent", "failed", "no_user", "dropped"] },
  ),
  sluice_sso_sign_ins_total: counter(
    "Sign-ins at identity providers, by provider and outcome: success, refused, start_again, provider_failed, failed",
    ["provider", "outcome"],
    { values: ["success", "refused", "start_again", "provider_failed", "failed"] },
  ),
  sluice_sso_logouts_total: counter(
    "Logouts that identity providers sent, by provider and outcome: success, refused, failed",
    ["provider", "outcome"],
    { values: ["success", "refused", "failed"] },
  ),
  sluice_oauth_authorizations_total: counter(
    "Authorization requests of OAuth clients, by outcome: allowed, remembered, denied, refused (the request was wrong)",
    ["outcome"],
    { values: ["allowed", "remembered", "denied", "refused"] },
  ),
  sluice_oauth_tokens_total: counter(
    "Token requests of OAuth clients, by grant type and outcome: success; refused; reused: a code or refresh token came again, " +
      "and its login has ended; failed",
    ["grant_type", "outcome"],
    {
      values: [
        ...pairs(["authorization_code", "refresh_token", "device_code"], [
          "success",
          "refused",
          "reused",
          "failed",
        ]),
        ["other", "refused"],
      ],
    },
  ),
  sluice_oauth_registrations_total: counter(
    "Registrations of OAuth clients by outcome: success, refused, failed",
    ["outcome"],
    { values: ["success", "refused", "failed"] },
  ),
  sluice_oauth_client_documents_total: counter(
    "Reads of the metadata documents of OAuth clients, by outcome",
    ["outcome"],
    { values: ["success", "failure"] },
  ),
  sluice_oauth_limited_total: counter(
    "Requests of OAuth clients above the limit of their address, by kind: request (OAUTH_REQUESTS_PER_MINUTE), registration " +
      "(OAUTH_REGISTRATIONS_PER_HOUR)",
    ["kind"],
    { values: ["request", "registration"] },
  ),
  sluice_audit_records_total: counter(
    "Records for the audit trail, by result: written; lost: too many waited for the database",
    ["result"],
    { values: ["written", "lost"] },
  ),
  sluice_audit_exports_total: counter(
    "Records of the audit trail by sink (file, syslog, webhook) and result: sent; missed: deleted before they were exported",
    ["sink", "result"],
    { values: pairs(SINKS, ["sent", "missed"]) },
  ),
  sluice_audit_export_failures_total: counter(
    "Tries to export records of the audit trail that failed, by sink",
    ["sink"],
    { values: SINKS },
  ),
  sluice_audit_records_waiting: gauge("Records for the audit trail that wait for the database"),

  sluice_api_token_refusals_total: counter(
    "Requests that the limits of their token refused, by reason: address, time, hour, day, total",
    ["reason"],
    { values: ["address", "time", "hour", "day", "total"] },
  ),
  sluice_api_token_reads_total: counter(
    "API tokens that a worker read from the database, when it first saw them or after a change, by outcome: found, refused, unrecorded (of ContextForge, and not imported)",
    ["outcome"],
    { values: ["found", "refused", "unrecorded"] },
  ),
  sluice_api_token_uses_lost_total: counter(
    "Times that the use of an API token was not counted: that of too many tokens waited for the database",
  ),

  sluice_token_keys_reads_total: counter(
    "Reads of the keys of an issuer of JWT_ISSUERS, by issuer and outcome: success, failure",
    ["issuer", "outcome"],
    { values: ["success", "failure"] },
  ),

  sluice_streams_open: gauge(
    "Event streams, WebSockets, and requests subscriptions/listen on one connection, open now",
  ),
  sluice_streams_limit: gauge("Streams that may be open at once, in all workers (MAX_STREAMS)"),
  sluice_downstream_sessions: gauge("Open sessions of clients over streamable HTTP"),
  sluice_downstream_streams: gauge("Open GET streams of these sessions"),
  sluice_downstream_channels: gauge("Open sessions of clients over SSE of 2024-11-05 and WebSocket"),
  sluice_pending_calls: gauge("Calls that wait for input from their client"),
  sluice_client_memory_bytes: gauge("Memory that is kept for clients, as MAX_CLIENT_MEMORY_MB counts it"),
  sluice_client_memory_refusals_total: counter(
    "Times that a caller's share of MAX_CLIENT_MEMORY_MB was used up: an event was not kept, or a request was refused",
  ),
  sluice_callers_shed_total: counter(
    "Callers whose sessions, streams and pending calls were ended because memory was short",
  ),

  sluice_connections_open: gauge("Connections of clients"),
  sluice_connections_limit: gauge("Connections of clients above which those without a request are closed"),
  sluice_connections_closed_total: counter(
    "Connections that the gateway closed, by reason: slow header; idle; unread answer; no room: descriptors were short",
    ["reason"],
    { values: ["slow header", "idle", "unread answer", "no room"] },
  ),
  sluice_accept_failures_total: counter(
    "Times that a worker could not accept a connection, usually for lack of descriptors",
  ),

  sluice_upstreams_unreachable: gauge("Upstreams that the health checks do not reach"),
  sluice_upstream_up: gauge(
    "1: the health checks and the last calls reach the upstream; 0: they do not. Disabled ones are missing",
    ["upstream"],
  ),
  sluice_upstream_breaker_open: gauge(
    "Workers in which calls to the upstream fail at once, because its circuit breaker is open",
    ["upstream"],
  ),
  sluice_upstream_sessions: gauge(
    "Sessions to the upstream, open or being opened: of client sessions, of callers without one, and of the pool",
    ["upstream"],
  ),
  sluice_pool_sessions: gauge("Sessions of the pool, by state: active, idle, validating, creating", [
    "state",
  ]),
  sluice_pool_sessions_limit: gauge(
    "Sessions that the pools of all workers may have (MCP_SESSION_POOL_MAX_TOTAL_SESSIONS); 0: no limit",
  ),
  sluice_pool_calls_waiting: gauge("Calls that wait for a session of the pool"),
  sluice_pool_wait_seconds: summary(
    "Time that calls have waited for a session of the pool, its opening included. A call that finds an idle session does not wait",
  ),
  sluice_upstream_checks_total: counter(
    "Health checks of upstreams by result; refused: it answered 401 or 403; not_checked: the gateway could not check",
    ["result"],
    { values: ["healthy", "refused", "failed", "not_checked"] },
  ),
  sluice_upstream_token_requests_total: counter(
    "Tokens that the gateway asked for at authorization servers of upstreams, by upstream and outcome: success, failed",
    ["upstream", "outcome"],
    { names: 1, values: ["success", "failed"] },
  ),
  sluice_upstream_token_revocations_total: counter(
    "Revocations of tokens at authorization servers of upstreams, after users and upstreams were deleted or changed, by upstream and " +
      "outcome: success, failed, unsupported",
    ["upstream", "outcome"],
    { names: 1, values: ["success", "failed", "unsupported"] },
  ),
  sluice_secret_reads_failed_total: counter(
    "Secrets of upstreams' credentials that could not be read, by upstream and kind of the reference: file, secret",
    ["upstream", "kind"],
    { names: 1, values: ["file", "secret"] },
  ),
  sluice_upstream_logins_total: counter(
    "Logins of people at upstreams, by outcome: begun; completed; refused: the person or the authorization server said no; " +
      "start_again: the browser brought an answer to no login under way; failed",
    ["outcome"],
    { values: ["begun", "completed", "refused", "start_again", "failed"] },
  ),
  sluice_upstream_login_renewals_total: counter(
    "Renewals of logins of people at upstreams, by outcome: success; failed: it is tried again; lost: the authorization server does not renew the login",
    ["outcome"],
    { values: ["success", "failed", "lost"] },
  ),
  sluice_upstream_login_states: gauge(
    "Logins of people at upstreams, by state: connected; wants_scope: a call lacked a right; expires_soon: it ends within a day, and is " +
      "not renewed; expired; lost: it is not renewed any more. The leader counts them every 30 s",
    ["state"],
  ),
  sluice_upstream_refreshes_total: counter(
    "Refreshes of upstreams' lists, by result: changed, unchanged, failed",
    ["result"],
    { values: ["changed", "unchanged", "failed"] },
  ),
  sluice_registrations_total: counter(
    "Tries to list upstreams that were registered without waiting, by result: ready, failed, given_up",
    ["result"],
    { values: ["ready", "failed", "given_up"] },
  ),
  sluice_upstream_list_faults_total: counter(
    "Faults in lists of upstreams: a list failed, was too_large or undeclared; an entry was skipped or repaired",
    ["fault"],
    { values: ["failed", "too_large", "undeclared", "skipped", "repaired"] },
  ),
  sluice_upstream_changes_held_total: counter(
    "Changes of upstreams that began to wait for an approval, by result: held; not_kept: too many wait (MAX_HELD_CHANGES, MAX_HELD_BYTES)",
    ["result"],
    { values: ["held", "not_kept"] },
  ),
  sluice_upstream_changes_waiting: gauge(
    "Changes that wait for an approval, by upstream whose changes need one",
    ["upstream"],
  ),
  sluice_upstream_changes_decided_total: counter(
    "Decisions about changes of upstreams, by decision: approve, reject",
    ["decision"],
    { values: ["approve", "reject"] },
  ),
  sluice_session_list_reads_total: counter(
    "Lists read in a client's own upstream session, by result: same as the registry, own, failed, refused for lack of client memory",
    ["result"],
    { values: ["same", "own", "failed", "refused"] },
  ),
  sluice_caller_sessions: gauge(
    "Upstream sessions and processes that callers have without a client session, by caller, upstream and capabilities",
  ),
  sluice_upstream_sessions_lost_total: counter(
    "Sessions that upstreams no longer knew, found by a ping because the answer did not say so",
  ),
  sluice_upstream_stray_messages_total: counter(
    "Texts from upstreams that were no message, or belonged to no call",
    ["transport"],
    { values: ["sse", "stdio", "websocket"] },
  ),
  sluice_upstream_connections: gauge("Open connections to upstreams over stdio, SSE and WebSocket"),
  sluice_upstream_streams: gauge(
    "Open event streams from upstreams and WebSockets to them, which HTTP_CLIENT_MAX_CONNECTIONS does not count",
  ),
  sluice_upstream_streams_refused_total: counter(
    "Event streams and WebSockets to upstreams that were not opened, because their caller has MAX_STREAMS_PER_CALLER",
  ),
  sluice_outbound_connections_open: gauge("Outbound HTTP connections, idle ones included"),
  sluice_outbound_connections_idle: gauge("Outbound HTTP connections without a call"),
  sluice_outbound_connections_limit: gauge(
    "Outbound HTTP connections that all workers may have (HTTP_CLIENT_MAX_CONNECTIONS)",
  ),
  sluice_outbound_calls_waiting: gauge("Calls that wait for an outbound HTTP connection"),
  sluice_outbound_wait_seconds: summary(
    "Time that requests have waited for an outbound HTTP connection, its opening included. A request that finds an idle connection does " +
      "not wait",
  ),
  sluice_stdio_processes: gauge("Running processes of stdio upstreams"),
  sluice_upstream_processes: gauge("Running processes of stdio upstreams, by upstream", ["upstream"]),
  sluice_stdio_processes_started_total: counter("Processes started for stdio upstreams"),

  sluice_name_conflicts: gauge("Tools and prompts that lost their name to another one of their endpoint"),
  sluice_uri_conflicts: gauge(
    "Resources and templates hidden by another one with the same URI, at each endpoint",
  ),
  sluice_response_cache_answers_total: counter(
    "Pages and reads of the registry that may be cached, by status: HIT, MISS, STALE",
    ["status"],
    { values: ["HIT", "MISS", "STALE"] },
  ),
  sluice_response_cache_entries: gauge("Cached pages and answers to reads of the registry"),
  sluice_response_cache_bytes: gauge("Bytes of these answers"),

  sluice_build_info: gauge("1: the version, commit and Deno of this process", ["version", "commit", "deno"]),
  process_cpu_seconds_total: counter("CPU time of this process, with all its workers"),
  process_resident_memory_bytes: gauge("Memory of this process, with all its workers"),
  process_start_time_seconds: gauge("When this process began, in seconds since 1970"),
  process_open_fds: gauge("Files and connections that this process has open"),
  process_max_fds: gauge("Files and connections that this process may have open"),
  sluice_log_buffer_bytes: gauge("Memory of the latest log lines that people can read (LOG_BUFFER_SIZE_MB)"),
  sluice_worker_heap_bytes: gauge("Memory that the values of a worker take, by worker", ["worker"]),
  sluice_worker_heap_limit_bytes: gauge("Memory that they may take (WORKER_MAX_HEAP_MB)", ["worker"]),
  sluice_event_loop_delay_seconds: histogram(
    "Time that a timer of a worker was late, looked at five times a second, by worker",
    ["worker"],
  ),
  sluice_workers_ready: gauge("Workers that serve"),
  sluice_workers_ended_total: counter(
    "Workers that ended, by reason: died; stood_still: blocked, and terminated; recycled",
    ["reason"],
    { values: ["died", "stood_still", "recycled"] },
  ),
  sluice_leader: gauge("1: this process holds the lease for the jobs of the cluster"),
  sluice_redis_workers_connected: gauge("Workers whose connection to Redis works; only with Redis"),
  sluice_sessions_taken_over_total: counter("Sessions taken over from replicas that are gone"),
  sluice_replica_forwards_total: counter(
    "Requests forwarded to other replicas, by result: answered; failed; gone: the replica no longer existed, the request was " +
      "served elsewhere; untrusted: the replica's certificate was refused",
    ["result"],
    { values: ["answered", "failed", "gone", "untrusted"] },
  ),
  sluice_replica_requests_in_flight: gauge(
    "Requests under way that other replicas have forwarded; sluice_requests_in_flight does not count them",
  ),
  sluice_replica_streams_open: gauge(
    "Event streams that other replicas have asked for; sluice_streams_open does not count them",
  ),
} as const satisfies Record<string, MetricRow>;

export type MetricName = keyof typeof METRICS;
type NameOf<Kind extends MetricRow["kind"]> = {
  [Name in MetricName]: (typeof METRICS)[Name]["kind"] extends Kind ? Name : never;
}[MetricName];
export type CounterName = NameOf<"counter">;
export type GaugeName = NameOf<"gauge">;
export type HistogramName = NameOf<"histogram">;
export type SummaryName = NameOf<"summary">;
