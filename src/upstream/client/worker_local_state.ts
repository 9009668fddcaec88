// Upstreams that keep state for a client in a process or socket of this worker. The state ends with the worker; the client is
// told once.

export interface WorkerLocalStateOptions {
  /** Upstream ids from the client's persisted record. Their state ended with the previous worker. */
  readonly before?: readonly string[];
  /** Persists the ids after a change. */
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

  /** The ids that the next worker must know. */
  get upstreamIds(): string[] {
    return [...this.#here, ...this.#lost];
  }

  /** Records a session that cannot leave this worker. Resolves when the record is persisted. Never throws. */
  async add(upstreamId: string): Promise<void> {
    if (this.#here.has(upstreamId)) return;
    this.#here.add(upstreamId);
    await this.#keep();
  }

  /** Whether the client lost its state at the upstream and has not been told. */
  hasLost(upstreamId: string): boolean {
    return this.#lost.has(upstreamId);
  }

  /** Returns whether the client lost its state at the upstream; true only once. */
  takeLoss(upstreamId: string): boolean {
    const isLost = this.#lost.delete(upstreamId);
    if (isLost) void this.#keep();
    return isLost;
  }

  /** A failed write does not fail the call. The next change writes the ids again. */
  async #keep(): Promise<void> {
    await this.#onChange().catch(() => {});
  }
}
