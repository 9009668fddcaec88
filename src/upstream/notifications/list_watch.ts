// Watches the lists of all upstreams for one replica: one subscription per upstream that announces list changes.
import type { Subscription } from "../session/upstream_channel.ts";

/** The part of an upstream that a watch needs. */
export interface WatchableUpstream {
  readonly id: string;
  /** Whether the upstream announces changes of any list. */
  readonly promisesListChanges: boolean;
  /** Another object once the upstream has to be watched anew. */
  readonly subscribed: unknown;
  /**
   * `onListChanged` receives the notification's method. The subscription ends when the signal is aborted or the upstream is
   * replaced.
   */
  watchLists(onListChanged: (method: string) => void, signal: AbortSignal): Subscription;
}

interface ListWatchDeps {
  /** Receives the gateway's id and the notification's method. */
  readonly onListChanged: (gatewayId: string, method: string) => void;
}

interface Watch {
  readonly subscribed: unknown;
  readonly stop: AbortController;
  readonly ended: Promise<void>;
}

export class ListWatch {
  readonly #deps: ListWatchDeps;
  readonly #watches = new Map<string, Watch>();
  #isClosed = false;

  constructor(deps: ListWatchDeps) {
    this.#deps = deps;
  }

  /** The number of watched upstreams. */
  get size(): number {
    return this.#watches.size;
  }

  /**
   * Applies a new catalog. A changed upstream is watched anew. An upstream that refused is tried again with the next catalog.
   * @param upstreams all usable upstreams
   */
  update(upstreams: readonly WatchableUpstream[]): void {
    if (this.#isClosed) return;
    const wanted = new Map(
      upstreams.filter(({ promisesListChanges }) => promisesListChanges).map((one) => [one.id, one]),
    );
    for (const [id, { subscribed, stop }] of this.#watches) {
      if (wanted.get(id)?.subscribed === subscribed) continue;
      this.#watches.delete(id);
      stop.abort(new DOMException("the upstream was changed or deleted", "AbortError"));
    }
    for (const [id, upstream] of wanted) if (!this.#watches.has(id)) this.#watch(id, upstream);
  }

  /** Closes all subscriptions. Resolves when the upstreams have been told, within a few seconds. */
  async close(): Promise<void> {
    this.#isClosed = true;
    const watches = [...this.#watches.values()];
    this.#watches.clear();
    for (const { stop } of watches) stop.abort(new DOMException("the worker ends", "AbortError"));
    await Promise.all(watches.map(({ ended }) => ended));
  }

  #watch(id: string, upstream: WatchableUpstream): void {
    const stop = new AbortController();
    const onListChanged = (method: string) => this.#deps.onListChanged(id, method);
    const { ended } = upstream.watchLists(onListChanged, stop.signal);
    const watch = { subscribed: upstream.subscribed, stop, ended };
    this.#watches.set(id, watch);
    void ended.then(() => {
      if (this.#watches.get(id) === watch) this.#watches.delete(id);
    });
  }
}
