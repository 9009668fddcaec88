// Answers reads of the REST API: with an entity tag, and from the worker's cache if nothing has changed.
import type { Principal } from "../auth/principal.ts";
import { visibilityKey } from "../auth/rbac.ts";
import { conditionalResponse, jsonRepresentation } from "../http/representation/conditional.ts";
import { codingFor, VARIES } from "../http/representation/accepted.ts";
import { type ResponseCache, statusHeader } from "../http/representation/response_cache.ts";
import { callerKey } from "../base/sharing/caller_identity.ts";
import type { CallerTurns } from "../base/sharing/caller_turns.ts";
import type { Admitted } from "./router.ts";

/** Clients must revalidate a stored answer, and shared caches must not store it (RFC 9111, section 5.2.2). */
const HEADERS = { "cache-control": "private, no-cache", "vary": VARIES };

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
  /** Reads of a caller share the database with others. */
  readonly turns: CallerTurns;
}

/** @throws {SluiceError} every error of the route's handler */
export async function answerRead(
  { request, target, principal, admitted, cache, turns }: Read,
): Promise<Response> {
  const coding = codingFor(request.headers);
  const ask = () => turns.run(principal, () => admitted.answer());
  if (cache === null || !admitted.route.isKept) {
    const { body, headers, status } = await ask();
    if (body instanceof ReadableStream) return new Response(body, { status, headers });
    const representation = await jsonRepresentation(body, coding);
    return conditionalResponse(request, representation, { ...HEADERS, ...statusHeader("BYPASS") });
  }
  // Administrators see more of each entity than others who see the same entities.
  const reader = `${principal.isAdmin ? "admin" : "user"} ${visibilityKey(principal)}`;
  const { representation, status } = await cache.answer({
    key: `read ${coding} ${reader} ${target}`,
    make: async () => ({
      representation: await jsonRepresentation((await ask()).body, coding),
      isKept: true,
    }),
    caller: callerKey(principal),
    freshMs: Infinity,
  });
  return conditionalResponse(request, representation, { ...HEADERS, ...statusHeader(status) });
}
