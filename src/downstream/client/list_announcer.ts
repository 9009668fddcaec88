// Tells the clients of a worker about changed lists. The first change is told at once. Changes that follow in the pause after it are
// told together, and not at all if the lists are as before again.
import type { Clock } from "../../base/clock.ts";
import type { Catalog } from "../../catalog/snapshot/catalog.ts";
import { announceListChanges, type ListListener } from "./list_changes.ts";

const PAUSE_MS = 1_000;

/** Former catalogs that are kept in a pause. Without its own, a client that came in the pause is compared with an older one. */
const MAX_FORMER = 10;

export class ListAnnouncer {
  readonly #clock: Clock;
  readonly #sources: Iterable<ListListener>[] = [];
  #pause: number | undefined;
  /** The catalogs since the last telling, the oldest first, and the present one; null: all clients know the present one. */
  #untold: { readonly former: Catalog[]; present: Catalog } | null = null;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Adds clients of one kind. */
  add(listeners: Iterable<ListListener>): void {
    this.#sources.push(listeners);
  }

  /** Applies a new catalog. */
  changed(before: Catalog, after: Catalog): void {
    const { former } = this.#untold ??= { former: [], present: after };
    former.push(before);
    if (former.length > MAX_FORMER) former.splice(1, 1);
    this.#untold.present = after;
    if (this.#pause === undefined) this.#tell();
  }

  close(): void {
    this.#clock.clearTimeout(this.#pause ?? 0);
  }

  #tell(): void {
    this.#pause = undefined;
    if (this.#untold === null) return;
    const { former, present } = this.#untold;
    this.#untold = null;
    this.#pause = this.#clock.setTimeout(() => this.#tell(), PAUSE_MS);
    for (const listeners of this.#sources) announceListChanges(listeners, former, present);
  }
}
