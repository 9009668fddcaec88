// The workers of this process as one of them sees them: the way to each, and to those that hold this worker's number before and after
// it. A predecessor finishes what it has begun while this worker serves; so does this worker once its successor has the sessions.
import type { Serve } from "../../downstream/exchange/mcp_exchange.ts";
import type { WorkerPorts } from "./worker_ports.ts";

/** Waits for its predecessor's sessions; owns the sessions of its number; has given them to its successor. */
type Stage = "waiting" | "owning" | "succeeded";

const NEXT: Record<Stage, Stage | null> = { waiting: "owning", owning: "succeeded", succeeded: null };

export interface SuccessionOptions {
  readonly worker: number;
  readonly workerCount: number;
  /** A predecessor lives and will hand its sessions over. */
  readonly isSuccessor: boolean;
  readonly ports: Pick<WorkerPorts, "forward" | "knows">;
}

export class Succession {
  readonly #options: SuccessionOptions;
  readonly #owning = Promise.withResolvers<void>();
  #stage: Stage = "waiting";

  constructor(options: SuccessionOptions) {
    this.#options = options;
    if (!options.isSuccessor) this.takeOver();
  }

  /** A successor has the sessions. */
  get isOver(): boolean {
    return this.#stage === "succeeded";
  }

  /** The predecessor's sessions are here. */
  takeOver(): void {
    this.#enter("owning");
    this.#owning.resolve();
  }

  /** The sessions belong to the successor from now on. */
  handOver(): void {
    this.#enter("succeeded");
  }

  /** A successor has the sessions and lives. */
  get hasSuccessor(): boolean {
    return this.isOver && this.#knowsOther;
  }

  /** The way to the worker that finishes what it began under this number; null: there is none. */
  readonly predecessor = (): Serve | null => !this.isOver && this.#knowsOther ? this.#askOther : null;

  /** The way to the worker that owns the sessions of `worker`, as a session's id names it; null: this worker. */
  readonly wayTo = (worker: number): Serve | null => {
    const { ports, workerCount, worker: self } = this.#options;
    // A process that was restarted with fewer workers still gets requests for sessions of the others.
    const owner = worker % workerCount;
    if (owner === self) return this.#successor();
    return (request, signal) => ports.forward(owner, request, signal);
  };

  /** `serve` for the time in which this worker owns its sessions: a request waits until they are here, or follows them. */
  whileOwning(serve: Serve): Serve {
    return async (request, signal) => {
      await this.#owning.promise;
      // The sender did not know of the successor yet.
      return await (this.#successor() ?? serve)(request, signal);
    };
  }

  #successor(): Serve | null {
    return this.isOver ? this.#askOther : null;
  }

  /** The other worker under this number is the predecessor until the hand-over, and the successor after it. */
  get #knowsOther(): boolean {
    return this.#options.ports.knows(this.#options.worker);
  }

  readonly #askOther: Serve = (request, signal) =>
    this.#options.ports.forward(this.#options.worker, request, signal);

  #enter(next: Stage): void {
    if (NEXT[this.#stage] !== next) throw new Error(`a worker that is ${this.#stage} cannot be ${next}`);
    this.#stage = next;
  }
}
