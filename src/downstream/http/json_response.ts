// Responses of JSON text. Large ones count as memory of their caller: a client that does not read its responses would otherwise keep as
// many of them as it opens connections.
import { Buffer } from "node:buffer";
import { SluiceError } from "../../base/errors.ts";
import { UNCOUNTED_BYTES } from "../../base/arrival.ts";
import type { ClientMemory, Holding } from "../../base/sharing/client_memory.ts";
import type { Exchange } from "../../http/handler.ts";

/** Larger texts are encoded piece by piece. */
const WHOLE_CHARS = 1024 * 1024;

/** Characters that are encoded at once, so that other requests have their turn in between. */
const PIECE_CHARS = 256 * 1024;

/**
 * Deno sends a chunked response of up to 64 KiB by one system call, and any other response whose head and body exceed 512 bytes by two.
 * Shorter texts fit into one with their head. Deno drops the header where chunks do not exist: in HTTP/1.0 and HTTP/2.
 */
const UNCHUNKED_CHARS = 300;

const encoder = new TextEncoder();

/**
 * A response of JSON text. A large one is counted until the client has read it; a very large one is encoded meanwhile.
 * @throws {SluiceError} CLIENT_MEMORY_FULL
 */
export function jsonResponse(
  memory: ClientMemory,
  { principal, info }: Exchange,
  text: string,
  init: { readonly status?: number; readonly headers: Readonly<Record<string, string>> },
): Response {
  if (text.length <= UNCOUNTED_BYTES) {
    const response = new Response(text, init);
    if (text.length > UNCHUNKED_CHARS) response.headers.set("transfer-encoding", "chunked");
    return response;
  }
  const kept = hold(memory, principal, text.length);
  if (text.length <= WHOLE_CHARS) {
    const close = () => kept.close();
    info.completed.then(close, close);
    return new Response(text, init);
  }
  const headers = { ...init.headers, "content-length": String(Buffer.byteLength(text)) };
  return new Response(inPieces(text, kept), { ...init, headers });
}

function hold(memory: ClientMemory, owner: Exchange["principal"], chars: number): Holding {
  const kept = memory.hold(owner);
  if (kept.tryGrow(chars)) return kept;
  kept.close();
  throw new SluiceError("CLIENT_MEMORY_FULL");
}

function inPieces(text: string, kept: Holding): ReadableStream<Uint8Array> {
  let at = 0;
  return new ReadableStream<Uint8Array>({
    pull: (controller) => {
      let end = Math.min(at + PIECE_CHARS, text.length);
      // Both halves of a surrogate pair belong to one piece.
      if (end < text.length && isHighSurrogate(text.charCodeAt(end - 1))) end--;
      controller.enqueue(encoder.encode(text.slice(at, end)));
      at = end;
      if (at < text.length) return;
      kept.close();
      controller.close();
    },
    cancel: () => kept.close(),
  });
}

function isHighSurrogate(code: number): boolean {
  return code >= 0xd800 && code <= 0xdbff;
}
