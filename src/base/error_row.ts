// A row of the error catalogue, and the rows of failures that upstreams cause.

/** The cause of a failure: the caller, the upstream, or the gateway. */
export type ErrorSource = "downstream" | "upstream" | "internal";

/** Whether a client may retry the call. `if_unsent`: only if the request had not reached the upstream. */
export type RetryAdvice = "never" | "later" | "if_unsent";

export interface ErrorRow {
  readonly source: ErrorSource;
  /** The HTTP status if the failure is the whole response: over REST, or for a request that was not dispatched. */
  readonly http: number;
  /** The JSON-RPC error code. Codes of the gateway are outside -32768..-32000 (MCP 2026-07-28, basic, "Error Codes"). */
  readonly rpc: number;
  readonly retry: RetryAdvice;
  /** The text for the client; `{name}` is replaced by the error's parameter. It never contains a cause or a secret. */
  readonly text: string;
}

export function row(
  source: ErrorSource,
  http: number,
  rpc: number,
  retry: RetryAdvice,
  text: string,
): ErrorRow {
  return { source, http, rpc, retry, text };
}

export const UPSTREAM_ERRORS = {
  UPSTREAM_CONNECT_FAILED: row(
    "upstream",
    502,
    -31502,
    "if_unsent",
    'Cannot connect to upstream "{upstream}": {reason}',
  ),
  UPSTREAM_TLS_FAILED: row(
    "upstream",
    502,
    -31505,
    "never",
    'Cannot open a TLS connection to upstream "{upstream}": {reason}',
  ),
  UPSTREAM_CLOSED: row(
    "upstream",
    502,
    -31503,
    "if_unsent",
    'Upstream "{upstream}" closed the connection before it answered',
  ),
  UPSTREAM_TIMEOUT: row(
    "upstream",
    504,
    -31504,
    "never",
    'Upstream "{upstream}" did not {phase} within {timeoutMs} ms ({setting})',
  ),
  UPSTREAM_HTTP_ERROR: row(
    "upstream",
    502,
    -31506,
    "never",
    'Upstream "{upstream}" answered HTTP {status}: {reason}',
  ),
  UPSTREAM_AUTH_FAILED: row(
    "upstream",
    502,
    -31507,
    "never",
    'Upstream "{upstream}" refused our credentials (HTTP {status}){hint}',
  ),
  UPSTREAM_LOGIN_FAILED: row(
    "upstream",
    502,
    -31521,
    "never",
    'Cannot log in to upstream "{upstream}": {reason}',
  ),
  UPSTREAM_LOGIN_NEEDED: row(
    "downstream",
    403,
    -31445,
    "never",
    'Upstream "{upstream}" needs a login of yours{reason}. Open {link} in a browser and connect, then call again',
  ),
  UPSTREAM_TOKEN_NEEDED: row(
    "downstream",
    403,
    -31446,
    "never",
    'Upstream "{upstream}" needs a token of yours, and {reason}',
  ),
  // 2025-11-25, elicitation, "URL Elicitation Required Error": `data.elicitations` has the link.
  URL_ELICITATION_REQUIRED: row(
    "downstream",
    403,
    -32042,
    "never",
    'You have not connected upstream "{upstream}" yet{reason}. Open {link} in a browser and connect, then call again',
  ),
  UPSTREAM_PROTOCOL_ERROR: row(
    "upstream",
    502,
    -31508,
    "never",
    'Upstream "{upstream}" broke the protocol: {reason}',
  ),
  UPSTREAM_RESPONSE_TOO_LARGE: row(
    "upstream",
    502,
    -31509,
    "never",
    'Upstream "{upstream}" answered with more than {limit} bytes (MAX_UPSTREAM_RESPONSE_BYTES)',
  ),
  UPSTREAM_LIST_TOO_LARGE: row(
    "upstream",
    502,
    -31520,
    "never",
    'Upstream "{upstream}" lists more than {limit} in {method} ({setting})',
  ),
  UPSTREAM_REJECTED: row(
    "upstream",
    502,
    -31510,
    "never",
    'Upstream "{upstream}" refused {method}: {reason}',
  ),
  UPSTREAM_SESSION_EXPIRED: row(
    "upstream",
    502,
    -31511,
    "if_unsent",
    'Upstream "{upstream}" ended the session',
  ),
  UPSTREAM_STATE_LOST: row(
    "upstream",
    503,
    -31518,
    "later",
    'Upstream "{upstream}" has lost the state that it kept for this client: its process or connection ended with the worker or ' +
      "replica that ran it. The call was not sent; the next call starts with new state",
  ),
  UPSTREAM_NEEDS_INPUT: row(
    "upstream",
    502,
    -31517,
    "never",
    'Upstream "{upstream}" needs input that it cannot get: {reason}',
  ),
  UPSTREAM_DISABLED: row(
    "upstream",
    503,
    -31512,
    "never",
    'Upstream "{upstream}" cannot be used: {reason}',
  ),
  UPSTREAM_CIRCUIT_OPEN: row(
    "upstream",
    503,
    -31513,
    "later",
    'Cannot call upstream "{upstream}": its circuit breaker is open, next probe in {waitMs} ms',
  ),
  SESSION_POOL_TIMEOUT: row(
    "upstream",
    503,
    -31514,
    "later",
    'No session to upstream "{upstream}" became free within {timeoutMs} ms (MCP_SESSION_POOL_ACQUIRE_TIMEOUT)',
  ),
  SESSION_POOL_FULL: row("upstream", 503, -31515, "later", "Session pool is full: {reason}"),
  HTTP_POOL_TIMEOUT: row(
    "upstream",
    503,
    -31516,
    "later",
    "No outbound connection became free within {timeoutMs} ms (HTTP_CLIENT_POOL_TIMEOUT)",
  ),
  STDIO_LIMIT_REACHED: row(
    "upstream",
    503,
    -31519,
    "later",
    'Cannot start a process for upstream "{upstream}": {reason} ({setting})',
  ),
} as const satisfies Record<string, ErrorRow>;
