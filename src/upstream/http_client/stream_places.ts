// Connections that stay open for the upstream sessions of callers: event streams and WebSockets. Each caller may have so many of them.
import type { ConnectionHolder } from "../../base/sharing/caller.ts";
import { SluiceError } from "../../base/errors.ts";

export interface StreamLimit {
  /** MAX_STREAMS_PER_CALLER */
  readonly perCaller: number;
  /** Called when a caller is refused another one. */
  readonly onRefused: () => void;
}

/**
 * Takes a place. @returns gives it back, once
 * @throws {SluiceError} TOO_MANY_STREAMS_OF_CALLER
 */
export function takeStreamPlace(
  { perCaller, onRefused }: StreamLimit,
  holder: ConnectionHolder | undefined,
): () => void {
  if (holder === undefined) return () => {};
  if (holder.upstreamStreams >= perCaller) {
    onRefused();
    throw new SluiceError("TOO_MANY_STREAMS_OF_CALLER", { limit: perCaller });
  }
  holder.upstreamStreams++;
  let isTaken = true;
  return () => {
    if (isTaken) holder.upstreamStreams--;
    isTaken = false;
  };
}
