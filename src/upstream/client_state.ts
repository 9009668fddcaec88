// What a downstream session is to its upstreams. It outlives the upstream sessions: each that is opened anew is told again.
import { SluiceError } from "../base/errors.ts";
import type { ClientPeer } from "./client_peer.ts";

/** What a client has asked for, as plain data. */
export interface ClientWishes {
  /** As of `logging/setLevel`. */
  readonly logLevel: string | null;
  /** The URIs of `resources/subscribe`, by upstream id. */
  readonly subscriptions: Readonly<Record<string, readonly string[]>>;
}

export interface ClientStateOptions {
  /** As the client declared them, JSON text. */
  readonly capabilities?: string;
  /** Takes what upstreams send outside any call. */
  readonly peer?: ClientPeer;
  readonly wishes?: ClientWishes;
  /** A wish has changed: keep it. */
  readonly onChange?: () => Promise<void>;
}

/** A client that subscribes to more than this at one upstream is refused: it cannot fill our memory. */
const MAX_SUBSCRIPTIONS = 1_000;

export class ClientState {
  readonly capabilities: string;
  readonly peer: ClientPeer | undefined;
  /** Does the client take messages that belong to no call? Then its upstream sessions listen for such. */
  listening = false;
  #logLevel: string | null;
  readonly #subscriptions: Map<string, Set<string>>;
  readonly #onChange: () => Promise<void>;

  constructor(
    { capabilities = "{}", peer, wishes, onChange = () => Promise.resolve() }: ClientStateOptions = {},
  ) {
    this.capabilities = capabilities;
    this.peer = peer;
    this.#onChange = onChange;
    this.#logLevel = wishes?.logLevel ?? null;
    this.#subscriptions = new Map(
      Object.entries(wishes?.subscriptions ?? {}).map(([id, uris]) => [id, new Set(uris)]),
    );
  }

  get logLevel(): string | null {
    return this.#logLevel;
  }

  get wishes(): ClientWishes {
    const subscriptions = Object.fromEntries(
      [...this.#subscriptions].map(([id, uris]) => [id, [...uris]]),
    );
    return { logLevel: this.#logLevel, subscriptions };
  }

  async setLogLevel(level: string): Promise<void> {
    this.#logLevel = level;
    await this.#onChange();
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
    await this.#onChange();
  }

  async unsubscribe(upstreamId: string, uri: string): Promise<void> {
    const uris = this.#subscriptions.get(upstreamId);
    if (uris === undefined || !uris.delete(uri)) return;
    if (uris.size === 0) this.#subscriptions.delete(upstreamId);
    await this.#onChange();
  }
}

const NONE: ReadonlySet<string> = new Set();
