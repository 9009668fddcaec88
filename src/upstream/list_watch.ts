// Hears of changes of upstreams' lists for a whole replica: one listener for each upstream that promises to tell of them.
import type { Upstream } from "./upstream.ts";

interface ListWatchDeps {
  /** Takes the gateway's id and the notification's method. */
  readonly onListChanged: (gatewayId: string, method: string) => void;
}

interface Watch {
  readonly upstream: Upstream;
  readonly stop: AbortController;
}

export class ListWatch {
  readonly #deps: ListWatchDeps;
  readonly #watches = new Map<string, Watch>();
  #isClosed = false;

  constructor(deps: ListWatchDeps) {
    this.#deps = deps;
  }

  /** How many upstreams are listened to. */
  get size(): number {
    return this.#watches.size;
  }

  /**
   * Take over a new catalog. An upstream that was changed is listened to anew; one that does not let itself be listened to
   * is left alone until the next catalog.
   * @param upstreams all that can be used
   */
  update(upstreams: readonly Upstream[]): void {
    if (this.#isClosed) return;
    const wanted = new Map(
      upstreams.filter(({ promisesListChanges }) => promisesListChanges).map((one) => [one.id, one]),
    );
    for (const [id, { upstream, stop }] of this.#watches) {
      if (wanted.get(id) === upstream) continue;
      this.#watches.delete(id);
      stop.abort(new DOMException("the upstream is another now", "AbortError"));
    }
    for (const [id, upstream] of wanted) if (!this.#watches.has(id)) this.#watch(id, upstream);
  }

  close(): void {
    this.#isClosed = true;
    for (const { stop } of this.#watches.values()) {
      stop.abort(new DOMException("the worker ends", "AbortError"));
    }
    this.#watches.clear();
  }

  #watch(id: string, upstream: Upstream): void {
    const watch = { upstream, stop: new AbortController() };
    this.#watches.set(id, watch);
    const onListChanged = (method: string) => this.#deps.onListChanged(id, method);
    void upstream.watchLists(onListChanged, watch.stop.signal).ended.then(() => {
      if (this.#watches.get(id) === watch) this.#watches.delete(id);
    });
  }
}
