// Holds the answers of the REST API to their descriptions in src/admin/openapi.
import { assert } from "@std/assert";
import type { SluiceError } from "../../src/base/errors.ts";
import { errorCodesOf } from "../../src/admin/openapi/error_codes.ts";
import type { Operation } from "../../src/admin/openapi/operation.ts";
import { OPERATIONS } from "../../src/admin/openapi/operations.ts";
import type { Route } from "../../src/admin/routes.ts";

/** The status is described, and the body has every described field and no other. @param body as a client parses it */
export function assertDescribed({ operation }: Route, status: number, body: unknown): void {
  const { answers }: Operation = OPERATIONS[operation];
  const schema = answers[status];
  assert(schema !== undefined, `${operation} answers ${status}, which its description lacks`);
  const fault = schema === null
    ? body === null ? null : "a body where none is described"
    : schema.safeParse(body).error?.message ?? null;
  assert(fault === null, `${operation} answers ${status} otherwise than described: ${fault}`);
}

export function assertDescribedError({ operation, permission }: Route, { code }: SluiceError): void {
  const codes = errorCodesOf(OPERATIONS[operation], permission === null);
  assert(codes.includes(code), `${operation} answers ${code}, which its description lacks`);
}
