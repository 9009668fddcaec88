// What all servers of the process have in common, and who wants to hear that it changes.

export const WATCHED_URI = "test://watched-resource";

export type Change = "tools" | "prompts" | "watched";

export class SharedState {
  /** Whether the lists have their entry that comes and goes. */
  hasExtraTool = false;
  hasExtraPrompt = false;
  watchedVersion = 1;
  readonly #listeners = new Set<(change: Change) => void>();

  /** @returns what takes the listener off again */
  onChange(listener: (change: Change) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  toggleTool(): void {
    this.hasExtraTool = !this.hasExtraTool;
    this.#tell("tools");
  }

  togglePrompt(): void {
    this.hasExtraPrompt = !this.hasExtraPrompt;
    this.#tell("prompts");
  }

  updateWatched(): void {
    this.watchedVersion++;
    this.#tell("watched");
  }

  #tell(change: Change): void {
    for (const listener of this.#listeners) listener(change);
  }
}
