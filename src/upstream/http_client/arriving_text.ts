// The text of a body that arrives in pieces, from a client or decoder that has no buffer of its own for it.
import { Arrival } from "../../base/arrival.ts";
import type { ConnectionHolder } from "../../base/sharing/caller.ts";
import { SluiceError } from "../../base/errors.ts";
import { LARGE_BYTES, loopTurns } from "../../base/sharing/loop_turns.ts";

export interface ArrivingText {
  readonly upstream: string;
  /** The caller that a large text counts for, and whose turn it has to be before it is decoded; undefined: nobody in particular. */
  readonly holder?: ConnectionHolder;
}

/** @throws {SluiceError} UPSTREAM_RESPONSE_TOO_LARGE, CLIENT_MEMORY_FULL; what `pieces` throws */
export async function textOf(
  pieces: AsyncIterable<Uint8Array>,
  maxBytes: number,
  { upstream, holder }: ArrivingText,
): Promise<string> {
  const arrival = new Arrival(holder);
  const kept: Uint8Array[] = [];
  let bytes = 0;
  try {
    for await (const piece of pieces) {
      bytes += piece.length;
      if (bytes > maxBytes) {
        throw new SluiceError("UPSTREAM_RESPONSE_TOO_LARGE", { upstream, limit: maxBytes });
      }
      arrival.keeps(bytes);
      kept.push(piece);
    }
    if (bytes > LARGE_BYTES) await loopTurns.next(holder);
    const decoder = new TextDecoder();
    const text = kept.map((piece) => decoder.decode(piece, { stream: true })).join("");
    return text + decoder.decode();
  } finally {
    arrival.end();
  }
}
