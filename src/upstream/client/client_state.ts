// What a downstream session is to its upstreams. It outlives the upstream sessions: each that is opened anew is told again.
import { BoundedMap } from "../../base/bounded_map.ts";
import { SluiceError } from "../../base/errors.ts";
import { WorkerLocalState } from "./worker_local_state.ts";
import type { ClientPeer } from "./client_peer.ts";

/** Keeps the tasks of one upstream, and those that the client runs for it, from all others. */
export interface TaskBoundary {
  /** The client as this upstream may know it. */
  peerFor(upstreamId: string, peer: ClientPeer): ClientPeer;
  /** Who a notification of the client's about a task is for; null: nobody; undefined: it is about none. */
  addressee(notification: string): { readonly upstreamId: string; readonly text: string } | null | undefined;
}

/** What a client has asked for, as plain data. */
export interface ClientPreferences {
  /** As of `logging/setLevel`. */
  readonly logLevel: string | null;
  /** The URIs of `resources/subscribe`, by upstream id. */
  readonly subscriptions: Readonly<Record<string, readonly string[]>>;
  /** Whom the client runs tasks for: upstream ids, by the client's task id. */
  readonly tasks?: Readonly<Record<string, string>>;
  /** It has listened to what belongs to no call, and will again. */
  readonly listens?: true;
}

export interface ClientStateOptions {
  /** As the client declared them, JSON text. */
  readonly capabilities?: string;
  /** Takes what upstreams send outside any call. */
  readonly peer?: ClientPeer;
  readonly tasks?: (client: ClientState) => TaskBoundary;
  readonly preferences?: ClientPreferences;
  /** Upstreams that kept something for the client on a worker that is gone, by id. */
  readonly workerLocalBefore?: readonly string[];
  /** A wish or an attachment has changed: keep it. One after the other, so that the last to be kept is the latest. */
  readonly onChange?: () => Promise<void>;
}

/** A client that subscribes to more than this at one upstream is refused: it cannot fill our memory. */
const MAX_SUBSCRIPTIONS = 1_000;

/** Of more tasks that a client runs for upstreams the oldest is forgotten: its upstream is told that there is no such task. */
const MAX_CLIENT_TASKS = 1_000;

export class ClientState {
  readonly capabilities: string;
  readonly peer: ClientPeer | undefined;
  readonly tasks: TaskBoundary | undefined;
  readonly workerLocal: WorkerLocalState;
  /** A wrong yes costs no more than the care for tasks that never come. */
  readonly mayRunTasks: boolean;
  /** Does the client take messages that belong to no call? Then its upstream sessions listen for such. */
  listening = false;
  #hasListened: boolean;
  #logLevel: string | null;
  readonly #subscriptions: Map<string, Set<string>>;
  readonly #taskOwners = new BoundedMap<string, string>({ maxEntries: MAX_CLIENT_TASKS });
  readonly #onChange: () => Promise<void>;
  #keeping: Promise<void> = Promise.resolve();

  constructor(
    { capabilities = "{}", peer, tasks, preferences, workerLocalBefore, onChange = () => Promise.resolve() }:
      ClientStateOptions = {},
  ) {
    this.capabilities = capabilities;
    this.peer = peer;
    this.tasks = tasks?.(this);
    this.mayRunTasks = capabilities.includes('"tasks"');
    this.#onChange = onChange;
    this.workerLocal = new WorkerLocalState({ before: workerLocalBefore, onChange: () => this.#keep() });
    this.#logLevel = preferences?.logLevel ?? null;
    this.#hasListened = preferences?.listens ?? false;
    this.#subscriptions = new Map(
      Object.entries(preferences?.subscriptions ?? {}).map(([id, uris]) => [id, new Set(uris)]),
    );
    for (const [taskId, owner] of Object.entries(preferences?.tasks ?? {})) {
      this.#taskOwners.set(taskId, owner);
    }
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

  /** Has the client ever listened? Then it wants what it missed between two streams, also where another worker had the first. */
  get hasListened(): boolean {
    return this.#hasListened;
  }

  /** From now on it listens. Resolves when that is kept. */
  async beginListening(): Promise<void> {
    this.listening = true;
    if (this.#hasListened) return;
    this.#hasListened = true;
    await this.#keep();
  }

  async setLogLevel(level: string): Promise<void> {
    this.#logLevel = level;
    await this.#keep();
  }

  /** The client as an upstream may know it. */
  peerFor(upstreamId: string): ClientPeer | undefined {
    return this.peer && (this.tasks?.peerFor(upstreamId, this.peer) ?? this.peer);
  }

  /** The upstream that the client runs a task for. */
  ownerOfTask(taskId: string): string | undefined {
    return this.#taskOwners.get(taskId);
  }

  /** The client has begun a task for an upstream; an id that another upstream has is a new task's from now on. */
  async addTask(taskId: string, upstreamId: string): Promise<void> {
    this.#taskOwners.set(taskId, upstreamId);
    await this.#keep();
  }

  subscriptionsTo(upstreamId: string): ReadonlySet<string> {
    return this.#subscriptions.get(upstreamId) ?? NONE;
  }

  /** @throws {SluiceError} INVALID_REQUEST where there are too many already */
  async subscribe(upstreamId: string, uri: string): Promise<void> {
    const uris = this.#subscriptions.get(upstreamId);
    if (uris === undefined) this.#subscriptions.set(upstreamId, new Set([uri]));
    else if (uris.size < MAX_SUBSCRIPTIONS) uris.add(uri);
    else {
      throw new SluiceError("INVALID_REQUEST", {
        reason: `a session holds at most ${MAX_SUBSCRIPTIONS} subscriptions to one upstream`,
      });
    }
    await this.#keep();
  }

  async unsubscribe(upstreamId: string, uri: string): Promise<void> {
    const uris = this.#subscriptions.get(upstreamId);
    if (uris === undefined || !uris.delete(uri)) return;
    if (uris.size === 0) this.#subscriptions.delete(upstreamId);
    await this.#keep();
  }

  #keep(): Promise<void> {
    return this.#keeping = this.#keeping.catch(() => {}).then(this.#onChange);
  }
}

const NONE: ReadonlySet<string> = new Set();
