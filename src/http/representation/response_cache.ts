// A cache of responses in a worker's memory. An entry is valid for one version of the data that it was made from.
import { BoundedMap } from "../../base/bounded_map.ts";

/** A response body, ready to be sent. */
export interface Representation {
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** A strong entity tag, quotes included: RFC 9110, section 8.8.3. */
  readonly etag: string;
}

export type CacheStatus = "HIT" | "MISS";

export interface ResponseCacheOptions {
  /** Reads the current version of the data. Read for every response, so that no response is older than the data. */
  readonly version: () => Promise<number>;
  readonly maxEntries: number;
  /** Of all bodies and keys together. */
  readonly maxBytes: number;
  readonly count: (status: CacheStatus) => void;
}

export class ResponseCache {
  readonly #options: ResponseCacheOptions;
  readonly #entries: BoundedMap<string, Representation>;
  /** The version that all entries were made from. */
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
   * The cached response for `key`, else a new one from `make`.
   * @param key everything that the response depends on besides the data: the request, and the caller where he matters
   * @throws what `version` or `make` throws; failures are not cached
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
    // The version may have changed during `make`; then this response may be of the old one.
    if (version === this.#version) this.#entries.set(key, representation);
    this.#options.count("MISS");
    return { representation, status: "MISS" };
  }
}

function bytesOf(key: string, { bytes }: Representation): number {
  return bytes.length + 2 * key.length;
}
