// Answers that are kept in a worker's memory for as long as what they were made of has the version that it had then.

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
  /** The one that was used least recently comes first. */
  readonly #entries = new Map<string, Representation>();
  /** Of the data that all entries were made of, or a later one. */
  #version = NaN;
  #bytes = 0;

  constructor(options: ResponseCacheOptions) {
    this.#options = options;
  }

  get bytes(): number {
    return this.#bytes;
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
    if (version !== this.#version) this.#beginAnew(version);
    const kept = this.#entries.get(key);
    if (kept !== undefined) {
      this.#entries.delete(key);
      this.#entries.set(key, kept);
      this.#options.count("HIT");
      return { representation: kept, status: "HIT" };
    }
    const representation = await make();
    // Others may have heard of a change meanwhile, and this may show what was before it.
    if (version === this.#version) this.#keep(key, representation);
    this.#options.count("MISS");
    return { representation, status: "MISS" };
  }

  #keep(key: string, representation: Representation): void {
    const { maxEntries, maxBytes } = this.#options;
    const bytes = bytesOf(key, representation);
    if (bytes > maxBytes) return;
    this.#remove(key); // another has asked the same meanwhile
    for (const oldest of this.#entries.keys()) {
      if (this.#entries.size < maxEntries && this.#bytes + bytes <= maxBytes) break;
      this.#remove(oldest);
    }
    this.#entries.set(key, representation);
    this.#bytes += bytes;
  }

  #remove(key: string): void {
    const entry = this.#entries.get(key);
    if (entry === undefined) return;
    this.#entries.delete(key);
    this.#bytes -= bytesOf(key, entry);
  }

  #beginAnew(version: number): void {
    this.#version = version;
    this.#entries.clear();
    this.#bytes = 0;
  }
}

function bytesOf(key: string, { bytes }: Representation): number {
  return bytes.length + 2 * key.length;
}
