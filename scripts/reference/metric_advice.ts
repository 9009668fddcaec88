// What an operator does when a metric moves. The manual's page of metrics shows it below the metric's row.

import type { MetricName } from "../../src/telemetry/metric_table.ts";

export const METRIC_ADVICE: Readonly<Record<MetricName, string>> = {
  sluice_http_answers_total: "The rate of requests. Alert on the share of `5..` statuses.",
  sluice_http_request_duration_seconds:
    "Compare with `mcp_server_operation_duration_seconds`: the difference is the edge. Event streams count until they begin.",
  mcp_server_operation_duration_seconds:
    "What clients feel. `histogram_quantile(0.99, sum by (le) (rate(mcp_server_operation_duration_seconds_bucket[5m])))` is the p99.",
  mcp_client_operation_duration_seconds:
    "An upstream that is slow or fails. What `mcp_server_operation_duration_seconds` has above it is the gateway's own time.",
  sluice_tool_calls_total:
    'Who and what is busiest, and fails. `upstream="other"`: more than `METRICS_MAX_NAMES` tools were called.',
  sluice_tool_call_duration_seconds:
    "`rate(sluice_tool_call_duration_seconds_sum[5m]) / rate(sluice_tool_call_duration_seconds_count[5m])` is the mean of each tool.",
  sluice_trace_spans_exported_total: "Zero while calls are made: [Traces](traces.md) says what to look at.",
  sluice_trace_spans_lost_total:
    "`queue_full`: sample less (`OTEL_TRACES_SAMPLER_ARG`), or raise `OTEL_BSP_MAX_QUEUE_SIZE`. `not_delivered` and `refused`: the " +
    "log says why. Calls do not wait for the collector.",
  sluice_trace_spans_open: "At `TRACE_MAX_OPEN_SPANS`, calls that begin a further span lose theirs.",
  sluice_trace_spans_waiting:
    "Near `OTEL_BSP_MAX_QUEUE_SIZE` spans are about to be lost: the collector is slow, or away.",
  sluice_executions_lost_total:
    "Tens of thousands of entries were used since a worker began. `/metrics` and `metrics` of entities have too few; restart the process.",
  sluice_errors_total:
    "Look the code up in [Errors](errors.md). The log line of the failure has its correlation id.",
  sluice_requests_in_flight:
    "If it nears `sluice_requests_limit`, requests are about to be refused: calls are slow, or there are too many.",
  sluice_requests_limit: "It moves only with `BACKPRESSURE=auto`, down when latency grows.",
  sluice_requests_refused_total:
    "The gateway is full. Find slow upstreams first; then raise `WORKERS`, `BACKPRESSURE` or `MAX_STREAMS`, or add a replica.",
  sluice_rate_limited_total:
    "A caller sends more than its tier allows. Raise the tier's `RATE_LIMIT_…` settings, or talk to the caller.",
  sluice_logins_total:
    "Many `failure` or `limited`: somebody guesses passwords. `locked` counts logins of accounts that are locked.",
  sluice_password_mails_total:
    "`failed` grows: the mail server refuses or does not answer; the log has its words. Many `no_user` or `dropped`: somebody tries addresses.",
  sluice_oauth_authorizations_total:
    "Shows whether people connect clients. Many `refused` ones point at a client with wrong addresses.",
  sluice_oauth_tokens_total:
    "Alert on `reused`: somebody has used a code or a refresh token again; the log names the client and the user.",
  sluice_oauth_registrations_total:
    "A rise without `allowed` authorizations is somebody who registers for nothing.",
  sluice_oauth_client_documents_total:
    "Failures: the metadata of a client cannot be read; the page of consent tells the person why.",
  sluice_oauth_limited_total:
    "Many: raise the limit, or set `TRUSTED_PROXY_NETWORKS`, so that people behind a proxy have addresses of their own.",
  sluice_sso_sign_ins_total:
    "`provider_failed` grows: a provider is down, or its client secret has changed; the log has the cause. Many `start_again`: " +
    "people come back to another address than they started at (`GATEWAY_PUBLIC_URL`), or take too long.",
  sluice_sso_logouts_total: "`refused` grows: somebody sends logout tokens that the provider has not signed.",
  sluice_audit_records_total:
    "`lost` grows while the database refuses records, or under a flood of different refusals. The log says how many.",
  sluice_rate_limit_callers: "It follows the number of active callers. Nothing needs to be done.",
  sluice_quota_refusals_total:
    "A quota at `/quotas` or of `QUOTA_…` is used up. Raise it, or talk to its users.",
  sluice_quota_counters: "Near `QUOTA_MAX_COUNTERS`, raise that setting: each takes 40 bytes.",
  sluice_quota_counters_dropped_total: "Quotas are less strict than they say. Raise `QUOTA_MAX_COUNTERS`.",
  sluice_quota_calls_counted_alone_total: "Replicas together may admit more than a quota. Restore Redis.",
  sluice_api_token_refusals_total:
    "`address` or `time`: somebody else may have the token, or its limits are too narrow; `GET /tokens/{id}/usage` has the addresses.",
  sluice_api_token_reads_total:
    "It follows the number of API tokens in use, and their changes. Many `refused`: clients send tokens that were revoked or deleted.",
  sluice_api_token_uses_lost_total:
    "The database refuses counts for long. The log says why. Limits of requests are then counted by each worker alone.",
  sluice_audit_exports_total:
    "`missed` grows if a sink was away for longer than the trail keeps records. `sluice audit export` has what is left.",
  sluice_audit_export_failures_total:
    "The log has the reason. Nothing is lost while the trail keeps the records.",
  sluice_audit_records_waiting:
    "It grows while the database refuses records or is slow. Above `AUDIT_MAX_WAITING` records are lost, or calls refused.",
  sluice_token_keys_reads_total:
    "Many `failure`: tokens of this issuer are refused when `JWKS_GRACE` is over. The log has the reason.",
  sluice_streams_open: "If it nears `sluice_streams_limit`, raise `MAX_STREAMS` and the limit of open files.",
  sluice_streams_limit: "It moves only when workers start or end.",
  sluice_downstream_sessions:
    "If it grows without end, clients open sessions and never end them; they expire after 24 hours. `MAX_SESSIONS` bounds them.",
  sluice_downstream_streams:
    "Clients that listen. A sudden fall means that a proxy or the network cut connections.",
  sluice_downstream_channels: "A sudden fall means that a proxy or the network cut connections.",
  sluice_pending_calls:
    "People or clients do not answer questions of upstreams. Such a call ends after `MCP_CLIENT_REQUEST_TIMEOUT`.",
  sluice_client_memory_bytes:
    "If it nears `MAX_CLIENT_MEMORY_MB` in a worker, clients leave answers unread. Raise the setting, or find the caller.",
  sluice_client_memory_refusals_total:
    "A caller keeps too much: its client does not read its streams, or has many large requests or answers at once. Restart that client, or raise `MAX_CLIENT_MEMORY_MB`.",
  sluice_callers_shed_total:
    "A worker was near its heap limit. The log names the callers. Raise `WORKER_MAX_HEAP_MB`, or add workers.",
  sluice_connections_open:
    "If it nears `sluice_connections_limit`, raise the limit of open files (`ulimit -n`).",
  sluice_connections_limit: "It follows from the limit of open files.",
  sluice_connections_closed_total:
    "`slow header` in numbers is an attack or a broken client. `no room` asks for a higher limit of open files.",
  sluice_accept_failures_total: "Raise the limit of open files (`ulimit -n`, `LimitNOFILE`).",
  sluice_upstreams_unreachable: "Alert above 0. `GET /gateways` shows which upstream, and its `lastError`.",
  sluice_upstream_up:
    "Alert at 0 for more than a few minutes. `GET /gateways` has the upstream's `lastError`.",
  sluice_upstream_breaker_open:
    "Above 0: the upstream has refused several sessions in a row. It is tried again after `MCP_SESSION_POOL_CIRCUIT_BREAKER_RESET`.",
  sluice_upstream_sessions:
    "It follows the clients: one session for each of them where `isolation` is `session`.",
  sluice_pool_sessions:
    "Many `active` and `sluice_pool_calls_waiting` above 0: the pool is too small, or an upstream slow.",
  sluice_pool_sessions_limit: "Each worker has a pool of its own.",
  sluice_pool_calls_waiting:
    "Above 0 for long: raise `MCP_SESSION_POOL_MAX_PER_KEY`, or find the slow upstream.",
  sluice_pool_wait_seconds:
    "The mean is `_sum` by `_count`, as a rate. It grows before `SESSION_POOL_TIMEOUT` is answered.",
  sluice_upstream_checks_total:
    "`failed` means an upstream that does not answer. `refused` means that it wants other credentials.",
  sluice_upstream_token_requests_total:
    "The log has the reason of `failed`. Many of `success` mean tokens that live too short, or that the upstream refuses.",
  sluice_upstream_token_revocations_total:
    "The log has the reason of `failed`. Such a token is tried three more times within 40 minutes, and ends by itself afterwards. " +
    "`unsupported` means that the authorization server offers no revocation.",
  sluice_secret_reads_failed_total:
    "Calls of the upstream fail with `UPSTREAM_LOGIN_FAILED`, which says why. What a command has printed before is used until SIGHUP. " +
    "See [secrets in files and secret stores](upstreams.md#secrets-in-files-and-secret-stores).",
  sluice_upstream_logins_total:
    "`completed` far below `begun`: people give up, or the authorization server does not send them back. The log has the reason of `failed`; see [logins of people](upstreams.md#logins-of-people).",
  sluice_upstream_login_renewals_total:
    "`failed` for long: the authorization server does not answer, and calls fail as soon as tokens expire. Each of `lost` is a user who has to connect again.",
  sluice_upstream_login_states:
    "`expires_soon` and `lost` name nobody: the page **Your connections** and `GET /connections/all` do.",
  sluice_upstream_refreshes_total:
    "`changed` again and again means an upstream whose lists never settle. The log has the reason of `failed`.",
  sluice_registrations_total:
    "After `given_up`, mend the upstream and refresh it: `POST /gateways/{id}/tools/refresh`.",
  sluice_upstream_list_faults_total:
    "The log names the upstream and the entry. Its author has to mend the list.",
  sluice_upstream_changes_held_total:
    "`held` grows when an upstream changes under `tool_approval`. `not_kept` says that further changes cannot be approved yet: decide about those that wait.",
  sluice_upstream_changes_waiting: "Alert above 0: `sluice tools held` shows the changes.",
  sluice_upstream_changes_decided_total: "",
  sluice_session_list_reads_total:
    "`failed` means that clients see the registry's list in place of their own. `refused` asks for more `MAX_CLIENT_MEMORY_MB`.",
  sluice_caller_sessions:
    "It follows the number of active callers. They end after `SESSION_TTL`, processes after `STDIO_IDLE_TIMEOUT`.",
  sluice_upstream_sessions_lost_total:
    "An upstream forgets sessions: it restarts, or several of it stand behind one address without sticky routing.",
  sluice_upstream_stray_messages_total:
    "An upstream writes something else to its channel, such as logs to standard output. The log has the text.",
  sluice_upstream_connections: "It follows sessions and processes. Nothing needs to be done.",
  sluice_upstream_streams: "Compare with the limit of open files if it grows without more sessions.",
  sluice_upstream_streams_refused_total:
    "One caller has many sessions that listen. Raise MAX_STREAMS_PER_CALLER if that is intended.",
  sluice_outbound_connections_open: "Compare it with `HTTP_CLIENT_MAX_CONNECTIONS` for each worker.",
  sluice_outbound_connections_idle: "Connections that are ready for the next call. Nothing needs to be done.",
  sluice_outbound_connections_limit: "Each worker has `HTTP_CLIENT_MAX_CONNECTIONS` of its own.",
  sluice_outbound_calls_waiting:
    "Above 0 for long: raise `HTTP_CLIENT_MAX_CONNECTIONS`, or find the slow upstream.",
  sluice_outbound_wait_seconds:
    "The mean is `_sum` by `_count`, as a rate. It grows before `HTTP_POOL_TIMEOUT` is answered.",
  sluice_stdio_processes: "Compare it with `STDIO_MAX_PROCESSES` for each worker.",
  sluice_upstream_processes:
    "Compare it with `STDIO_MAX_PROCESSES_PER_UPSTREAM` for each worker. `isolation` decides how many an upstream needs.",
  sluice_stdio_processes_started_total:
    "If it grows faster than the sessions, a program ends again and again. The log has its last lines.",
  sluice_name_conflicts: "`conflicts` in `GET /servers/{id}` names them. Rename one, or exclude it.",
  sluice_uri_conflicts:
    "`conflicts` in `GET /servers/{id}` names them. Exclude one of the upstreams' entries.",
  sluice_response_cache_answers_total: "Few `HIT`s mean that the registry changes all the time.",
  sluice_response_cache_entries: "Entries grow with the number of callers, up to `RESPONSE_CACHE_MAX_MB`.",
  sluice_response_cache_bytes:
    "Each worker has `RESPONSE_CACHE_MAX_MB`. At that limit the caller with the most bytes loses the least recently used ones.",
  sluice_build_info: "After a deployment, all replicas have one version.",
  process_cpu_seconds_total:
    "`rate(process_cpu_seconds_total[5m])` is the number of cores in use. Near `WORKERS`, add workers or a replica.",
  process_resident_memory_bytes: "Alert before the limit of the container or the machine.",
  process_start_time_seconds: "A change is a restart.",
  process_open_fds: "Alert above 80 % of `process_max_fds`.",
  process_max_fds: "Raise it by `ulimit -n` or `LimitNOFILE`.",
  sluice_worker_heap_bytes:
    "Near its limit a worker sheds callers (`sluice_callers_shed_total`) and is replaced. Raise `WORKER_MAX_HEAP_MB`, or add workers.",
  sluice_log_buffer_bytes: "It stays below `LOG_BUFFER_SIZE_MB`, which sets it.",
  sluice_worker_heap_limit_bytes: "It moves only with `WORKER_MAX_HEAP_MB`.",
  sluice_event_loop_delay_seconds:
    "A p99 above 50 ms means a worker that is busy: add workers. Seconds mean a task that blocks it, or a machine without CPU time.",
  sluice_workers_ready: "Alert below `WORKERS` for more than a minute.",
  sluice_workers_ended_total:
    "`recycled` is planned. Alert on `died` and `stood_still`; the log has the reason.",
  sluice_leader: "Alert if the sum over all replicas is not 1 for longer than `LEADER_LEASE_TTL`.",
  sluice_redis_workers_connected:
    "Alert below `WORKERS`: new sessions fail with [`CACHE_UNAVAILABLE`](errors.md#cache_unavailable).",
  sluice_sessions_taken_over_total:
    "A replica has stopped or died. Without a deployment, look for the reason.",
  sluice_replica_forwards_total:
    "`failed` means a replica that others do not reach: check `REPLICA_ADDRESS`. `untrusted`: check `REPLICA_SSL_CA_CERTS`.",
  sluice_replica_requests_in_flight:
    "Requests come to another replica than the session's. Sticky routing saves that step, and is not needed.",
  sluice_replica_streams_open: "The same for event streams.",
};
