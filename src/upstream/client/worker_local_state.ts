// Where an upstream keeps something for a client in a process or a socket of our worker's: it ends with the worker, and the
// client is told so once.

export interface WorkerLocalStateOptions {
  /** Upstream ids, as the client's record holds them: what was kept there ended with the worker before. */
  readonly before?: readonly string[];
  /** The ids have changed: keep them. */
  readonly onChange?: () => Promise<void>;
}

export class WorkerLocalState {
  readonly #here = new Set<string>();
  readonly #lost: Set<string>;
  readonly #onChange: () => Promise<void>;

  constructor({ before = [], onChange = () => Promise.resolve() }: WorkerLocalStateOptions = {}) {
    this.#lost = new Set(before);
    this.#onChange = onChange;
  }

  /** All that whoever comes after this worker has to know of. */
  get upstreamIds(): string[] {
    return [...this.#here, ...this.#lost];
  }

  /** A session has been opened that cannot leave this worker. Resolves when that is kept. Never throws. */
  async add(upstreamId: string): Promise<void> {
    if (this.#here.has(upstreamId)) return;
    this.#here.add(upstreamId);
    await this.#keep();
  }

  /** Has the client lost what it had at the upstream, and not heard of it? Yes once. */
  takeLoss(upstreamId: string): boolean {
    const isLost = this.#lost.delete(upstreamId);
    if (isLost) void this.#keep();
    return isLost;
  }

  /** A call does not fail for it: where the records are away it is kept with the next change. */
  async #keep(): Promise<void> {
    await this.#onChange().catch(() => {});
  }
}
