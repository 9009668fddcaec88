// Room `base`: errors, time, cancellation, and other parts without a domain. Every room may use them; they use no other room.
// This file is the error catalogue. Each failure that a client or an operator can meet has one row, here
// or, if an upstream causes it, in error_row.ts.
import { type ErrorRow, row, UPSTREAM_ERRORS } from "./error_row.ts";

export const ERRORS = {
  PARSE_ERROR: row("downstream", 400, -32700, "never", "Cannot parse the request body as JSON"),
  INVALID_REQUEST: row("downstream", 400, -32600, "never", "Invalid request: {reason}"),
  METHOD_NOT_FOUND: row("downstream", 404, -32601, "never", "Method not found: {method}"),
  INVALID_PARAMS: row("downstream", 400, -32602, "never", "Invalid params: {reason}"),
  TOOL_NOT_FOUND: row("downstream", 404, -32602, "never", "Unknown tool: {name}"),
  PROMPT_NOT_FOUND: row("downstream", 404, -32602, "never", "Unknown prompt: {name}"),
  RESOURCE_NOT_FOUND: row("downstream", 404, -32002, "never", "Resource not found: {uri}"),
  NAME_AMBIGUOUS: row(
    "downstream",
    409,
    -32602,
    "never",
    'The name "{name}" belongs to several upstreams; use one of: {candidates}',
  ),
  CLIENT_DID_NOT_ANSWER: row(
    "downstream",
    408,
    -31460,
    "never",
    "The client did not answer {method} within {timeoutMs} ms (MCP_CLIENT_REQUEST_TIMEOUT)",
  ),
  BODY_TOO_LARGE: row(
    "downstream",
    413,
    -31413,
    "never",
    "Request body exceeds {limit} bytes (MAX_BODY_BYTES)",
  ),
  BODY_TIMEOUT: row(
    "downstream",
    408,
    -31408,
    "never",
    "The request body did not arrive within {timeoutMs} ms (HTTP_BODY_TIMEOUT)",
  ),
  BODY_TOO_DEEP: row(
    "downstream",
    400,
    -32600,
    "never",
    "JSON is nested deeper than {limit} levels (VALIDATION_MAX_JSON_DEPTH)",
  ),
  BATCH_TOO_LONG: row("downstream", 400, -32600, "never", "A batch holds at most {limit} messages"),
  UNSUPPORTED_MEDIA_TYPE: row("downstream", 415, -31415, "never", "Content-Type must be {type}"),
  UNSUPPORTED_ENCODING: row("downstream", 415, -31416, "never", "Content-Encoding must be {decoded}"),
  NOT_ACCEPTABLE: row("downstream", 406, -31406, "never", "Accept must include {types}"),
  METHOD_NOT_ALLOWED: row("downstream", 405, -31405, "never", "{method} is not allowed here; use {allowed}"),
  HTTP_VERSION_REFUSED: row(
    "downstream",
    505,
    -31425,
    "never",
    "The gateway serves only HTTP/{served} (HTTP_VERSION)",
  ),
  UPGRADE_REQUIRED: row(
    "downstream",
    426,
    -31428,
    "never",
    "This address serves WebSockets; send Upgrade: websocket over HTTP/1.1",
  ),
  TOO_MANY_CALLS: row(
    "downstream",
    429,
    -31429,
    "later",
    "This connection has {limit} calls in progress, which is the limit; wait for their responses",
  ),
  TOO_MANY_SESSIONS: row(
    "downstream",
    429,
    -31431,
    "later",
    "The caller has {limit} sessions in use in this worker (MAX_SESSIONS_PER_CALLER); end one, or retry later",
  ),
  TOO_MANY_CALLS_OF_CALLER: row(
    "downstream",
    429,
    -31432,
    "later",
    "The caller has {limit} calls under way in this worker (MAX_CALLS_PER_CALLER); wait for their answers",
  ),
  TOO_MANY_STREAMS_OF_CALLER: row(
    "downstream",
    429,
    -31433,
    "later",
    "The caller has {limit} streams open in this worker (MAX_STREAMS_PER_CALLER); close one, or retry later",
  ),
  TOO_MANY_PENDING_OF_CALLER: row(
    "downstream",
    429,
    -31434,
    "later",
    "{limit} calls of the caller wait for input in this worker (MAX_STREAMS_PER_CALLER); answer one, or retry later",
  ),
  CLIENT_MEMORY_FULL: row(
    "downstream",
    429,
    -31435,
    "later",
    "The gateway keeps as much for the caller as it may (MAX_CLIENT_MEMORY_MB); end a session, a stream or a pending call, or retry later",
  ),
  RATE_LIMITED: row(
    "downstream",
    429,
    -31430,
    "later",
    "More than {limit} requests in {window} ({settings}); retry in {waitS} s",
  ),
  OAUTH_LIMITED: row(
    "downstream",
    429,
    -31444,
    "later",
    "More than {limit} requests of this address in {period}; retry in {waitS} s",
  ),
  QUOTA_EXCEEDED: row(
    "downstream",
    429,
    -31436,
    "later",
    "The quota of the {kind}{target} is used up: {limit} {unit} in {windowS} s; retry in {waitS} s",
  ),
  TOKEN_RESTRICTED: row("downstream", 403, -31438, "never", "The token may not be used {reason}"),
  TOKEN_LIMIT_REACHED: row(
    "downstream",
    429,
    -31439,
    "later",
    "The token may be used for {limit} requests {period}; retry in {waitS} s",
  ),
  UNAUTHENTICATED: row("downstream", 401, -31401, "never", "Authentication required: {reason}"),
  LOGIN_FAILED: row("downstream", 401, -31417, "never", "Wrong email or password"),
  PASSWORD_CHANGE_REQUIRED: row(
    "downstream",
    403,
    -31418,
    "never",
    "Change the password first: POST /auth/change-password",
  ),
  SSO_START_AGAIN: row(
    "downstream",
    400,
    -31441,
    "never",
    "This sign-in cannot go on: {reason}. Start again",
  ),
  SSO_REFUSED: row("downstream", 403, -31442, "never", "Sign-in with {provider} refused: {reason}"),
  FORBIDDEN: row("downstream", 403, -31403, "never", "Insufficient permissions: {reason}"),
  INSUFFICIENT_SCOPE: row(
    "downstream",
    403,
    -31443,
    "never",
    "The access token does not include {permission}; log in again with the scopes: {scope}",
  ),
  ORIGIN_DENIED: row("downstream", 403, -31423, "never", "Origin is not allowed: {origin} (ALLOWED_ORIGINS)"),
  HOST_DENIED: row("downstream", 403, -31424, "never", "Host is not allowed: {host} (ALLOWED_HOSTS)"),
  NOT_FOUND: row("downstream", 404, -31404, "never", "{what} not found"),
  CONFLICT: row("downstream", 409, -31409, "never", "{reason}"),
  VALIDATION_FAILED: row("downstream", 422, -32602, "never", "{reason}"),
  EGRESS_DENIED: row("downstream", 422, -31422, "never", "{reason}"),
  COMMAND_DENIED: row("downstream", 403, -31426, "never", "{reason}"),
  SESSION_NOT_FOUND: row("downstream", 404, -31440, "never", "Session not found or ended; initialize again"),
  UNSUPPORTED_PROTOCOL_VERSION: row(
    "downstream",
    400,
    -32022,
    "never",
    "Unsupported protocol version: {requested} (supported: {supported})",
  ),
  SESSION_REQUIRED: row("downstream", 400, -32000, "never", "Initialize first; {requested} is not offered"),
  HEADER_MISMATCH: row("downstream", 400, -32020, "never", "The header {header} {reason}"),
  MISSING_CLIENT_CAPABILITY: row(
    "downstream",
    400,
    -32021,
    "never",
    "The client has not declared {capability} in its capabilities",
  ),
  REQUEST_CANCELLED: row("downstream", 499, -31499, "never", "The request was cancelled"),

  ...UPSTREAM_ERRORS,

  CANNOT_LISTEN: row("internal", 500, -31542, "never", "Cannot listen on {hostname}:{port}: {reason}"),
  CERTIFICATE_UNUSABLE: row("internal", 500, -31543, "never", "Cannot serve HTTPS: {reason}"),
  WORKERS_KEEP_DYING: row(
    "internal",
    500,
    -31544,
    "never",
    "Worker {worker} ends again and again, the gateway gives up; the last cause: {cause}",
  ),
  GATEWAY_UNREACHABLE: row("internal", 502, -31548, "never", "Cannot use the gateway at {url}: {reason}"),
  OVERLOADED: row("internal", 503, -31530, "later", "The gateway is at capacity; retry later"),
  TOO_MANY_STREAMS: row(
    "internal",
    503,
    -31537,
    "later",
    "The gateway has reached its limit of event streams (MAX_STREAMS); retry later",
  ),
  TOO_MANY_PARKED: row(
    "internal",
    503,
    -31550,
    "later",
    "{limit} calls wait for input from their clients, which is the limit of a worker (MAX_STREAMS); retry later",
  ),
  SHUTTING_DOWN: row("internal", 503, -31531, "later", "The gateway is shutting down; retry"),
  SSO_PROVIDER_FAILED: row("internal", 502, -31557, "never", "Sign-in with {provider} failed: {reason}"),
  TOKEN_KEYS_UNAVAILABLE: row("internal", 503, -31556, "later", "No keys of the token's issuer; retry later"),
  WORKER_GONE: row("internal", 503, -31532, "later", "The worker that owns this session is gone; retry"),
  STORE_UNAVAILABLE: row("internal", 503, -31533, "later", "The database is unavailable"),
  STORE_POOL_TIMEOUT: row(
    "internal",
    503,
    -31536,
    "later",
    "Database pool limit reached: all {limit} connections of this worker were in use for {timeoutMs} ms " +
      "(DB_POOL_TIMEOUT); raise DB_POOL_SIZE",
  ),
  AUDIT_UNAVAILABLE: row(
    "internal",
    503,
    -31558,
    "later",
    "The audit trail takes no more records (AUDIT_WHEN_FULL)",
  ),
  CACHE_UNAVAILABLE: row("internal", 503, -31538, "later", "The cache (Redis) is unavailable"),
  REPLICA_UNREACHABLE: row(
    "internal",
    503,
    -31539,
    "later",
    "Cannot reach the replica that owns this session or call; retry",
  ),
  REPLICA_UNTRUSTED: row(
    "internal",
    502,
    -31549,
    "never",
    "Cannot verify the certificate of the replica that owns this session or call (REPLICA_SSL_CA_CERTS)",
  ),
  REPLICA_INCOMPATIBLE: row(
    "internal",
    503,
    -31551,
    "later",
    "The replica that owns this session or call runs another version of the gateway; retry when all replicas run the same version",
  ),
  STORE_CANNOT_OPEN: row("internal", 503, -31534, "never", "Cannot open the database {path}: {reason}"),
  SECRETS_UNUSABLE: row("internal", 500, -31552, "never", "Cannot use the secrets file {path}: {reason}"),
  CANNOT_BACK_UP: row("internal", 500, -31553, "never", "Cannot back up to {file}: {reason}"),
  CANNOT_RESTORE: row("internal", 500, -31554, "never", "Cannot restore {file}: {reason}"),
  CONFIG_TEXT_INVALID: row("downstream", 422, -32602, "never", "Cannot read the configuration: {reason}"),
  CONFIG_FILE_UNUSABLE: row("internal", 500, -31555, "never", "Cannot use {file}: {reason}"),
  PROBE_FAILED: row("internal", 500, -31560, "never", "Cannot measure this machine: {reason}"),
  SOURCE_UNUSABLE: row("internal", 500, -31559, "never", "Cannot import from {source}: {reason}"),
  SECRET_UNREADABLE: row(
    "internal",
    500,
    -31535,
    "never",
    "Cannot decrypt the stored secret of {owner}: it was encrypted with another AUTH_ENCRYPTION_SECRET",
  ),
  SETTINGS_INVALID: row("internal", 500, -31540, "never", "{mistakes}"),
  USAGE_INVALID: row("internal", 500, -31541, "never", "{mistakes}"),
  INTERNAL: row("internal", 500, -32603, "never", "Internal error"),
} as const satisfies Record<string, ErrorRow>;

export type ErrorCode = keyof typeof ERRORS;

export type ErrorParams = Readonly<Record<string, string | number>>;
type Details = { readonly cause?: unknown; readonly data?: unknown };

/** A failure with a row in the catalogue. Compare `code`, and not the class, which `postMessage` does not preserve. */
export class SluiceError extends Error {
  readonly code: ErrorCode;
  readonly params: ErrorParams;
  /** Details for the client, such as all faults of a 422. Never a secret. */
  readonly data: unknown;

  constructor(code: ErrorCode, params: ErrorParams = {}, { cause, data }: Details = {}) {
    super(fill(ERRORS[code].text, params), cause === undefined ? undefined : { cause });
    this.name = "SluiceError";
    this.code = code;
    this.params = params;
    this.data = data;
  }

  get row(): ErrorRow {
    return ERRORS[this.code];
  }
}

/** Whether `error` is a `SluiceError` with this code. */
export function isError(error: unknown, code: ErrorCode): error is SluiceError {
  return error instanceof SluiceError && error.code === code;
}

/** Converts anything that was thrown. An unknown error becomes INTERNAL, with the original as cause for the log. */
export function toSluiceError(error: unknown): SluiceError {
  return error instanceof SluiceError ? error : new SluiceError("INTERNAL", {}, { cause: error });
}

/** The message of anything that was thrown, without a stack. For logs and for the parameter `reason`. */
export function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function fill(text: string, params: ErrorParams): string {
  return text.replace(/\{(\w+)\}/g, (whole, name) => String(params[name] ?? whole));
}
