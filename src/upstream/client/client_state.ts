// Room `client`: the client as upstreams see it, and which of its headers they receive.
// This file holds the client's preferences and declared capabilities. They outlive upstream sessions: each new session
// receives them again.
import { BoundedMap } from "../../base/bounded_map.ts";
import type { Caller } from "../../base/sharing/caller.ts";
import type { Holding } from "../../base/sharing/client_memory.ts";
import { SluiceError } from "../../base/errors.ts";
import { WorkerLocalState } from "./worker_local_state.ts";
import type { ClientPeer } from "./client_peer.ts";

/** Separates tasks by upstream: an upstream sees only its own tasks, and the client's tasks that run for it. */
export interface TaskBoundary {
  /** Returns the client as this upstream may see it. */
  peerFor(upstreamId: string, peer: ClientPeer): ClientPeer;
  /** Finds the upstream for a client's task notification. Null: no upstream. Undefined: the notification is about no task. */
  addressee(notification: string): { readonly upstreamId: string; readonly text: string } | null | undefined;
}

/** The client's log level, subscriptions and tasks, as plain data. */
export interface ClientPreferences {
  /** Set by `logging/setLevel`. */
  readonly logLevel: string | null;
  /** The URIs of `resources/subscribe`, by upstream id. */
  readonly subscriptions: Readonly<Record<string, readonly string[]>>;
  /** The upstream id for each task that the client runs, by the client's task id. */
  readonly tasks?: Readonly<Record<string, string>>;
  /** The client has listened for messages outside calls before, and is expected to again. */
  readonly listens?: true;
}

export interface ClientStateOptions {
  /** The capabilities that the client declared, as JSON text. */
  readonly capabilities?: string;
  /** Receives what upstreams send outside any call. */
  readonly peer?: ClientPeer;
  /** A caller without a session, who is asked during its calls only; or everybody, who is never asked. */
  readonly standsFor?: "caller" | "everybody";
  readonly tasks?: (client: ClientState) => TaskBoundary;
  readonly preferences?: ClientPreferences;
  /** Ids of upstreams that held state for the client in a worker that has ended. */
  readonly workerLocalBefore?: readonly string[];
  /** Whom sessions that are opened between the client's calls count for. Default: nobody in particular. */
  readonly caller?: () => Caller | undefined;
  /** Counts what the client makes this keep. Closed with the state. */
  readonly memory?: Holding;
  /** Persists the state after a change. Resolves when the state of now is persisted. */
  readonly onChange?: () => Promise<void>;
}

/** Limit per client and upstream; bounds memory. A further subscription is refused. */
const MAX_SUBSCRIPTIONS = 1_000;

/** Limit for the URIs of all subscriptions of a client together, since a single URI can be as long as a request. */
const MAX_SUBSCRIPTION_CHARS = 128 * 1024;

/** Limits of client tasks per session. The oldest is forgotten; its upstream then receives "no such task". */
const MAX_CLIENT_TASKS = 1_000;
const MAX_CLIENT_TASK_CHARS = 128 * 1024;

export class ClientState {
  readonly capabilities: string;
  readonly peer: ClientPeer | undefined;
  readonly tasks: TaskBoundary | undefined;
  readonly workerLocal: WorkerLocalState;
  /** A false positive only costs checks for tasks that never come. */
  readonly mayRunTasks: boolean;
  readonly standsFor: ClientStateOptions["standsFor"];
  readonly caller: () => Caller | undefined;
  /** Whether the client takes messages outside calls. Its upstream sessions then open a GET stream. */
  listening = false;
  #hasListened: boolean;
  #logLevel: string | null;
  readonly #subscriptions: Map<string, Set<string>>;
  #subscriptionChars = 0;
  readonly #taskOwners = new BoundedMap<string, string>({
    maxEntries: MAX_CLIENT_TASKS,
    maxWeight: MAX_CLIENT_TASK_CHARS,
    weightOf: (taskId, upstreamId) => taskId.length + upstreamId.length,
  });
  readonly #memory: Holding | undefined;
  readonly #onChange: () => Promise<void>;

  constructor(options: ClientStateOptions = {}) {
    const { capabilities = "{}", peer, tasks, preferences, workerLocalBefore } = options;
    const { standsFor, memory, onChange = () => Promise.resolve(), caller = () => undefined } = options;
    this.caller = caller;
    this.standsFor = standsFor;
    this.capabilities = capabilities;
    this.peer = peer;
    this.tasks = tasks?.(this);
    this.mayRunTasks = capabilities.includes('"tasks"');
    this.#onChange = onChange;
    this.#memory = memory;
    this.workerLocal = new WorkerLocalState({ before: workerLocalBefore, onChange });
    this.#logLevel = preferences?.logLevel ?? null;
    this.#hasListened = preferences?.listens ?? false;
    this.#subscriptions = new Map(
      Object.entries(preferences?.subscriptions ?? {}).map(([id, uris]) => [id, new Set(uris)]),
    );
    for (const uris of this.#subscriptions.values()) {
      for (const uri of uris) this.#subscriptionChars += uri.length;
    }
    for (const [taskId, owner] of Object.entries(preferences?.tasks ?? {})) {
      this.#taskOwners.set(taskId, owner);
    }
    memory?.grow(capabilities.length + this.#subscriptionChars + this.#taskOwners.weight);
  }

  /** The client has ended. */
  end(): void {
    this.#memory?.close();
  }

  get logLevel(): string | null {
    return this.#logLevel;
  }

  get preferences(): ClientPreferences {
    const subscriptions = Object.fromEntries(
      [...this.#subscriptions].map(([id, uris]) => [id, [...uris]]),
    );
    const tasks = this.#taskOwners.size === 0 ? {} : { tasks: Object.fromEntries(this.#taskOwners) };
    const listens = this.#hasListened ? { listens: true } as const : {};
    return { logLevel: this.#logLevel, subscriptions, ...tasks, ...listens };
  }

  /**
   * Whether the client has ever listened. Such a client receives what it missed between two streams, also in another worker.
   */
  get hasListened(): boolean {
    return this.#hasListened;
  }

  /** Records that the client listens. Resolves when the record is persisted. */
  async beginListening(): Promise<void> {
    this.listening = true;
    if (this.#hasListened) return;
    this.#hasListened = true;
    await this.#onChange();
  }

  async setLogLevel(level: string): Promise<void> {
    this.#logLevel = level;
    await this.#onChange();
  }

  /** Returns the client as this upstream may see it. */
  peerFor(upstreamId: string): ClientPeer | undefined {
    const peer = this.peer?.from?.(upstreamId) ?? this.peer;
    return peer && (this.tasks?.peerFor(upstreamId, peer) ?? peer);
  }

  /** Returns the upstream that the client runs a task for. */
  ownerOfTask(taskId: string): string | undefined {
    return this.#taskOwners.get(taskId);
  }

  /** Records a task that the client runs for an upstream. A reused id belongs to the newer task. */
  async addTask(taskId: string, upstreamId: string): Promise<void> {
    const before = this.#taskOwners.weight;
    this.#taskOwners.set(taskId, upstreamId);
    this.#memory?.grow(this.#taskOwners.weight - before);
    await this.#onChange();
  }

  subscriptionsTo(upstreamId: string): ReadonlySet<string> {
    return this.#subscriptions.get(upstreamId) ?? NONE;
  }

  /** @throws {SluiceError} INVALID_REQUEST, CLIENT_MEMORY_FULL if the client may not have this subscription as well */
  requireRoom(upstreamId: string, uri: string): void {
    const uris = this.subscriptionsTo(upstreamId);
    if (uris.has(uri)) return;
    if (uris.size >= MAX_SUBSCRIPTIONS) {
      throw new SluiceError("INVALID_REQUEST", {
        reason: `a session holds at most ${MAX_SUBSCRIPTIONS} subscriptions to one upstream`,
      });
    }
    if (this.#subscriptionChars + uri.length > MAX_SUBSCRIPTION_CHARS) {
      throw new SluiceError("INVALID_REQUEST", {
        reason:
          `the URIs of a session's subscriptions have at most ${MAX_SUBSCRIPTION_CHARS} characters together`,
      });
    }
    if (this.#memory?.mayGrow(uri.length) === false) throw new SluiceError("CLIENT_MEMORY_FULL");
  }

  /** @throws {SluiceError} like `requireRoom` */
  async subscribe(upstreamId: string, uri: string): Promise<void> {
    this.requireRoom(upstreamId, uri);
    let uris = this.#subscriptions.get(upstreamId);
    if (uris === undefined) this.#subscriptions.set(upstreamId, uris = new Set());
    if (!uris.has(uri)) {
      uris.add(uri);
      this.#subscriptionChars += uri.length;
      this.#memory?.grow(uri.length);
    }
    await this.#onChange();
  }

  async unsubscribe(upstreamId: string, uri: string): Promise<void> {
    const uris = this.#subscriptions.get(upstreamId);
    if (uris === undefined || !uris.delete(uri)) return;
    this.#subscriptionChars -= uri.length;
    this.#memory?.grow(-uri.length);
    if (uris.size === 0) this.#subscriptions.delete(upstreamId);
    await this.#onChange();
  }
}

const NONE: ReadonlySet<string> = new Set();
