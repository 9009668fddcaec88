// A worker's place among those that have its number one after the other: its predecessor ends what it has begun while it serves,
// as it does itself once a successor has its sessions.
import type { Serve } from "../../downstream/exchange/mcp_exchange.ts";
import type { SessionForward } from "./session_forward.ts";

/** Waits for its predecessor's sessions; has the sessions of its number; has given them away. */
type Stage = "waiting" | "owning" | "succeeded";

const FOLLOWS: Record<Stage, Stage | null> = { waiting: "owning", owning: "succeeded", succeeded: null };

export class Succession {
  readonly #worker: number;
  readonly #forward: Pick<SessionForward, "forward" | "knows">;
  readonly #owning = Promise.withResolvers<void>();
  #stage: Stage = "waiting";

  /** @param isSuccessor the sessions are still to come */
  constructor(worker: number, isSuccessor: boolean, forward: Pick<SessionForward, "forward" | "knows">) {
    this.#worker = worker;
    this.#forward = forward;
    if (!isSuccessor) this.takeOver();
  }

  /** Resolves when the sessions are here: before, they would not be known. */
  get owning(): Promise<void> {
    return this.#owning.promise;
  }

  /** Has a successor the sessions? */
  get isOver(): boolean {
    return this.#stage === "succeeded";
  }

  /** The predecessor's sessions are here. */
  takeOver(): void {
    this.#enter("owning");
    this.#owning.resolve();
  }

  /** The sessions are the successor's now. */
  handOver(): void {
    this.#enter("succeeded");
  }

  /** Does whoever has the sessions now live? */
  get hasSuccessor(): boolean {
    return this.isOver && this.#knowsOther;
  }

  /** The way to the worker that ends what was begun under this number before; null: there is none. */
  predecessor(): Serve | null {
    return !this.isOver && this.#knowsOther ? this.#askOther : null;
  }

  /** The way to the worker that has the sessions now; null: they are here. */
  successor(): Serve | null {
    return this.isOver ? this.#askOther : null;
  }

  /** The one that a worker knows under its own number came before it, until it has handed over: then it is the one after it. */
  get #knowsOther(): boolean {
    return this.#forward.knows(this.#worker);
  }

  readonly #askOther: Serve = (request, signal) => this.#forward.forward(this.#worker, request, signal);

  #enter(next: Stage): void {
    if (FOLLOWS[this.#stage] !== next) throw new Error(`a worker that is ${this.#stage} cannot be ${next}`);
    this.#stage = next;
  }
}
