// A row of the error catalogue.

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
