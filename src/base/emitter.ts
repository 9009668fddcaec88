// An event with listeners: who has news is made first, who wants to hear of it is added later.

export type EventListener<Args extends readonly unknown[]> = (...args: Args) => void;

export class Emitter<Args extends readonly unknown[]> {
  readonly #listeners: EventListener<Args>[] = [];

  /** Listeners are called in the order in which they were added. */
  add(listener: EventListener<Args>): void {
    this.#listeners.push(listener);
  }

  /** A listener that throws ends the round: the later ones are not called. */
  readonly emit: EventListener<Args> = (...args) => {
    for (const listener of this.#listeners) listener(...args);
  };
}
