// A request, and what becomes of it, as plain data: what crosses to another worker, and to another replica.
import { type ErrorCode, type ErrorParams, reasonOf, SluiceError, toSluiceError } from "../base/errors.ts";
import type { McpRequest } from "../downstream/exchange/mcp_exchange.ts";

/** Headers cannot be cloned: they travel as pairs. */
export type WireRequest = Omit<McpRequest, "headers"> & { readonly headers: readonly [string, string][] };

export interface WireError {
  readonly code: ErrorCode;
  readonly params: ErrorParams;
  readonly data: unknown;
  /** In words, for the log of the side that reports it. */
  readonly cause: string | undefined;
}

export function toWire(request: McpRequest): WireRequest {
  return { ...request, headers: [...request.headers] };
}

export function fromWire(request: WireRequest): McpRequest {
  return { ...request, headers: new Headers(request.headers as [string, string][]) };
}

export function toWireError(thrown: unknown): WireError {
  const { code, params, data, cause } = toSluiceError(thrown);
  return { code, params, data, cause: cause === undefined ? undefined : reasonOf(cause) };
}

export function fromWireError({ code, params, data, cause }: WireError): SluiceError {
  return new SluiceError(code, params, { data, cause });
}
