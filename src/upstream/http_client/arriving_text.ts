// The text of a body that arrives in pieces, from a client or decoder that has no buffer of its own for it.
import { Arrival, GatheredBytes } from "../../base/arrival.ts";
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
  const gathered = new GatheredBytes();
  try {
    for await (const piece of pieces) {
      if (gathered.length + piece.length > maxBytes) {
        throw new SluiceError("UPSTREAM_RESPONSE_TOO_LARGE", { upstream, limit: maxBytes });
      }
      gathered.add(piece);
      arrival.keeps(gathered.length);
    }
    if (gathered.length > LARGE_BYTES) await loopTurns.next(holder);
    return new TextDecoder().decode(gathered.bytes);
  } finally {
    arrival.end();
  }
}
