// The resource subscriptions of a client of an older revision at a 2026-07-28 upstream: one stream for all its URIs.
import { SluiceError } from "../../base/errors.ts";
import type { Subscription, UpstreamChannel } from "../session/upstream_channel.ts";
import type { ClientState } from "../client/client_state.ts";
import type { HeaderList } from "../transport/transport.ts";
import { pause } from "../transport/stream_reopening.ts";

interface Streaming {
  readonly subscribe: NonNullable<UpstreamChannel["subscribe"]>;
  readonly client: ClientState;
  readonly upstreamId: string;
  /** The caller's headers that the stream is opened with. */
  readonly passed: HeaderList;
  /** Aborted when the upstream is gone. */
  readonly gone: AbortSignal;
}

export class ResourceStream {
  readonly #streaming: Streaming;
  #open: { readonly uris: string; readonly stop: AbortController; readonly stream: Subscription } | null =
    null;

  constructor(streaming: Streaming) {
    this.#streaming = streaming;
  }

  get isGone(): boolean {
    return this.#streaming.gone.aborted;
  }

  /**
   * Have the stream that the client's subscriptions want now. Resolves when the upstream has acknowledged it, for the client
   * may at once cause what it wants to hear of; after `withinMs` it is given up waiting, not listening.
   * @throws {SluiceError} UPSTREAM_*
   */
  async update(withinMs: number): Promise<void> {
    const { subscribe, client, upstreamId, passed, gone } = this.#streaming;
    const resourceSubscriptions = [...client.subscriptionsTo(upstreamId)];
    const uris = JSON.stringify(resourceSubscriptions);
    const before = this.#open;
    if (before?.uris !== uris) {
      this.#open = null;
      if (resourceSubscriptions.length > 0) {
        const stop = new AbortController();
        const stream = subscribe({ resourceSubscriptions }, {
          signal: AbortSignal.any([stop.signal, gone]),
          onMessage: (text) => client.peer?.notify(text),
          clientCapabilities: client.capabilities,
          passed,
        });
        this.#open = { uris, stop, stream };
        // Refused, it may be asked for again.
        void stream.ended.then(() => {
          if (this.#open?.stream === stream) this.#open = null;
        });
      }
    }
    const isAcknowledged = this.#open?.stream.opened ?? Promise.resolve();
    try {
      await Promise.race([isAcknowledged, pause(withinMs, undefined)]);
    } finally {
      // Two streams for a moment: an update in between comes twice, and is not lost.
      if (before !== this.#open) before?.stop.abort(replaced());
    }
  }

  close(): void {
    this.#open?.stop.abort(replaced());
    this.#open = null;
  }
}

function replaced(): SluiceError {
  return new SluiceError("REQUEST_CANCELLED");
}
