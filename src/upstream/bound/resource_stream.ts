// The resource subscriptions of a client with a session at an upstream of 2026-07-28. One stream carries all URIs.
import { SluiceError } from "../../base/errors.ts";
import type { Subscription, UpstreamChannel } from "../session/upstream_channel.ts";
import type { ClientState } from "../client/client_state.ts";
import type { HeaderList } from "../transport/transport.ts";
import { pause } from "../transport/stream_reopening.ts";

interface Streaming {
  readonly subscribe: NonNullable<UpstreamChannel["subscribe"]>;
  readonly client: ClientState;
  readonly upstreamId: string;
  /** The caller's headers for opening the stream. */
  readonly passed: HeaderList;
  /** See `SessionCall`. */
  readonly tenant: string;
  /** Aborted when the upstream is changed or deleted. */
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
   * Opens the stream for the client's current subscriptions. Resolves when the upstream has acknowledged it, because the
   * client may cause an update right after. After `withinMs` the wait ends; the stream stays.
   * @throws {SluiceError} UPSTREAM_*
   */
  async update(withinMs: number): Promise<void> {
    const { subscribe, client, upstreamId, passed, tenant, gone } = this.#streaming;
    const resourceSubscriptions = [...client.subscriptionsTo(upstreamId)];
    const uris = JSON.stringify(resourceSubscriptions);
    const peer = client.peer?.from?.(upstreamId) ?? client.peer;
    const before = this.#open;
    if (before?.uris !== uris) {
      this.#open = null;
      if (resourceSubscriptions.length > 0) {
        const stop = new AbortController();
        const stream = subscribe({ resourceSubscriptions }, {
          signal: AbortSignal.any([stop.signal, gone]),
          onMessage: (text) => peer?.notify(text),
          clientCapabilities: client.capabilities,
          passed,
          tenant,
        });
        this.#open = { uris, stop, stream };
        // A refused stream may be requested again.
        void stream.ended.then(() => {
          if (this.#open?.stream === stream) this.#open = null;
        });
      }
    }
    const isAcknowledged = this.#open?.stream.opened ?? Promise.resolve();
    try {
      await Promise.race([isAcknowledged, pause(withinMs, undefined)]);
    } finally {
      // The streams overlap, so that no update is lost. An update in between arrives twice.
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
