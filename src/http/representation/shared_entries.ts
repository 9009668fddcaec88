// A bounded map that callers share. A caller who fills it loses the caller's own entries: the next eviction takes the least recently
// used entry of the caller whose entries weigh most.

interface Entry<V> {
  readonly caller: string;
  readonly value: V;
  readonly weight: number;
}

interface Share {
  weight: number;
  /** The least recently used first. */
  readonly keys: Set<string>;
}

export class SharedEntries<V extends NonNullable<unknown>> {
  readonly #entries = new Map<string, Entry<V>>();
  readonly #shares = new Map<string, Share>();
  readonly #maxWeight: number;
  #weight = 0;

  constructor(maxWeight: number) {
    this.#maxWeight = maxWeight;
  }

  get size(): number {
    return this.#entries.size;
  }

  /** The sum of all weights. */
  get weight(): number {
    return this.#weight;
  }

  get(key: string): V | undefined {
    const entry = this.#entries.get(key);
    if (entry === undefined) return undefined;
    const { keys } = this.#shares.get(entry.caller)!;
    keys.delete(key);
    keys.add(key);
    return entry.value;
  }

  /** An entry that is heavier than the whole map may be is not kept. */
  set(key: string, entry: Entry<V>): void {
    this.#delete(key);
    const { caller, weight } = entry;
    if (weight > this.#maxWeight) return;
    while (this.#weight + weight > this.#maxWeight) this.#evict();
    const share = this.#shares.get(caller) ?? { weight: 0, keys: new Set() };
    share.weight += weight;
    share.keys.add(key);
    // Of callers with equal weights, the one who has kept nothing new for longest is the first.
    this.#shares.delete(caller);
    this.#shares.set(caller, share);
    this.#entries.set(key, entry);
    this.#weight += weight;
  }

  clear(): void {
    this.#entries.clear();
    this.#shares.clear();
    this.#weight = 0;
  }

  #evict(): void {
    let heaviest: Share | null = null;
    for (const share of this.#shares.values()) {
      if (heaviest === null || share.weight > heaviest.weight) heaviest = share;
    }
    const [oldest] = heaviest!.keys;
    this.#delete(oldest!);
  }

  #delete(key: string): void {
    const entry = this.#entries.get(key);
    if (entry === undefined) return;
    const { caller, weight } = entry;
    this.#entries.delete(key);
    this.#weight -= weight;
    const share = this.#shares.get(caller)!;
    share.weight -= weight;
    share.keys.delete(key);
    if (share.keys.size === 0) this.#shares.delete(caller);
  }
}
