// Keeps one worker alive in each slot and connects the workers. A worker is replaced when it dies, blocks, or is due for recycling.
import { quotaMemory } from "../auth/quotas/quota_counters.ts";
import { sleep, systemClock } from "../base/clock.ts";
import { reasonOf, SluiceError } from "../base/errors.ts";
import type { Config } from "../config/schema.ts";
import type { GatewaySecrets } from "../auth/keys/gateway_secrets.ts";
import type { OwnKeys } from "../auth/keys/own_keys.ts";
import { parseDatabaseUrl } from "../store/database_url.ts";
import type { LineSink, Log } from "../telemetry/log.ts";
import { countersMemory, Metrics } from "../telemetry/metrics.ts";
import type { RecentLog } from "../telemetry/recent_log.ts";
import type { MetricsSnapshot } from "../telemetry/metric_values.ts";
import type { CommandResults, ReportCommand, WorkerCommand } from "../worker/protocol/messages.ts";
import { Heartbeats } from "./heartbeats.ts";
import { openListeningSockets } from "./kernel/listening_sockets.ts";
import { listenersOf, migratesConnections } from "./kernel/kernel.ts";
import { LAST_ARRIVALS_MS, recycle } from "./recycle.ts";
import { registerProcessMetrics } from "./process_metrics.ts";
import { RespawnPolicy } from "./respawn_policy.ts";
import { WalCheckpoints } from "./wal_checkpoints.ts";
import { WorkerMetrics } from "./worker_metrics.ts";
import { connect, within, WorkerHandle, type WorkerRequest, type WorkerState } from "./worker_handle.ts";

export interface SupervisorOptions {
  readonly config: Config;
  readonly secrets: GatewaySecrets;
  readonly log: Log;
  /** Takes the log lines of the workers. */
  readonly sink: LineSink;
  /** Has them as well. */
  readonly recentLog: RecentLog;
  readonly reports: { readonly [Type in ReportCommand]: () => CommandResults[Type] };
  /** Another entry module for the workers; tests inject faults with it. */
  readonly workerEntry?: URL;
}

/** Busy clients have reconnected within this. An idle client rarely sends just when its connection is closed. */
const LEAVE_MS = 4_000;

const STANDSTILL_LOOK_MS = 1_000;
const ANSWER_WITHIN_MS = 10_000;

/** A worker's place. The worker in it owns the sessions whose ids name the slot. */
interface Slot {
  readonly index: number;
  readonly policy: RespawnPolicy;
  worker: WorkerHandle;
}

export class Supervisor {
  /** Resolves with the reason when no worker is left and none will be started. */
  readonly failed: Promise<SluiceError>;
  #options: SupervisorOptions;
  readonly #slots: Slot[] = [];
  /** All workers that have not died, including those whose successor has taken the slot. */
  readonly #alive = new Set<WorkerHandle>();
  readonly #timers = new Set<ReturnType<typeof setTimeout>>();
  readonly #replicaSeed = crypto.randomUUID();
  readonly #quotaMemory: SharedArrayBuffer;
  /** null: this system does not let us see them. */
  readonly sockets: ReturnType<typeof openListeningSockets>;
  #heartbeats: Heartbeats | undefined;
  /** null: the database is not a file. */
  readonly #checkpoints: WalCheckpoints | null;
  /** Workers start to listen one after the other, so that each listening socket can be attributed to its worker. */
  #listening: Promise<void> = Promise.resolve();
  readonly #toRecycle = new Set<WorkerHandle>();
  /** Workers are recycled one at a time: there is never more than one extra worker. */
  #recycling: Promise<void> = Promise.resolve();
  #stopping = false;
  /** Until every worker has listened once, the death of one fails the start and is reported there. */
  #hasStarted = false;
  /** Counts the commands of `askOne()`, to spread them over the workers. */
  #turn = 0;
  #makeRoom: () => void = () => {};
  #cutUnclaimed: () => Promise<void> | undefined = () => undefined;
  #standstillTimer: ReturnType<typeof setInterval> | undefined;
  #onAllDead: () => void = () => {};
  readonly #fail: (error: SluiceError) => void;
  /** The metrics of the main thread. */
  readonly metrics = new Metrics();
  readonly #workerMetrics: WorkerMetrics<WorkerHandle>;
  readonly #count = this.metrics.counter("sluice_workers_ended_total");

  constructor(options: SupervisorOptions) {
    this.#options = options;
    this.#workerMetrics = new WorkerMetrics(options.config.metricsMaxNames);
    this.#quotaMemory = quotaMemory(options.config.quotaMaxCounters);
    this.sockets = openListeningSockets(options.config.port);
    const { log, config: { databaseUrl } } = options;
    const database = parseDatabaseUrl(databaseUrl);
    this.#checkpoints = database.kind === "sqlite"
      ? new WalCheckpoints({ path: database.path, clock: systemClock, log })
      : null;
    const { promise, resolve } = Promise.withResolvers<SluiceError>();
    this.failed = promise;
    this.#fail = resolve;
    const ready = () => [...this.#alive].filter(({ state }) => state === "ready").length;
    this.metrics.gauge("sluice_workers_ready", ready);
    this.metrics.gauge("sluice_log_buffer_bytes", () => options.recentLog.bytes);
    registerProcessMetrics(this.metrics);
  }

  /** Resolves when every worker listens. @throws {SluiceError} why one of them cannot start */
  async start(): Promise<void> {
    const { workers, respawnFailed, workerTimeoutMs } = this.#options.config;
    for (let index = 0; index < workers; index++) {
      const policy = new RespawnPolicy(systemClock, respawnFailed);
      this.#slots.push({ index, policy, worker: this.#make(index, { isSuccessor: false }) });
    }
    for (const { worker } of this.#slots) this.#introduce(worker);
    try {
      await Promise.all(this.#slots.map(({ worker }) => worker.prepared));
      await Promise.all(this.#slots.map(({ worker }) => this.#listen(worker)));
    } catch (error) {
      this.#stopping = true;
      for (const worker of this.#alive) worker.terminate();
      throw error;
    }
    this.#hasStarted = true;
    this.#checkpoints?.start();
    for (const slot of this.#slots) if (!this.#alive.has(slot.worker)) this.#replaceDead(slot);
    this.#heartbeats = new Heartbeats({
      clock: systemClock,
      timeoutMs: workerTimeoutMs,
      workers: () => [...this.#alive].filter(({ state }) => state === "ready"),
      onStill: (worker, silentMs) => this.#giveUp(worker, silentMs),
    });
  }

  /** Drains every worker. Work that is not done within GRACEFUL_TIMEOUT is cut off. */
  async stop(): Promise<void> {
    if (this.#stopping) return;
    this.#stopping = true;
    this.#heartbeats?.stop();
    this.#checkpoints?.stop();
    clearInterval(this.#standstillTimer);
    for (const timer of this.#timers) clearTimeout(timer);
    const { config: { gracefulTimeoutMs }, log } = this.#options;
    const allDead = new Promise<void>((resolve) => this.#onAllDead = resolve);
    await this.#makeWayForSuccessor();
    for (const worker of this.#alive) worker.drain();
    const timer = setTimeout(() => {
      log.warning("grace period is over, ending workers", { gracefulTimeoutMs });
      for (const worker of [...this.#alive]) worker.terminate();
    }, gracefulTimeoutMs);
    if (this.#alive.size === 0) this.#onAllDead();
    await allDead;
    clearTimeout(timer);
  }

  /** Asks every worker. The result of a worker that dies or is blocked is missing; a blocked worker reads the command when it wakes. */
  async askAll<C extends WorkerCommand>(command: C): Promise<readonly CommandResults[C["type"]][]> {
    const asked = [...this.#alive].map((worker) => within(ANSWER_WITHIN_MS, worker.ask(command)));
    const answers = await Promise.allSettled(asked);
    if (command.type === "read_catalog") this.#checkpoints?.changed();
    return answers.flatMap((answer) => answer.status === "fulfilled" ? [answer.value] : []);
  }

  /** Asks one serving worker, each time another. @returns null if there is none, or if it does not answer */
  async askOne<C extends WorkerCommand>(command: C): Promise<CommandResults[C["type"]] | null> {
    const serving = [...this.#alive].filter(({ state }) => state === "ready");
    if (serving.length === 0) return null;
    const worker = serving[this.#turn++ % serving.length]!;
    return await within(ANSWER_WITHIN_MS, worker.ask(command)).catch(() => null);
  }

  /**
   * Replaces every worker, one after the other, without losing a request.
   * @param leaveMs how long the clients of an old worker have to reconnect
   */
  async recycleAll(reason: string, leaveMs = LEAVE_MS): Promise<void> {
    await Promise.all(this.#slots.map(({ worker }) => this.#recycle(worker, reason, leaveMs)));
  }

  /** @param cutUnclaimed closes the connections that no worker claims; runs repeatedly once a worker is blocked */
  onStandstill(cutUnclaimed: () => Promise<void> | undefined): void {
    this.#cutUnclaimed = cutUnclaimed;
  }

  /** @param makeRoom closes connections; runs when a worker cannot accept another */
  onCannotAccept(makeRoom: () => void): void {
    this.#makeRoom = makeRoom;
  }

  /** Gives the workers new settings and keys of tokens. Their number and their address stay. */
  async reconfigure(config: Config, tokenKeys: OwnKeys): Promise<void> {
    const { secrets } = this.#options;
    this.#options = { ...this.#options, config, secrets: { ...secrets, tokenKeys } };
    await this.recycleAll("settings or keys were reloaded");
  }

  /** Another process that listens on our port takes over. Connections that are being opened must not get lost between the two. */
  async #makeWayForSuccessor(): Promise<void> {
    const sockets = this.sockets;
    const own = sockets?.list() ?? [];
    if (sockets === null || listenersOf(this.#options.config.port) <= own.length) return;
    this.#options.log.info("another process serves the port, leaving it to that");
    await this.askAll({ type: "retire" });
    await sleep(systemClock, LEAVE_MS);
    if (migratesConnections()) return;
    const { gracefulTimeoutMs } = this.#options.config;
    const ended = [...this.#alive].map((worker) =>
      within(gracefulTimeoutMs, worker.ask({ type: "end_channels" }))
    );
    await Promise.allSettled(ended);
    sockets.ignoreNewConnections(own);
    await sleep(systemClock, LAST_ARRIVALS_MS);
  }

  #make(index: number, { isSuccessor }: { isSuccessor: boolean }): WorkerHandle {
    const { config, secrets, sink, workerEntry } = this.#options;
    const counters = countersMemory(config.metricsMaxNames);
    const handle = new WorkerHandle({
      start: {
        type: "start",
        worker: index,
        isSuccessor,
        workerCount: config.workers,
        replicaSeed: this.#replicaSeed,
        quotaMemory: this.#quotaMemory,
        counters,
        config,
        secrets,
      },
      maxHeapMb: config.workerMaxHeapMb,
      entry: workerEntry,
      events: {
        onState: (worker, state) => this.#onState(worker, state),
        onRequest: (worker, { request, command }) =>
          void this.#resultsOf(command).then((values) => worker.send({ type: "results", request, values })),
        onCannotAccept: () => this.#makeRoom(),
        onListeningAgain: (worker) => this.#findListeners(worker),
        onLog: (lines, kind) => sink.write(lines, kind),
        onFault: ({ index }, command, reason) =>
          this.#options.log.error("worker command failed", { worker: index, command, reason }),
        onWantsRecycling: (worker, reason) => void this.#recycle(worker, reason),
      },
    });
    this.#alive.add(handle);
    this.#workerMetrics.begin(handle, counters);
    return handle;
  }

  /**
   * Ends a worker whose event loop is blocked. A thread that is blocked in a system call outlives `terminate()`, together with its
   * listening socket and connections. The supervisor closes them, so that no client waits for that thread.
   */
  #giveUp(worker: WorkerHandle, silentMs: number): void {
    this.#count("stood_still");
    this.sockets?.close(worker.listeners);
    this.#standstillTimer ??= setInterval(() => {
      Promise.resolve(this.#cutUnclaimed()).catch(() => {});
    }, STANDSTILL_LOOK_MS);
    worker.terminate(`its event loop has not answered for ${silentMs} ms (WORKER_TIMEOUT)`);
  }

  /** Connects a worker to those of the other slots and to its predecessor. */
  #introduce(worker: WorkerHandle): void {
    const others = [...this.#alive].filter((peer) => peer !== worker);
    // Its predecessor first: requests of the others may have to be passed on to it from then on.
    others.sort((a, b) => Number(b.index === worker.index) - Number(a.index === worker.index));
    for (const peer of others) connect(worker, peer);
  }

  #listen(worker: WorkerHandle): Promise<void> {
    const listening = this.#listening.then(async () => {
      const before = new Set(this.sockets?.list().map(({ cookie }) => cookie));
      worker.send({ type: "listen" });
      await worker.ready;
      worker.listeners = this.sockets?.list().filter(({ cookie }) => !before.has(cookie)) ?? [];
    });
    this.#listening = listening.catch(() => {});
    return listening;
  }

  /** The listening sockets that belong to no other worker. */
  #findListeners(worker: WorkerHandle): void {
    const others = [...this.#alive].filter((other) => other !== worker).flatMap(({ listeners }) => listeners);
    const known = new Set(others.map(({ cookie }) => cookie));
    worker.listeners = this.sockets?.list().filter(({ cookie }) => !known.has(cookie)) ?? [];
  }

  #onState(worker: WorkerHandle, state: WorkerState): void {
    this.#options.log.debug("worker state", { worker: worker.index, state });
    if (state !== "dead") return;
    this.#alive.delete(worker);
    this.#workerMetrics.end(worker);
    const slot = this.#slots[worker.index];
    if (slot?.worker === worker) {
      for (const peer of this.#alive) peer.send({ type: "peer_gone", worker: worker.index });
      if (!this.#stopping && this.#hasStarted) this.#replaceDead(slot);
    } else {
      for (const peer of this.#alive) peer.send({ type: "former_peer_gone", worker: worker.index });
    }
    if (this.#stopping && this.#alive.size === 0) this.#onAllDead();
  }

  #replaceDead(slot: Slot): void {
    const { log } = this.#options;
    const { index, worker: { cause } } = slot;
    const respawn = slot.policy.died();
    this.#count("died");
    log.error("worker died", { worker: index, cause, respawn });
    if (respawn.kind === "after") {
      this.#later(respawn.delayMs, () => void this.#respawn(slot));
    } else if (respawn.kind === "crash_loop" || this.#alive.size === 0) {
      this.#fail(new SluiceError("WORKERS_KEEP_DYING", { worker: index, cause: cause ?? "no reason given" }));
    }
  }

  /** Runs `run` later, unless the gateway stops before. */
  #later(ms: number, run: () => void): void {
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      run();
    }, ms);
    this.#timers.add(timer);
  }

  async #respawn(slot: Slot): Promise<void> {
    slot.worker = this.#make(slot.index, { isSuccessor: false });
    this.#introduce(slot.worker);
    try {
      await slot.worker.prepared;
      await this.#listen(slot.worker);
    } catch {
      // The worker has died. `#onState()` deals with deaths.
    }
  }

  #recycle(worker: WorkerHandle, reason: string, leaveMs = LEAVE_MS): Promise<void> {
    const slot = this.#slots[worker.index]!;
    if (this.#toRecycle.has(worker) || slot.worker !== worker || this.#stopping) return Promise.resolve();
    this.#toRecycle.add(worker);
    const { log } = this.#options;
    const done = this.#recycling.then(async () => {
      if (this.#stopping || worker.state !== "ready") return;
      log.info("recycling worker", { worker: slot.index, reason });
      await recycle(worker, {
        clock: systemClock,
        makeSuccessor: () => this.#make(slot.index, { isSuccessor: true }),
        introduce: (successor) => {
          slot.worker = successor;
          this.#introduce(successor);
        },
        listen: (successor) => this.#listen(successor),
        leaveMs,
        sockets: this.sockets,
        migratesConnections: migratesConnections(),
      });
      this.#count("recycled");
      log.info("worker recycled", { worker: slot.index });
    }).catch((error) => {
      log.error("worker not recycled", { worker: slot.index, reason: reasonOf(error) });
    }).finally(() => this.#toRecycle.delete(worker));
    this.#recycling = done;
    return done;
  }

  async #resultsOf(command: WorkerRequest["command"]): Promise<readonly unknown[]> {
    switch (command.type) {
      case "metrics":
        return await this.#readMetrics();
      case "find_lines":
        return [this.#options.recentLog.find(command.query)];
      case "workers":
        return [[...this.#alive].map(({ index, state, startedAt }) => ({ worker: index, state, startedAt }))];
      case "settings":
      case "checkup":
      case "examine":
      case "start_up":
        return [this.#options.reports[command.type]()];
      case "execution_batch":
        return [this.#workerMetrics.executions()];
      case "executions_written":
        return [this.#workerMetrics.executionsWritten(command.sequence)];
      default:
        return await this.askAll(command);
    }
  }

  /** A consistent reading: a worker that ends while others are asked is counted once. */
  async #readMetrics(): Promise<MetricsSnapshot[]> {
    const asked = [...this.#alive].map(async (worker) => {
      const { metrics } = await within(ANSWER_WITHIN_MS, worker.ask({ type: "report" }));
      return { worker, metrics };
    });
    const answers = (await Promise.allSettled(asked)).flatMap((answer) =>
      answer.status === "fulfilled" ? [answer.value] : []
    );
    const alive = answers.filter(({ worker }) => this.#alive.has(worker));
    return [
      this.metrics.snapshot(),
      ...this.#workerMetrics.snapshots(alive.map(({ metrics }) => metrics)),
    ];
  }
}
