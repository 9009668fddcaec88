// An immutable map of which the next state costs little: it shares the entries of the former one, but for those that have changed.

/** Changed entries that a state has beside the shared ones. With more, it copies all entries into a map of its own. */
const MAX_CHANGED = 256;

export class LayeredMap<Value> {
  readonly #shared: ReadonlyMap<string, Value>;
  /** null: the entry is gone. */
  readonly #changed: ReadonlyMap<string, Value | null>;

  private constructor(shared: ReadonlyMap<string, Value>, changed: ReadonlyMap<string, Value | null>) {
    this.#shared = shared;
    this.#changed = changed;
  }

  static of<Value>(entries: readonly (readonly [key: string, value: Value])[]): LayeredMap<Value> {
    return new LayeredMap(new Map(entries), new Map());
  }

  /** There has never been an entry. */
  get isEmpty(): boolean {
    return this.#shared.size === 0 && this.#changed.size === 0;
  }

  get(key: string): Value | undefined {
    const changed = this.#changed.get(key);
    return changed === undefined ? this.#shared.get(key) : changed ?? undefined;
  }

  /** The next state: first the keys of `gone` go, then `entries` come. */
  with(
    gone: readonly string[],
    entries: readonly (readonly [key: string, value: Value])[],
  ): LayeredMap<Value> {
    if (gone.length === 0 && entries.length === 0) return this;
    const changed = new Map(this.#changed);
    for (const key of gone) changed.set(key, null);
    for (const [key, value] of entries) changed.set(key, value);
    if (changed.size <= MAX_CHANGED) return new LayeredMap(this.#shared, changed);
    const all = new Map(this.#shared);
    for (const [key, value] of changed) {
      if (value === null) all.delete(key);
      else all.set(key, value);
    }
    return new LayeredMap(all, new Map());
  }
}
