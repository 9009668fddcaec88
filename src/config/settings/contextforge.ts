// Settings of ContextForge that have no effect here: what each one does there, and what the gateway does instead.
// Warnings name them, so that an operator who moves from ContextForge learns which protections are missing.

import { type ForeignRow, PROTECTIONS } from "./contextforge_protections.ts";

/** Settings that share an explanation. */
export interface ForeignSetting {
  /** What the setting does in ContextForge. */
  readonly there: string;
  /** What the gateway does instead. */
  readonly here: string;
  /** Does the setting protect something in ContextForge, or give somebody access? */
  readonly isSecurity: boolean;
  /** The value (in lower case) with which ContextForge behaves as the gateway always does; null: there is none. */
  readonly same: string | null;
  /** Do other programs use the name too? Such a name means this gateway only in .env. */
  readonly isCommon: boolean;
}

const OTHERS: readonly ForeignRow[] = [
  [
    "APP_DOMAIN UI_BASE_URL",
    "is the public address",
    "ALLOWED_HOSTS and ALLOWED_ORIGINS name the public addresses",
  ],
  [
    "PASSTHROUGH_HEADERS_SOURCE",
    "says where the list of passed headers is kept",
    "DEFAULT_PASSTHROUGH_HEADERS is the list",
    "env",
  ],
  [
    "MCPGATEWAY_ADMIN_API_ENABLED",
    "switches the API below /admin on",
    "/gateways, /servers, /tools, /resources and /prompts are always served",
    "true",
  ],
  ["MCPGATEWAY_UI_*", "governs the pages of administration", "the gateway has pages of its own at /admin"],
  [
    "MCPGATEWAY_STDIO_TRANSPORT_ENABLED",
    "allows upstreams that are started as processes",
    "STDIO_ENABLED allows them",
  ],
  ["MCPGATEWAY_WS_RELAY_ENABLED", "switches /ws on", "/ws is always served", "true"],
  [
    "MCPGATEWAY_BULK_IMPORT_* MCPGATEWAY_TOOL_CANCELLATION_ENABLED MCPGATEWAY_A2A_* MCPGATEWAY_GRPC_* " +
    "MCPGATEWAY_DIRECT_PROXY_* MCPGATEWAY_CATALOG_* MCPGATEWAY_MCP_APPS_* MCPGATEWAY_REVERSE_PROXY_ENABLED LLMCHAT_* " +
    "LLM_API_PREFIX LLM_REQUEST_TIMEOUT LLM_STREAMING_ENABLED LLM_HEALTH_CHECK_INTERVAL TOOLOPS_ENABLED " +
    "DATAPLANE_PUBLISHER DATAPLANE_PUBLISHER_INTERVAL_SECONDS JQ_FILTER_* REST_RESPONSE_TEXT_MAX_LENGTH",
    "governs a feature that the gateway lacks",
    "the feature does not exist",
  ],
  [
    "MCPGATEWAY_ELICITATION_*",
    "governs questions of upstreams to clients",
    "such questions are always passed on; MCP_CLIENT_REQUEST_TIMEOUT limits the wait",
  ],
  [
    "MCPGATEWAY_SESSION_AFFINITY_* MCPGATEWAY_POOL_RPC_FORWARD_TIMEOUT USE_STATEFUL_SESSIONS",
    "governs sessions that several workers serve",
    "a session always works with any number of workers and replicas",
  ],
  [
    "STREAMABLE_HTTP_* MCP_GET_STREAM_* MCP_BODY_PEEK_MAX_BYTES MESSAGE_TTL",
    "governs the streamable HTTP endpoint",
    "JSON_RESPONSE_ENABLED chooses JSON or event streams, and STREAM_RESUME_WINDOW governs resumption",
  ],
  [
    "SSE_KEEPALIVE_ENABLED SSE_SEND_TIMEOUT SSE_RETRY_TIMEOUT SSE_RAPID_YIELD_* SSE_TASK_GROUP_CLEANUP_TIMEOUT " +
    "WEBSOCKET_PING_INTERVAL TRANSPORT_TYPE CLIENT_DISCONNECT_MIDDLEWARE_ENABLED ANYIO_CANCEL_DELIVERY_*",
    "governs event streams and WebSockets",
    "SSE_KEEPALIVE_INTERVAL and HTTP_IDLE_TIMEOUT govern both",
  ],
  [
    "MAX_TOOL_RETRIES RETRY_MAX_ATTEMPTS RETRY_BASE_DELAY RETRY_MAX_DELAY RETRY_JITTER_MAX FEDERATION_TIMEOUT " +
    "HTTPX_ADMIN_READ_TIMEOUT GATEWAY_VALIDATION_TIMEOUT GATEWAY_MAX_REDIRECTS",
    "governs timeouts and retries of outbound calls",
    "TOOL_TIMEOUT, HTTP_CLIENT_CONNECT_TIMEOUT and HTTP_CLIENT_READ_TIMEOUT govern the timeouts",
  ],
  [
    "HOT_COLD_CLASSIFICATION_ENABLED GATEWAY_ASYNC_LIFECYCLE_* SLUG_REFRESH_BATCH_SIZE",
    "governs how upstreams are refreshed and registered in the background",
    "AUTO_REFRESH_SERVERS and GATEWAY_AUTO_REFRESH_INTERVAL govern the refresh",
  ],
  [
    "PRIMARY_WORKER_* FILELOCK_NAME REDIS_LEADER_KEY REDIS_LEADER_HEARTBEAT_INTERVAL",
    "governs the election of the worker that runs the background jobs",
    "a lease in the database elects it: LEADER_LEASE_TTL",
  ],
  [
    "AUTH_CACHE_* REGISTRY_CACHE_* TOOL_LOOKUP_CACHE_* ADMIN_STATS_CACHE_* TEAM_MEMBER_COUNT_CACHE_* METRICS_CACHE_* " +
    "GLOBAL_CONFIG_CACHE_TTL A2A_STATS_CACHE_TTL RESOURCE_CACHE_SIZE RESOURCE_CACHE_TTL PROMPT_CACHE_SIZE",
    "governs how long answers are kept in memory",
    "answers are kept until the registry changes (REGISTRY_CACHE_ENABLED), pages for RESPONSE_CACHE_TTL",
  ],
  [
    "VALIDATION_* CONTENT_MAX_* CONTENT_ALLOWED_* CONTENT_STRICT_* CONTENT_VALIDATE_* CONTENT_BLOCKED_* CONTENT_PATTERN_* " +
    "MAX_RESOURCE_SIZE MAX_PROMPT_SIZE PROMPT_RENDER_TIMEOUT ALLOWED_MIME_TYPES " +
    "JSON_SCHEMA_VALIDATION_STRICT VALID_SLUG_SEPARATOR_REGEXP",
    "limits names, texts and sizes",
    "MAX_BODY_BYTES, MAX_UPSTREAM_RESPONSE_BYTES and VALIDATION_MAX_JSON_DEPTH are the limits",
  ],
  [
    "RATE_LIMITING_REDIS_ENABLED RATELIMITER_REDIS_*",
    "says where rate limits are counted",
    "CACHE_TYPE says it, and REDIS_URL is used for everything",
  ],
  [
    "REDIS_PARSER REDIS_DECODE_RESPONSES REDIS_RETRY_ON_TIMEOUT REDIS_MAX_RETRIES REDIS_RETRY_INTERVAL_MS " +
    "REDIS_MAX_BACKOFF_SECONDS REDIS_OPERATION_TIMEOUT REDIS_CIRCUIT_*",
    "governs the Redis client",
    "REDIS_SOCKET_TIMEOUT limits each command, and a lost connection is opened again at once",
  ],
  [
    "DB_DRIVER DB_PREPARE_THRESHOLD DB_MAX_BACKOFF_SECONDS DB_WAIT_INTERVAL DB_WAIT_MAX_TRIES USE_POSTGRESDB_PERCENTILES YIELD_BATCH_SIZE " +
    "SQLALCHEMY_ECHO MCPGATEWAY_SKIP_MIGRATIONS",
    "governs the database client",
    "DATABASE_URL, DB_CONNECT_TIMEOUT and DB_MAX_RETRIES govern it, and the schema is always brought up to date",
  ],
  [
    "ENABLE_METRICS METRICS_AGGREGATION_* METRICS_BUFFER_ENABLED METRICS_BUFFER_MAX_SIZE METRICS_CLEANUP_* METRICS_ROLLUP_ENABLED " +
    "METRICS_ROLLUP_INTERVAL_HOURS METRICS_ROLLUP_LATE_DATA_HOURS METRICS_DELETE_* " +
    "METRICS_EXCLUDED_HANDLERS METRICS_NAMESPACE METRICS_SUBSYSTEM METRICS_CUSTOM_LABELS TOKEN_USAGE_LOGGING_ENABLED " +
    "TOKEN_LAST_USED_UPDATE_INTERVAL_MINUTES MCPGATEWAY_PERFORMANCE_* PERFORMANCE_THRESHOLD_* PERFORMANCE_TRACKING_ENABLED " +
    "PERFORMANCE_DEGRADATION_MULTIPLIER",
    "governs metrics in the database and their export",
    "/metrics/prometheus is always served, and sums by hour and day are stored as they are counted",
  ],
  [
    "OBSERVABILITY_* OTEL_EMIT_LANGFUSE_ATTRIBUTES OTEL_CAPTURE_* OTEL_BAGGAGE_* " +
    "OTEL_COPY_RESOURCE_ATTRS_TO_SPANS OTEL_REDACT_FIELDS OTEL_MAX_TRACE_PAYLOAD_SIZE LANGFUSE_OTEL_* " +
    "PLUGIN_METRICS_* CPEX_*",
    "governs traces",
    "OTEL_ENABLE_OBSERVABILITY exports traces by OTLP, without arguments and results",
    "false",
  ],
  [
    "LOG_REQUESTS",
    "logs each request",
    "DISABLE_ACCESS_LOG=false logs each request",
    "false",
  ],
  [
    "LOG_TO_FILE LOG_FILEMODE LOG_ROTATION_ENABLED LOG_MAX_SIZE_MB LOG_BACKUP_COUNT LOG_DETAILED_* " +
    "LOG_RESOLVE_USER_IDENTITY LOG_SEARCH_MAX_RESULTS LOG_RETENTION_DAYS STRUCTURED_LOGGING_* DB_QUERY_LOG_* " +
    "WEBHOOK_LOGGING_* EXPERIMENTAL_RUST_REQUEST_LOGGING_MASKING_ENABLED",
    "governs log files and the log in the database",
    "the log goes to standard output: LOG_LEVEL and LOG_FORMAT",
  ],
  [
    "CORRELATION_ID_ENABLED CORRELATION_ID_HEADER CORRELATION_ID_PRESERVE",
    "governs the correlation id of a request",
    "an id that the client sends in X-Correlation-ID is kept, and errors and log have one",
  ],
  [
    "COMPRESSION_*",
    "compresses responses",
    "br or gzip compresses pages, reads of the registry, metrics and documents of 1.2 kB or more; answers to MCP clients are not compressed",
  ],
  [
    "PAGINATION_*",
    "governs the pages of REST lists",
    "the query parameters `limit` and `cursor` govern them",
  ],
  [
    "LEGACY_API_ENABLED LEGACY_API_SUNSET_DATE",
    "governs paths without /v1",
    "both forms of each path are served",
  ],
  [
    "AUTO_CREATE_PERSONAL_TEAMS PERSONAL_TEAM_PREFIX MAX_TEAM_MEMBER_SEEDS " +
    "REQUIRE_EMAIL_VERIFICATION_FOR_INVITES ALLOW_TEAM_CREATION ALLOW_TEAM_JOIN_REQUESTS " +
    "ALLOW_TEAM_INVITATIONS",
    "governs teams",
    "every user has a personal team; an owner of a public team decides who joins, and invitations are sent by whoever makes them",
  ],
  [
    "EXPERIMENTAL_RUST_MCP_* MCP_RUST_* RUST_MCP_* AA_RUST_* ENABLE_RUST_MCP_RMCP_BUILD",
    "governs a second server process",
    "the gateway is one process",
  ],
  ["GUNICORN_KEEP_ALIVE", "keeps idle connections open", "HTTP_IDLE_TIMEOUT does"],
  ["GUNICORN_DEV_MODE", "restarts when a source file changes", "DEV_MODE does"],
  ["CERT_PASSPHRASE", "is the password of the key file", "KEY_FILE_PASSWORD is"],
  [
    "WELL_KNOWN_* DEFAULT_ROOTS PROTOCOL_VERSION MASKED_AUTH_VALUE SSL_CONTEXT_CACHE_*",
    "governs details of ContextForge's pages and files",
    "the gateway has nothing to set there",
  ],
];

const COMMON: readonly ForeignRow[] = [
  [
    "APP_NAME DEPLOYMENT_ENV DEBUG RELOAD CLIENT_MODE TEMPLATES_DIR STATIC_DIR",
    "names and describes the deployment",
    "the gateway does not ask for it",
  ],
  [
    "POOL_MODE MAX_CLIENT_CONN DEFAULT_POOL_SIZE MIN_POOL_SIZE RESERVE_POOL_SIZE RESERVE_POOL_TIMEOUT MAX_DB_CONNECTIONS " +
    "MAX_USER_CONNECTIONS SERVER_LIFETIME SERVER_IDLE_TIMEOUT SERVER_CONNECT_TIMEOUT QUERY_WAIT_TIMEOUT CLIENT_IDLE_TIMEOUT " +
    "IDLE_TRANSACTION_TIMEOUT SERVER_RESET_QUERY SERVER_RESET_QUERY_ALWAYS",
    "is read by the container of PgBouncer",
    "PgBouncer reads it from pgbouncer.ini or its container; sluice tune computes it, and sluice doctor examines it there",
  ],
  ["LOG_FILE LOG_FOLDER", "names the log file", "the log goes to standard output"],
  [
    "OTEL_METRICS_EXPORTER OTEL_LOGS_EXPORTER OTEL_EXPORTER_OTLP_METRICS_* OTEL_EXPORTER_OTLP_LOGS_* " +
    "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL OTEL_EXPORTER_OTLP_TRACES_HEADERS OTEL_EXPORTER_OTLP_TRACES_TIMEOUT " +
    "OTEL_EXPORTER_OTLP_TRACES_COMPRESSION OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE OTEL_EXPORTER_OTLP_INSECURE " +
    "OTEL_* LANGFUSE_*",
    "governs telemetry",
    "the settings of the group Traces govern it; metrics are read at /metrics/prometheus, and the log goes to standard output",
  ],
  ["ELASTICSEARCH_*", "sends the log elsewhere", "the log goes to standard output"],
  [
    "SYSLOG_*",
    "sends the log elsewhere",
    "the log goes to standard output; AUDIT_SYSLOG_URL sends the audit trail to syslog",
  ],
  ["MCPGATEWAY_BEARER_TOKEN", "is the token of ContextForge's client", "the gateway is no client of itself"],
];

const EXACT = new Map<string, ForeignSetting>();
/** The longest first: the most particular explanation counts. */
const PREFIXES: Array<readonly [prefix: string, setting: ForeignSetting]> = [];

for (const rows of [PROTECTIONS, OTHERS, COMMON]) {
  for (const [names, there, here, same = null] of rows) {
    const setting = { there, here, same, isSecurity: rows === PROTECTIONS, isCommon: rows === COMMON };
    for (const name of names.split(" ")) {
      if (name.endsWith("*")) PREFIXES.push([name.slice(0, -1), setting]);
      else EXACT.set(name, setting);
    }
  }
}
PREFIXES.sort(([a], [b]) => b.length - a.length);

/** The explanation of a setting that has this very name; null if there is none. */
export function foreignSetting(name: string): ForeignSetting | null {
  return EXACT.get(name) ?? null;
}

/** The explanation of the family of settings that `name` belongs to by its beginning; null if there is none. */
export function foreignFamily(name: string): ForeignSetting | null {
  return PREFIXES.find(([prefix]) => name.startsWith(prefix))?.[1] ?? null;
}
