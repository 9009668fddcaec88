// Reads of the REST API over HTTP: an entity tag for each answer, and from the worker's memory what has not changed.
import type { Principal } from "../auth/principal.ts";
import { visibilityKey } from "../auth/rbac.ts";
import { conditionalResponse, jsonRepresentation } from "../http/conditional.ts";
import type { ResponseCache } from "../http/response_cache.ts";
import type { Admitted } from "./router.ts";

/** Clients may keep an answer and must ask whether it still holds; nobody may keep it for others (RFC 9111, section 5.2.2). */
const HEADERS = { "cache-control": "private, no-cache", "vary": "Authorization" };

export interface Read {
  /** A GET or HEAD. */
  readonly request: Request;
  /** Path and query. */
  readonly target: string;
  readonly principal: Principal;
  /** The caller is allowed to make it; a success of it is 200. */
  readonly admitted: Admitted;
  /** null: nothing is kept. */
  readonly cache: ResponseCache | null;
}

/** @throws {SluiceError} what the route's handler throws */
export async function answerRead(
  { request, target, principal, admitted, cache }: Read,
): Promise<Response> {
  const make = async () => jsonRepresentation((await admitted.answer()).body);
  if (cache === null || !admitted.route.isKept) return conditionalResponse(request, await make(), HEADERS);
  const { representation, status } = await cache.answer(`${visibilityKey(principal)} ${target}`, make);
  return conditionalResponse(request, representation, { ...HEADERS, "x-cache-status": status });
}
