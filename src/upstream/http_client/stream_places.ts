// Connections that stay open for the upstream sessions of callers: event streams and WebSockets. Each caller may have so many of them.
import type { ConnectionHolder } from "../../base/sharing/caller.ts";
import { SluiceError } from "../../base/errors.ts";
import type { HttpRequest } from "./http_client.ts";

export class StreamPlaces {
  readonly #perCaller: number;
  readonly #onRefused: () => void;
  #open = 0;

  /**
   * @param perCaller MAX_STREAMS_PER_CALLER
   * @param onRefused called when a caller is refused another one
   */
  constructor(perCaller = Infinity, onRefused: () => void = () => {}) {
    this.#perCaller = perCaller;
    this.#onRefused = onRefused;
  }

  /** All open streams, also those without a caller. */
  get open(): number {
    return this.#open;
  }

  /**
   * Takes a place. A stream with a deadline continues the response to a call. It needs no place, because MAX_CALLS_PER_CALLER
   * bounds calls.
   * @returns gives it back, once
   * @throws {SluiceError} TOO_MANY_STREAMS_OF_CALLER
   */
  take({ holder, deadline }: Pick<HttpRequest, "holder" | "deadline">): () => void {
    const counted: ConnectionHolder | undefined = deadline === undefined ? holder : undefined;
    if (counted !== undefined) {
      if (counted.upstreamStreams >= this.#perCaller) {
        this.#onRefused();
        throw new SluiceError("TOO_MANY_STREAMS_OF_CALLER", { limit: this.#perCaller });
      }
      counted.upstreamStreams++;
    }
    this.#open++;
    let isTaken = true;
    return () => {
      if (!isTaken) return;
      isTaken = false;
      this.#open--;
      if (counted !== undefined) counted.upstreamStreams--;
    };
  }
}
