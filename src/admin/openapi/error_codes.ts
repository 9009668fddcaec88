// Which errors of the catalogue an operation can answer.
import type { ErrorCode } from "../../base/errors.ts";
import type { Operation } from "./operation.ts";

/** Every request: the edge checks them before the endpoint. */
const EDGE: readonly ErrorCode[] = ["ORIGIN_DENIED", "HOST_DENIED", "INTERNAL"];

/** Requests that load counts. Health checks are answered at any load. */
const LOAD: readonly ErrorCode[] = ["TOO_MANY_CALLS_OF_CALLER", "OVERLOADED", "SHUTTING_DOWN"];

const STORE: readonly ErrorCode[] = ["STORE_UNAVAILABLE", "STORE_POOL_TIMEOUT"];

const BODY: readonly ErrorCode[] = [
  "PARSE_ERROR",
  "BODY_TOO_DEEP",
  "BODY_TIMEOUT",
  "BODY_TOO_LARGE",
  "UNSUPPORTED_ENCODING",
  "VALIDATION_FAILED",
];

/** @param isOpen the operation needs no token, and has no permission */
export function errorCodesOf({ path, query, body, errors = [] }: Operation, isOpen: boolean): ErrorCode[] {
  return [
    ...new Set<ErrorCode>([
      ...(isOpen ? [] : [
        "UNAUTHENTICATED",
        "TOKEN_KEYS_UNAVAILABLE",
        "FORBIDDEN",
        "TOKEN_RESTRICTED",
        "TOKEN_LIMIT_REACHED",
        "RATE_LIMITED",
        ...LOAD,
        ...STORE,
      ] as const),
      ...(path === undefined ? [] : ["NOT_FOUND"] as const),
      ...(query === undefined ? [] : ["VALIDATION_FAILED"] as const),
      ...(body === undefined ? [] : BODY),
      ...errors,
      ...EDGE,
    ]),
  ];
}
