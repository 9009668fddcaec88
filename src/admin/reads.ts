// Answers reads of the REST API: with an entity tag, and from the worker's cache if nothing has changed.
import type { Principal } from "../auth/principal.ts";
import { visibilityKey } from "../auth/rbac.ts";
import { conditionalResponse, jsonRepresentation } from "../http/representation/conditional.ts";
import type { ResponseCache } from "../http/representation/response_cache.ts";
import type { Admitted } from "./router.ts";

/** Clients must revalidate a stored answer, and shared caches must not store it (RFC 9111, section 5.2.2). */
const HEADERS = { "cache-control": "private, no-cache", "vary": "Authorization" };

export interface Read {
  /** A GET or HEAD request. */
  readonly request: Request;
  /** Path and query. */
  readonly target: string;
  readonly principal: Principal;
  /** The caller has the permission. Every successful read has status 200. */
  readonly admitted: Admitted;
  /** null if answers are not cached. */
  readonly cache: ResponseCache | null;
}

/** @throws {SluiceError} every error of the route's handler */
export async function answerRead(
  { request, target, principal, admitted, cache }: Read,
): Promise<Response> {
  if (cache === null || !admitted.route.isKept) {
    const { body, headers, status } = await admitted.answer();
    if (body instanceof ReadableStream) return new Response(body, { status, headers });
    return conditionalResponse(request, await jsonRepresentation(body), HEADERS);
  }
  const make = async () => jsonRepresentation((await admitted.answer()).body);
  // Administrators see more of each entity than others who see the same entities.
  const reader = `${principal.isAdmin ? "admin" : "user"} ${visibilityKey(principal)}`;
  const { representation, status } = await cache.answer(`${reader} ${target}`, make);
  return conditionalResponse(request, representation, { ...HEADERS, "x-cache-status": status });
}
