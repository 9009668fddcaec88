// JSON-RPC batches. Only revision 2025-03-26 of MCP has them; /rpc takes them always.
import type { TokenGate } from "../../auth/api_tokens/token_gate.ts";
import type { Callers } from "../../auth/callers.ts";
import type { Principal } from "../../auth/principal.ts";
import { SluiceError } from "../../base/errors.ts";
import { UNCOUNTED_BYTES } from "../../base/arrival.ts";
import type { ClientMemory } from "../../base/sharing/client_memory.ts";
import type { Admission } from "../../http/limits/admission.ts";
import type { RateLimiter } from "../../http/limits/rate_limit.ts";
import { MCP_TIER } from "../../http/limits/rate_tiers.ts";
import { classify, type Message, piecesOf } from "../../mcp/json_rpc.ts";
import { claimsRevision } from "../../mcp/request_meta.ts";
import { BATCH_REVISION, STATELESS_REVISION } from "../../mcp/revisions.ts";

/** Messages per batch. */
const BATCH_LIMIT = 100;

/** @throws {SluiceError} INVALID_REQUEST, BATCH_TOO_LONG */
export function checkLength({ length }: readonly unknown[]): void {
  if (length === 0) throw new SluiceError("INVALID_REQUEST", { reason: "the batch is empty" });
  if (length > BATCH_LIMIT) throw new SluiceError("BATCH_TOO_LONG", { limit: BATCH_LIMIT });
}

/** The messages of a batch in a session, each as its original text. @throws {SluiceError} INVALID_REQUEST, BATCH_TOO_LONG */
export function readBatch(values: readonly unknown[], text: string, revision: string): Message[] {
  if (revision !== BATCH_REVISION) {
    throw new SluiceError("INVALID_REQUEST", { reason: `revision ${revision} has no batches` });
  }
  checkLength(values);
  const messages = piecesOf(values, text).map(([value, own]) => classify(value, own));
  if (messages.some((message) => message.kind === "request" && message.method === "initialize")) {
    throw new SluiceError("INVALID_REQUEST", { reason: "initialize cannot be part of a batch" });
  }
  if (messages.some((message) => message.kind === "request" && claimsRevision(message.params))) {
    throw new SluiceError("INVALID_REQUEST", { reason: `revision ${STATELESS_REVISION} has no batches` });
  }
  return messages;
}

/** What counts the messages of a batch. */
export interface BatchCounts {
  /** null: RATE_LIMITING_ENABLED=false. */
  readonly rateLimiter: RateLimiter | null;
  /** null: API tokens are not served here. */
  readonly tokenGate: Pick<TokenGate, "take"> | null;
}

/**
 * Counts the messages of a batch, which was counted as one request so far. All of them are admitted or none.
 * @param caller undefined: no rate limit applies
 * @throws {SluiceError} RATE_LIMITED, BATCH_TOO_LONG, TOKEN_RESTRICTED, TOKEN_LIMIT_REACHED
 */
export function countBatch(
  { rateLimiter, tokenGate }: BatchCounts,
  { principal, caller }: { readonly principal: Principal; readonly caller?: string },
  messages: number,
): void {
  if (caller !== undefined) rateLimiter?.take(MCP_TIER, caller, messages, 1);
  tokenGate?.take(principal, messages - 1);
}

export interface BatchPlaces {
  readonly admission: Pick<Admission, "enterMore" | "leaveMore">;
  readonly callers: Callers;
  readonly memory: ClientMemory;
}

/**
 * Serves the messages of a batch. The batch has one place of its own; as many messages run at once as it gets further places, in the
 * worker and for its caller. The answers are kept until the last one is there, and count as memory of the caller.
 * @param serve never rejects
 * @throws {SluiceError} CLIENT_MEMORY_FULL: the answers are too large together. No further message is served
 */
export async function serveBatch<T, R extends string | null>(
  messages: readonly T[],
  principal: Principal,
  { admission, callers, memory }: BatchPlaces,
  serve: (message: T) => Promise<R>,
): Promise<R[]> {
  const caller = callers.of(principal);
  const wanted = messages.length - 1;
  const allowed = caller === undefined
    ? wanted
    : Math.max(0, Math.min(wanted, callers.limits.calls - caller.calls));
  const places = admission.enterMore(allowed);
  if (caller !== undefined) caller.calls += places;
  const answers = new Array<R>(messages.length);
  const kept = memory.hold(principal);
  let chars = 0;
  let isTooLarge = false;
  let next = 0;
  const run = async () => {
    while (next < messages.length) {
      const at = next++;
      const answer = answers[at] = await serve(messages[at]!);
      chars += answer?.length ?? 0;
      if (chars <= UNCOUNTED_BYTES || kept.tryGrow(chars - kept.chars)) continue;
      next = messages.length;
      isTooLarge = true;
    }
  };
  try {
    await Promise.all(Array.from({ length: places + 1 }, run));
    if (isTooLarge) throw new SluiceError("CLIENT_MEMORY_FULL");
    return answers;
  } finally {
    kept.close();
    admission.leaveMore(places);
    if (caller !== undefined) caller.calls -= places;
  }
}
