// Keeps the workers alive: spawn, connect to each other, respawn with backoff, spread catalog changes, drain.
import { backoffMs } from "../base/backoff.ts";
import { SluiceError } from "../base/errors.ts";
import type { Config } from "../config/schema.ts";
import type { Secrets } from "../store/secrets.ts";
import type { Log } from "../telemetry/log.ts";
import type { Answers, Question } from "../worker/messages.ts";
import { WorkerHandle, type WorkerRequest, type WorkerState } from "./worker_handle.ts";

export interface SupervisorOptions {
  readonly config: Config;
  readonly secrets: Secrets;
  readonly log: Log;
}

const RESPAWN_BACKOFF = { baseMs: 100, maxMs: 10_000 };

/** A worker that lived so long did not die of its start: the next one comes at once. */
const HEALTHY_LIFE_MS = 30_000;

export class Supervisor {
  readonly #options: SupervisorOptions;
  readonly #workers: WorkerHandle[] = [];
  /** Respawns in a row, per worker. */
  readonly #attempts: number[] = [];
  readonly #timers = new Set<ReturnType<typeof setTimeout>>();
  /** Has every worker been ready once? */
  #serving = false;
  #stopping = false;
  #onAllReady: () => void = () => {};
  #onFailed: (error: SluiceError) => void = () => {};
  #onAllDead: () => void = () => {};

  constructor(options: SupervisorOptions) {
    this.#options = options;
  }

  /** Resolves when every worker listens. @throws {SluiceError} why one of them cannot start */
  start(): Promise<void> {
    const started = new Promise<void>((resolve, reject) => {
      this.#onAllReady = resolve;
      this.#onFailed = reject;
    });
    for (let index = 0; index < this.#options.config.workers; index++) this.#spawn(index);
    return started;
  }

  /** Drain every worker; what is not done within GRACEFUL_TIMEOUT is cut off. */
  async stop(): Promise<void> {
    if (this.#stopping) return;
    this.#stopping = true;
    for (const timer of this.#timers) clearTimeout(timer);
    const { config: { gracefulTimeoutMs }, log } = this.#options;
    const allDead = new Promise<void>((resolve) => this.#onAllDead = resolve);
    for (const worker of this.#workers) worker.drain();
    const timer = setTimeout(() => {
      log.warning("grace period is over, ending workers", { gracefulTimeoutMs });
      for (const worker of this.#workers) worker.terminate();
    }, gracefulTimeoutMs);
    this.#noteDeaths();
    await allDead;
    clearTimeout(timer);
  }

  /** Ask every worker. One that dies meanwhile is missing in the answer. */
  async askAll<Q extends Question>(question: Q): Promise<readonly Answers[Q["type"]][]> {
    const answers = await Promise.allSettled(this.#alive().map((worker) => worker.ask(question)));
    return answers.flatMap((answer) =>
      answer.status === "fulfilled" ? [answer.value as Answers[Q["type"]]] : []
    );
  }

  #spawn(index: number): void {
    const { config, secrets } = this.#options;
    const handle = new WorkerHandle(
      { type: "start", worker: index, workerCount: config.workers, config, secrets },
      {
        onState: (worker, state) => this.#onState(worker, state),
        onRequest: (worker, request) => void this.#serve(worker, request),
        onFailed: (worker, error) => this.#onCannotStart(worker, error),
      },
    );
    this.#workers[index] = handle;
    for (const peer of this.#alive()) if (peer !== handle) connect(handle, peer);
  }

  #onState(handle: WorkerHandle, state: WorkerState): void {
    const { log } = this.#options;
    log.debug("worker state", { worker: handle.index, state });
    if (state === "ready" && this.#workers.every((worker) => worker.state === "ready")) {
      this.#serving = true;
      this.#onAllReady();
    }
    if (state !== "dead") return;
    for (const peer of this.#alive()) peer.send({ type: "peer_gone", worker: handle.index });
    if (this.#stopping) return this.#noteDeaths();
    this.#respawn(handle);
  }

  #respawn({ index, startedAt, cause }: WorkerHandle): void {
    const attempt = Date.now() - startedAt > HEALTHY_LIFE_MS ? 0 : (this.#attempts[index] ?? 0);
    this.#attempts[index] = attempt + 1;
    const delayMs = backoffMs(attempt, RESPAWN_BACKOFF);
    this.#options.log.error("worker died, respawning", { worker: index, cause, delayMs });
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      this.#spawn(index);
    }, delayMs);
    this.#timers.add(timer);
  }

  /** On the first start this ends the program; a respawned worker may find the database locked and tries again. */
  #onCannotStart(handle: WorkerHandle, error: SluiceError): void {
    handle.cause = error.message;
    if (!this.#serving) {
      this.#stopping = true;
      this.#onFailed(error);
      for (const worker of this.#workers) worker.terminate();
    } else handle.terminate();
  }

  async #serve(asking: WorkerHandle, { request, question }: WorkerRequest): Promise<void> {
    asking.send({ type: "answers", request, values: await this.askAll(question) });
  }

  #alive(): WorkerHandle[] {
    return this.#workers.filter(({ state }) => state !== "dead");
  }

  #noteDeaths(): void {
    if (this.#alive().length === 0) this.#onAllDead();
  }
}

function connect(one: WorkerHandle, other: WorkerHandle): void {
  const { port1, port2 } = new MessageChannel();
  one.send({ type: "peer", worker: other.index, port: port1 }, [port1]);
  other.send({ type: "peer", worker: one.index, port: port2 }, [port2]);
}

/** Is something listening there already? `reusePort` would share the port with a stranger instead of saying so. */
export function findFreePort(hostname: string, port: number): number {
  try {
    const probe = Deno.listen({ hostname, port });
    const { port: found } = probe.addr as Deno.NetAddr;
    probe.close();
    return found;
  } catch (cause) {
    const reason = cause instanceof Deno.errors.AddrInUse
      ? "another program listens there; choose another PORT, or end it"
      : cause instanceof Error
      ? cause.message
      : String(cause);
    throw new SluiceError("CANNOT_LISTEN", { hostname, port, reason }, { cause });
  }
}
