// One worker as the supervisor sees it: its state, its messages, its end. The one place that makes workers.
import { Worker } from "node:worker_threads";
import { SluiceError } from "../base/errors.ts";
import type { FromWorker, Question, ToWorker } from "../worker/messages.ts";

/** starting > ready > draining > dead; any state may go to dead. */
export type WorkerState = "starting" | "ready" | "draining" | "dead";

const NEXT: Readonly<Record<WorkerState, readonly WorkerState[]>> = {
  starting: ["ready", "draining", "dead"],
  ready: ["draining", "dead"],
  draining: ["dead"],
  dead: [],
};

/** What a worker asks of the supervisor. */
export type WorkerRequest = Extract<FromWorker, { type: "ask_all" }>;

export interface WorkerEvents {
  onState(handle: WorkerHandle, state: WorkerState): void;
  onRequest(handle: WorkerHandle, request: WorkerRequest): void;
  /** The worker says that it cannot start. */
  onFailed(handle: WorkerHandle, error: SluiceError): void;
}

export class WorkerHandle {
  readonly index: number;
  readonly startedAt = Date.now();
  /** Why it died, where it said so. */
  cause: string | null = null;
  #state: WorkerState = "starting";
  #nextRequest = 1;
  readonly #worker: Worker;
  readonly #events: WorkerEvents;
  readonly #asked = new Map<
    number,
    { resolve: (value: unknown) => void; reject: (error: unknown) => void }
  >();

  constructor(start: Extract<ToWorker, { type: "start" }>, events: WorkerEvents) {
    this.index = start.worker;
    this.#events = events;
    this.#worker = new Worker(new URL("../worker/main.ts", import.meta.url));
    this.#worker.on("message", (message: FromWorker) => this.#receive(message));
    this.#worker.on("error", (error: unknown) => {
      this.cause = error instanceof Error ? error.message : String(error);
      this.#enter("dead");
    });
    this.#worker.on("exit", () => this.#enter("dead"));
    this.send(start);
  }

  get state(): WorkerState {
    return this.#state;
  }

  send(message: ToWorker, transfer: Transferable[] = []): void {
    // deno-lint-ignore no-explicit-any -- node's Transferable type lacks the web MessagePort, which its runtime takes
    if (this.#state !== "dead") this.#worker.postMessage(message, transfer as any);
  }

  /** Ask, and wait for `done`. @throws {SluiceError} WORKER_GONE */
  ask(question: Question): Promise<unknown> {
    if (this.#state === "dead") return Promise.reject(new SluiceError("WORKER_GONE"));
    const request = this.#nextRequest++;
    return new Promise((resolve, reject) => {
      this.#asked.set(request, { resolve, reject });
      this.send({ type: "question", request, question });
    });
  }

  /** Stop taking connections, finish what is under way, end. */
  drain(): void {
    if (this.#state === "draining" || this.#state === "dead") return;
    this.#enter("draining");
    this.send({ type: "drain" });
  }

  terminate(): void {
    this.#worker.terminate();
    this.#enter("dead");
  }

  #receive(message: FromWorker): void {
    switch (message.type) {
      case "ready":
        return this.#enter("ready");
      case "failed":
        this.#events.onFailed(this, new SluiceError(message.code, message.params, { cause: message.cause }));
        return;
      case "drained":
        return this.terminate();
      case "done":
        this.#asked.get(message.request)?.resolve(message.value);
        this.#asked.delete(message.request);
        return;
      default:
        this.#events.onRequest(this, message);
    }
  }

  #enter(state: WorkerState): void {
    if (!NEXT[this.#state].includes(state)) return;
    this.#state = state;
    if (state === "dead") {
      for (const { reject } of this.#asked.values()) reject(new SluiceError("WORKER_GONE"));
      this.#asked.clear();
    }
    this.#events.onState(this, state);
  }
}
