// The catalog of this worker: an immutable snapshot, replaced by a newer one when the store has changed.
import { Emitter } from "../base/emitter.ts";
import type { Catalog } from "./snapshot/catalog.ts";

export interface LiveCatalogOptions {
  /** Reads a whole snapshot. */
  readonly read: () => Promise<Catalog>;
  /** A snapshot could not be read: the one before serves on. */
  readonly onFailure: (error: unknown) => void;
}

export class LiveCatalog {
  readonly #options: LiveCatalogOptions;
  readonly #changes = new Emitter<[before: Catalog, after: Catalog]>();
  #now: Catalog;
  /** One read after the other: a slow one must not put an older snapshot in the place of a newer one. */
  #reading: Promise<unknown> = Promise.resolve();

  private constructor(options: LiveCatalogOptions, first: Catalog) {
    this.#options = options;
    this.#now = first;
  }

  /** @throws {SluiceError} STORE_UNAVAILABLE */
  static async open(options: LiveCatalogOptions): Promise<LiveCatalog> {
    return new LiveCatalog(options, await options.read());
  }

  get now(): Catalog {
    return this.#now;
  }

  /** Adds a listener, which is called after each replacement of the snapshot. */
  onChange(listener: (before: Catalog, after: Catalog) => void): void {
    this.#changes.add(listener);
  }

  /** Reads the store unless its `version` is here already. @returns which version is here now */
  refresh(version: number): Promise<number> {
    const refreshed = this.#reading.then(() => this.#refresh(version));
    this.#reading = refreshed;
    return refreshed;
  }

  async #refresh(version: number): Promise<number> {
    if (this.#now.version === version) return version;
    try {
      const before = this.#now;
      this.#now = await this.#options.read();
      this.#changes.emit(before, this.#now);
    } catch (error) {
      this.#options.onFailure(error);
    }
    return this.#now.version;
  }
}
