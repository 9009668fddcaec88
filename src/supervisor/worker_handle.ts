// One worker as the supervisor sees it: its state, its messages, its end. Workers are made only here.
import { Worker } from "node:worker_threads";
import { SluiceError } from "../base/errors.ts";
import type { WorkerStatus } from "../telemetry/worker_status.ts";
import type { LineKind } from "../telemetry/log.ts";
import type { CommandResults, FromWorker, ToWorker, WorkerCommand } from "../worker/protocol/messages.ts";
import type { ListeningSocket } from "./kernel/listening_sockets.ts";

export type WorkerState = WorkerStatus["state"];

const NEXT: Readonly<Record<WorkerState, readonly WorkerState[]>> = {
  starting: ["prepared", "draining", "dead"],
  prepared: ["ready", "draining", "dead"],
  ready: ["draining", "dead"],
  draining: ["dead"],
  dead: [],
};

/** A command of a worker for the supervisor, or through it for all workers. */
export type WorkerRequest = Extract<FromWorker, { type: "ask_all" }>;

export interface WorkerEvents {
  onState(handle: WorkerHandle, state: WorkerState): void;
  onRequest(handle: WorkerHandle, request: WorkerRequest): void;
  onWantsRecycling(handle: WorkerHandle, reason: string): void;
  /** A command failed in the worker. The asking side is told as well. */
  onFault(handle: WorkerHandle, command: string, reason: string): void;
  /** The worker could not accept a connection. */
  onCannotAccept(handle: WorkerHandle): void;
  /** The worker listens by another socket than before. */
  onListeningAgain(handle: WorkerHandle): void;
  /** Lines for standard output. */
  onLog(lines: string, kind?: LineKind): void;
}

export interface WorkerOptions {
  readonly start: Extract<ToWorker, { type: "start" }>;
  readonly events: WorkerEvents;
  /** The worker ends, alone, beyond this heap size; 0: no limit of ours (WORKER_MAX_HEAP_MB). */
  readonly maxHeapMb: number;
  /** Another entry module for the worker; tests inject faults with it. */
  readonly entry?: URL;
}

/**
 * V8 lets the young generation grow to 96 MiB. The objects of calls die young, so a quarter of that frees as many of them. Under load a
 * worker then takes 45 MB less, for 1 to 3 % more CPU per call; half of it again would take 5 to 10 % (measured).
 */
const YOUNG_GENERATION_MB = 24;

/** From this limit on, V8 lets a heap grow to four times its size between two collections, below to twice (MaxGrowingFactor). */
const LARGE_HEAP_MB = 2_048;

/**
 * V8's limit of the old generation, MiB. The default of WORKER_MAX_HEAP_MB stays just below a large heap, so that a worker takes 30 MB less
 * after its start. A higher limit counts as it is: a worker is replaced before it gets there.
 * @param maxHeapMb WORKER_MAX_HEAP_MB, above 0
 */
export function oldGenerationMb(maxHeapMb: number): number {
  return maxHeapMb === LARGE_HEAP_MB ? LARGE_HEAP_MB - 1 : maxHeapMb;
}

export class WorkerHandle {
  readonly index: number;
  /** Resolves when the worker is complete and can be told to listen. @throws {SluiceError} why it cannot */
  readonly prepared: Promise<void>;
  /** Resolves when it listens. @throws {SluiceError} why it cannot */
  readonly ready: Promise<void>;
  /** The sockets that it listens on, as far as the supervisor can attribute them. */
  listeners: readonly ListeningSocket[] = [];
  /** When its last message came, ms since the epoch. */
  lastSeenAt = Date.now();
  readonly startedAt = Date.now();
  /** Why it died; null: unknown. */
  cause: string | null = null;
  #state: WorkerState = "starting";
  #nextRequest = 1;
  readonly #worker: Worker;
  readonly #events: WorkerEvents;
  readonly #asked = new Map<
    number,
    { resolve: (value: unknown) => void; reject: (error: unknown) => void }
  >();
  readonly #milestones = { prepared: Promise.withResolvers<void>(), ready: Promise.withResolvers<void>() };

  constructor({ start, events, maxHeapMb, entry }: WorkerOptions) {
    this.index = start.worker;
    this.#events = events;
    this.prepared = this.#milestones.prepared.promise;
    this.ready = this.#milestones.ready.promise;
    // These may reject while nobody waits for them.
    this.prepared.catch(() => {});
    this.ready.catch(() => {});
    const resourceLimits = {
      maxOldGenerationSizeMb: oldGenerationMb(maxHeapMb),
      maxYoungGenerationSizeMb: YOUNG_GENERATION_MB,
    };
    const options = maxHeapMb > 0 ? { resourceLimits } : {};
    this.#worker = entry === undefined
      ? new Worker(new URL("../worker/main.ts", import.meta.url), options)
      : new Worker(entry, options);
    this.#worker.on("message", (message: FromWorker) => this.#receive(message));
    this.#worker.on("error", (error: unknown) => {
      this.cause ??= error instanceof Error ? error.message : String(error);
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

  /** Sends a command, and waits for its result. @throws {SluiceError} WORKER_GONE; INTERNAL if the command failed */
  ask<C extends WorkerCommand>(command: C): Promise<CommandResults[C["type"]]> {
    if (this.#state === "dead") return Promise.reject(new SluiceError("WORKER_GONE"));
    const request = this.#nextRequest++;
    return new Promise((resolve, reject) => {
      this.#asked.set(request, { resolve: resolve as (value: unknown) => void, reject });
      this.send({ type: "command", request, command });
    });
  }

  /** Makes the worker accept no more connections, finish its work, and end. */
  drain(): void {
    if (this.#state === "draining" || this.#state === "dead") return;
    this.#enter("draining");
    this.send({ type: "drain" });
  }

  /** Ends the worker at once. @param cause for the log */
  terminate(cause?: string): void {
    this.cause ??= cause ?? null;
    void this.#worker.terminate();
    this.#enter("dead");
  }

  #receive(message: FromWorker): void {
    this.lastSeenAt = Date.now();
    switch (message.type) {
      case "prepared":
      case "ready":
        return this.#enter(message.type);
      case "pong":
        return;
      case "failed":
        return this.#fail(new SluiceError(message.code, message.params, { cause: message.cause }));
      case "drained":
        return this.terminate();
      case "done":
        this.#asked.get(message.request)?.resolve(message.value);
        this.#asked.delete(message.request);
        return;
      case "command_failed": {
        const { request, command, cause } = message;
        this.#events.onFault(this, command, cause);
        this.#asked.get(request)?.reject(new SluiceError("INTERNAL", {}, { cause }));
        this.#asked.delete(request);
        return;
      }
      case "log":
        return this.#events.onLog(message.lines, message.kind);
      case "wants_recycling":
        return this.#events.onWantsRecycling(this, message.reason);
      case "cannot_accept":
        return this.#events.onCannotAccept(this);
      case "listening_again":
        return this.#events.onListeningAgain(this);
      case "ask_all":
        return this.#events.onRequest(this, message);
    }
  }

  /** The worker says that it cannot start. */
  #fail(error: SluiceError): void {
    for (const milestone of Object.values(this.#milestones)) milestone.reject(error);
    this.terminate(error.message);
  }

  #enter(state: WorkerState): void {
    if (!NEXT[this.#state].includes(state)) return;
    this.#state = state;
    if (state === "prepared" || state === "ready") this.#milestones[state].resolve();
    if (state === "dead") {
      const gone = new SluiceError("WORKER_GONE", {}, { cause: this.cause });
      for (const milestone of Object.values(this.#milestones)) milestone.reject(gone);
      for (const { reject } of this.#asked.values()) reject(gone);
      this.#asked.clear();
    }
    this.#events.onState(this, state);
  }
}

/** Gives two workers a channel to each other. */
export function connect(one: WorkerHandle, other: WorkerHandle): void {
  const { port1, port2 } = new MessageChannel();
  one.send({ type: "peer", worker: other.index, port: port1 }, [port1]);
  other.send({ type: "peer", worker: one.index, port: port2 }, [port2]);
}

/** An answer of a worker, waited for no longer than `ms`. @throws {SluiceError} WORKER_GONE */
export async function within<T>(ms: number, answer: Promise<T>): Promise<T> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => late.reject(new SluiceError("WORKER_GONE")), ms);
  try {
    return await Promise.race([answer, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}
