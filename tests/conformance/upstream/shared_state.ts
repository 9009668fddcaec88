// What all servers of the process have in common, and who wants to hear that it changes.

export const WATCHED_URI = "test://watched-resource";

/** What changes: the definition of a tool, of a prompt, or the watched resource's content. */
export type Change = "tool" | "prompt" | "watched";

export class SharedState {
  readonly #versions: Record<Change, number> = { tool: 1, prompt: 1, watched: 1 };
  readonly #listeners = new Set<(change: Change) => void>();

  version(of: Change): number {
    return this.#versions[of];
  }

  change(what: Change): void {
    this.#versions[what]++;
    for (const listener of this.#listeners) listener(what);
  }

  /** @returns what takes the listener off again */
  onChange(listener: (change: Change) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
}
