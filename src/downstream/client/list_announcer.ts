// Tells the clients of a worker about changed lists. The first change is told at once. Changes that follow in the pause after it are
// told together, and not at all if the lists are as before again.
import type { Clock } from "../../base/clock.ts";
import type { Catalog } from "../../catalog/snapshot/catalog.ts";
import { announceListChanges, type ListListener } from "./list_changes.ts";

const PAUSE_MS = 1_000;

export class ListAnnouncer {
  readonly #clock: Clock;
  readonly #sources: Iterable<ListListener>[] = [];
  #pause: number | undefined;
  /** The catalog that clients know, and the present one, if they differ. */
  #untold: { readonly known: Catalog; readonly present: Catalog } | null = null;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Adds clients of one kind. */
  add(listeners: Iterable<ListListener>): void {
    this.#sources.push(listeners);
  }

  /** Applies a new catalog. */
  changed(before: Catalog, after: Catalog): void {
    this.#untold = { known: this.#untold?.known ?? before, present: after };
    if (this.#pause === undefined) this.#tell();
  }

  close(): void {
    this.#clock.clearTimeout(this.#pause ?? 0);
  }

  #tell(): void {
    this.#pause = undefined;
    if (this.#untold === null) return;
    const { known, present } = this.#untold;
    this.#untold = null;
    this.#pause = this.#clock.setTimeout(() => this.#tell(), PAUSE_MS);
    for (const listeners of this.#sources) announceListChanges(listeners, known, present);
  }
}
