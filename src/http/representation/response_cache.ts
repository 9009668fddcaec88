// A cache of responses in a worker's memory. An entry is valid for one version of the data that it was made from, and for a time where
// it shows more than this data.
import type { Clock } from "../../base/clock.ts";
import type { Coding } from "./accepted.ts";
import { SharedEntries } from "./shared_entries.ts";

/** A response body, ready to be sent. */
export interface Representation {
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** null: as it was made. */
  readonly coding: Coding | null;
  /** A strong entity tag, quotes included: RFC 9110, section 8.8.3. Absent: clients keep nothing. */
  readonly etag?: string;
}

/** As in nginx' `$upstream_cache_status`. `STALE`: the response is older than its time, and a new one is being made. */
export type CacheStatus = "HIT" | "MISS" | "STALE";

/** The headers that say what became of a request here. @param status BYPASS: such responses are never kept */
export function statusHeader(status: CacheStatus | "BYPASS"): Readonly<Record<string, string>> {
  return { "x-cache-status": status };
}

/** What was made for a key. */
export interface Made<Kept extends Representation> {
  readonly representation: Kept;
  /** false: the response is for this request alone. */
  readonly isKept: boolean;
}

export interface Answer<Kept extends Representation> {
  readonly representation: Kept;
  readonly status: CacheStatus;
}

export interface Question<Kept extends Representation> {
  /** Everything that the response depends on besides the data: the request, and the caller where he matters. */
  readonly key: string;
  /** The caller. Entries of the caller with most entries are dropped first. */
  readonly caller: string;
  /** Must not depend on the connection of the request: others may wait for the same response. */
  readonly make: () => Promise<Made<Kept>>;
  /** The time for which the response is fresh. It is given for as long again while a new one is made. Infinity: until the data changes. */
  readonly freshMs: number;
}

export interface ResponseCacheOptions {
  /**
   * Reads the current version of the data. Read after every request has come, so that no response is older than the data.
   * null: the version is not known, and nothing is kept.
   */
  readonly version: () => Promise<string | null>;
  readonly clock: Pick<Clock, "now">;
  /** Of all bodies and keys together. */
  readonly maxBytes: number;
  readonly count: (status: CacheStatus) => void;
}

interface Entry {
  readonly representation: Representation;
  /** ms since the epoch. */
  readonly madeAt: number;
}

/** What an entry takes besides its body and its key. */
const ENTRY_BYTES = 500;

export class ResponseCache {
  readonly #options: ResponseCacheOptions;
  readonly #readVersion: () => Promise<string | null>;
  readonly #entries: SharedEntries<Entry>;
  /** The responses that are being made, by key. */
  #making = new Map<string, Promise<Made<Representation>>>();
  /** The version that all entries are of, and that the responses being made were asked for. */
  #version: string | null = null;

  constructor(options: ResponseCacheOptions) {
    this.#options = options;
    this.#readVersion = sharingTheNext(options.version);
    this.#entries = new SharedEntries(options.maxBytes);
  }

  get bytes(): number {
    return this.#entries.weight;
  }

  get size(): number {
    return this.#entries.size;
  }

  /**
   * The kept response, else one that is being made, else a new one.
   * @throws what `version` or `make` throws; failures are not kept
   */
  async answer<Kept extends Representation>(question: Question<Kept>): Promise<Answer<Kept>> {
    const { representation, status } = await this.#answer(question);
    this.#options.count(status);
    // The key has made it.
    return { representation: representation as Kept, status };
  }

  async #answer(question: Question<Representation>): Promise<Answer<Representation>> {
    const { key, make, freshMs } = question;
    const version = await this.#readVersion();
    if (version === null || version !== this.#version) {
      this.#version = version;
      this.#entries.clear();
      this.#making = new Map();
    }
    const kept = this.#entries.get(key);
    if (kept !== undefined) {
      const { representation, madeAt } = kept;
      // A clock that was set back makes an entry old, too.
      const age = Math.abs(this.#options.clock.now() - madeAt);
      if (age < freshMs) return { representation, status: "HIT" };
      if (age < 2 * freshMs) {
        this.#make(question, version).catch(() => {}); // the next request that finds nothing kept is told
        return { representation, status: "STALE" };
      }
    }
    const others = this.#making.get(key);
    if (others !== undefined) {
      const made = await others.catch(() => null);
      if (made?.isKept) return { representation: made.representation, status: "HIT" };
      const { representation } = await make();
      return { representation, status: "MISS" };
    }
    const { representation } = await this.#make(question, version);
    return { representation, status: "MISS" };
  }

  #make(
    { key, caller, make }: Question<Representation>,
    version: string | null,
  ): Promise<Made<Representation>> {
    const making = this.#making;
    const others = making.get(key);
    if (others !== undefined) return others;
    const made = make().then((made) => {
      const { representation, isKept } = made;
      // The version may have changed during `make`; then this response may be of the old one.
      if (isKept && version !== null && version === this.#version) {
        const value = { representation, madeAt: this.#options.clock.now() };
        this.#entries.set(key, { caller, value, weight: bytesOf(key, representation) });
      }
      return made;
    }).finally(() => making.delete(key));
    making.set(key, made);
    return made;
  }
}

function bytesOf(key: string, { bytes }: Representation): number {
  return bytes.length + 2 * key.length + ENTRY_BYTES;
}

/** One reading at a time. A request during a reading gets the next one, which begins after it. */
function sharingTheNext<T>(read: () => Promise<T>): () => Promise<T> {
  let running: Promise<unknown> | null = null;
  let next: Promise<T> | null = null;
  const begin = (): Promise<T> => {
    next = null;
    const reading = read();
    const ended: Promise<unknown> = reading.catch(() => {}).then(() => {
      if (running === ended) running = null;
    });
    running = ended;
    return reading;
  };
  return () => running === null ? begin() : next ??= running.then(begin);
}
