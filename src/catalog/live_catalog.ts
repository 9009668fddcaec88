// Room `catalog`: what the gateway offers, and how it is kept up to date. Requests read `LiveCatalog`; admin and worker use
// `CatalogSync`.
// This file holds the catalog of this worker: an immutable snapshot that is replaced when the store has changed.
import { Emitter } from "../base/emitter.ts";
import type { Catalog } from "./snapshot/catalog.ts";

export interface LiveCatalogOptions {
  /** Reads a whole snapshot. @param former what need not be read again if it has not changed; null: the first reading */
  readonly read: (former: Catalog | null) => Promise<Catalog>;
  /** Called when a snapshot could not be read. The previous one stays in use. */
  readonly onFailure: (error: unknown) => void;
}

export class LiveCatalog {
  readonly #options: LiveCatalogOptions;
  readonly #changes = new Emitter<[before: Catalog, after: Catalog]>();
  #now: Catalog;
  /** Reads run one after another, so that a slow read cannot replace a newer snapshot. */
  #reading: Promise<unknown> = Promise.resolve();

  private constructor(options: LiveCatalogOptions, first: Catalog) {
    this.#options = options;
    this.#now = first;
  }

  /** @throws {SluiceError} STORE_UNAVAILABLE */
  static async open(options: LiveCatalogOptions): Promise<LiveCatalog> {
    return new LiveCatalog(options, await options.read(null));
  }

  get now(): Catalog {
    return this.#now;
  }

  /** Adds a listener that is called after each replacement of the snapshot. */
  onChange(listener: (before: Catalog, after: Catalog) => void): void {
    this.#changes.add(listener);
  }

  /** Reads the store unless `version` is already loaded. @returns the loaded version */
  refresh(version: string): Promise<string> {
    const refreshed = this.#reading.then(() => this.#refresh(version));
    this.#reading = refreshed;
    return refreshed;
  }

  async #refresh(version: string): Promise<string> {
    if (this.#now.version === version) return version;
    try {
      const before = this.#now;
      this.#now = await this.#options.read(before);
      this.#changes.emit(before, this.#now);
    } catch (error) {
      this.#options.onFailure(error);
    }
    return this.#now.version;
  }
}
