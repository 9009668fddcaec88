// JSON-RPC batches. Only revision 2025-03-26 of MCP has them; /rpc takes them always.
import { SluiceError } from "../../base/errors.ts";
import type { RateLimiter } from "../../http/rate_limit.ts";
import { MCP_TIER } from "../../http/rate_tiers.ts";
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

/**
 * Counts the messages of a batch, which was counted as one request so far. All of them are admitted or none.
 * @param caller undefined: no limit applies
 * @throws {SluiceError} RATE_LIMITED, BATCH_TOO_LONG
 */
export function countBatch(
  rateLimiter: RateLimiter | null,
  caller: string | undefined,
  messages: number,
): void {
  if (caller !== undefined) rateLimiter?.take(MCP_TIER, caller, messages, 1);
}
