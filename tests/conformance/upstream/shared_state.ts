// What all servers of the process have in common, and who wants to hear that it changes.

export const WATCHED_URI = "test://watched-resource";

/** What changes: the definition of a tool, of a prompt, or the watched resource's content. */
export type Change = "tool" | "prompt" | "watched";

export class SharedState {
  readonly #file: string | undefined;
  readonly #versions: Record<Change, number>;
  readonly #listeners = new Set<(change: Change) => void>();

  /** @param file keeps it for the next process */
  constructor(file?: string) {
    this.#file = file;
    this.#versions = { tool: 1, prompt: 1, watched: 1, ...(file === undefined ? {} : readVersions(file)) };
  }

  version(of: Change): number {
    return this.#versions[of];
  }

  change(what: Change): void {
    this.#versions[what]++;
    if (this.#file !== undefined) Deno.writeTextFileSync(this.#file, JSON.stringify(this.#versions));
    for (const listener of this.#listeners) listener(what);
  }

  /** @returns what takes the listener off again */
  onChange(listener: (change: Change) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
}

function readVersions(file: string): Partial<Record<Change, number>> {
  try {
    return JSON.parse(Deno.readTextFileSync(file));
  } catch {
    // Nothing has changed yet.
    return {};
  }
}
