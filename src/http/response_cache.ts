// Answers that are kept in a worker's memory for as long as what they were made of has the version that it had then.
import { BoundedMap } from "../base/bounded_map.ts";

/** What an answer says, ready to be sent. */
export interface Representation {
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** A strong entity tag, quotes included: RFC 9110, section 8.8.3. */
  readonly etag: string;
}

export type CacheStatus = "HIT" | "MISS";

export interface ResponseCacheOptions {
  /** Which version the data has now that answers are made of. Asked for each answer, so that none is older than the data. */
  readonly version: () => Promise<number>;
  readonly maxEntries: number;
  /** Of all answers and their keys together. */
  readonly maxBytes: number;
  readonly count: (status: CacheStatus) => void;
}

export class ResponseCache {
  readonly #options: ResponseCacheOptions;
  readonly #entries: BoundedMap<string, Representation>;
  /** Of the data that all entries were made of, or a later one. */
  #version = NaN;

  constructor(options: ResponseCacheOptions) {
    this.#options = options;
    const { maxEntries, maxBytes } = options;
    this.#entries = new BoundedMap({ maxEntries, maxWeight: maxBytes, weightOf: bytesOf, ageFrom: "get" });
  }

  get bytes(): number {
    return this.#entries.weight;
  }

  get size(): number {
    return this.#entries.size;
  }

  /**
   * The answer kept under `key`, else the one that `make` gives now.
   * @param key all that the answer depends on but the data: what is asked, and by whom where that matters
   * @throws whatever `version` or `make` throws: no failure is kept
   */
  async answer(
    key: string,
    make: () => Promise<Representation>,
  ): Promise<{ readonly representation: Representation; readonly status: CacheStatus }> {
    const version = await this.#options.version();
    if (version !== this.#version) {
      this.#version = version;
      this.#entries.clear();
    }
    const kept = this.#entries.get(key);
    if (kept !== undefined) {
      this.#options.count("HIT");
      return { representation: kept, status: "HIT" };
    }
    const representation = await make();
    // Others may have heard of a change meanwhile, and this may show what was before it.
    if (version === this.#version) this.#entries.set(key, representation);
    this.#options.count("MISS");
    return { representation, status: "MISS" };
  }
}

function bytesOf(key: string, { bytes }: Representation): number {
  return bytes.length + 2 * key.length;
}
