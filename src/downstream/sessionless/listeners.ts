// Open `subscriptions/listen` requests (2026-07-28, "Subscriptions"). Each sends its client the notifications that it asked for.
import type { Principal } from "../../auth/principal.ts";
import type { ClientMemory } from "../../base/sharing/client_memory.ts";
import { SluiceError } from "../../base/errors.ts";
import type { Catalog } from "../../catalog/snapshot/catalog.ts";
import { reachedScope } from "../../catalog/snapshot/reach.ts";
import {
  isObject,
  type JsonObject,
  memberText,
  notificationText,
  replaceMember,
  resultText,
} from "../../mcp/json_rpc.ts";
import { META } from "../../mcp/revisions.ts";
import type { TokenExpiry } from "../exchange/token_expiry.ts";
import { LIST_CHANGED, type ListChangedMethod, type ListListener } from "../client/list_changes.ts";
import type { Watching } from "./upstream_subscriptions.ts";

/** The filter of a listen request; kinds that the client did not ask for are absent. */
export interface ListenFilter {
  readonly toolsListChanged?: true;
  readonly promptsListChanged?: true;
  readonly resourcesListChanged?: true;
  readonly resourceSubscriptions?: readonly string[];
  /** Of the tasks extension ("Task Status Notifications"). */
  readonly taskIds?: readonly string[];
}

/** Where a listener sends its messages: its own event stream, or the client's duplex channel. */
export interface ListenStream {
  send(message: string): void;
  /** Called after the gateway has ended the listener and sent its result. */
  close(): void;
  keepalive(): void;
}

/** Limits of one listen request. Each resource and task is looked up, and kept as long as the request. */
const MAX_LISTENED = 1_000;
const MAX_LISTENED_CHARS = 128 * 1024;

/**
 * Reads the filter of a listen request. Unknown parts are not honoured; the acknowledgement lists the honoured ones.
 * @throws {SluiceError} INVALID_PARAMS for more resources and tasks than one request may name
 */
export function readFilter(params: unknown): ListenFilter {
  const wanted: JsonObject = isObject(params) && isObject(params.notifications) ? params.notifications : {};
  const uris = stringsIn(wanted.resourceSubscriptions);
  const taskIds = stringsIn(wanted.taskIds);
  const named = [...uris, ...taskIds];
  const chars = named.reduce((sum, { length }) => sum + length, 0);
  if (named.length > MAX_LISTENED || chars > MAX_LISTENED_CHARS) {
    throw new SluiceError("INVALID_PARAMS", {
      reason: `a request listens to at most ${MAX_LISTENED} resources and tasks, which have at most ` +
        `${MAX_LISTENED_CHARS} characters together`,
    });
  }
  return {
    ...(wanted.toolsListChanged === true ? { toolsListChanged: true } : {}),
    ...(wanted.promptsListChanged === true ? { promptsListChanged: true } : {}),
    ...(wanted.resourcesListChanged === true ? { resourcesListChanged: true } : {}),
    ...(uris.length > 0 ? { resourceSubscriptions: uris } : {}),
    ...(taskIds.length > 0 ? { taskIds } : {}),
  };
}

function stringsIn(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((item) => typeof item === "string") : [];
}

/** Does the filter name task ids? */
export function wantsTasks(params: unknown): boolean {
  return isObject(params) && isObject(params.notifications) && params.notifications.taskIds !== undefined;
}

export interface ListenerOptions {
  /** The id of the listen request, as JSON text. */
  readonly id: string;
  /** The virtual server whose lists are listened to; null: everything. */
  readonly serverId: string | null;
  readonly principal: Principal;
  readonly filter: ListenFilter;
  readonly stream: ListenStream;
  /** The version of the catalog that is served now. A client lists once it listens. */
  readonly since: string;
}

/** One open `subscriptions/listen`. */
export class Listener implements ListListener {
  readonly serverId: string | null;
  readonly principal: Principal;
  readonly since: string;
  /** The subscriptions at upstreams. */
  watching: Watching | null = null;
  /** Resolves when the client has disconnected or the gateway has ended the listener. Nothing is sent afterwards. */
  readonly ended: Promise<void>;
  readonly #id: string;
  readonly #methods: ReadonlySet<string>;
  readonly #stream: ListenStream;
  readonly #resolve: () => void;
  #isOpen = true;

  /** Sends the acknowledgement of the honoured filter. @param onEnd called once */
  constructor({ id, serverId, principal, filter, stream, since }: ListenerOptions, onEnd: () => void) {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.serverId = serverId;
    this.principal = principal;
    this.since = since;
    this.ended = promise;
    this.#id = id;
    this.#methods = methodsOf(filter);
    this.#stream = stream;
    this.#resolve = () => (onEnd(), resolve());
    const params = JSON.stringify({ notifications: filter });
    this.notify(notificationText("notifications/subscriptions/acknowledged", params));
  }

  hears(method: ListChangedMethod): boolean {
    return this.#methods.has(method);
  }

  /** Sends a notification (JSON text) with the listener's id. */
  notify(text: string): void {
    if (this.#isOpen) this.#stream.send(tagged(text, this.#id));
  }

  keepalive(): void {
    this.#stream.keepalive();
  }

  /** The client has ended the request. */
  leave(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#resolve();
  }

  /** The gateway ends the listener, so that the client can open another ("Graceful Closure"). */
  end(): void {
    if (!this.#isOpen) return;
    const meta = JSON.stringify(META.subscriptionId);
    this.#stream.send(resultText(this.#id, `{"resultType":"complete","_meta":{${meta}:${this.#id}}}`));
    this.leave();
    this.#stream.close();
  }
}

/** What a listener takes besides its filter, estimated. */
const BASE_CHARS = 1_000;

export class Listeners {
  readonly #expiry: TokenExpiry;
  readonly #memory: ClientMemory;
  readonly #open = new Set<Listener>();

  constructor(expiry: TokenExpiry, memory: ClientMemory) {
    this.#expiry = expiry;
    this.#memory = memory;
  }

  get size(): number {
    return this.#open.size;
  }

  /** Opens a listener. It ends when the token expires. @throws {SluiceError} CLIENT_MEMORY_FULL */
  open(options: ListenerOptions): Listener {
    const kept = this.#memory.hold(options.principal, { end: () => listener.end() });
    if (!kept.tryGrow(BASE_CHARS + JSON.stringify(options.filter).length)) {
      kept.close();
      throw new SluiceError("CLIENT_MEMORY_FULL");
    }
    const listener: Listener = new Listener(options, () => {
      unwatch();
      kept.close();
      this.#open.delete(listener);
    });
    const unwatch = this.#expiry.watch(options.principal, () => listener.end());
    this.#open.add(listener);
    return listener;
  }

  [Symbol.iterator](): Iterator<Listener> {
    return this.#open[Symbol.iterator]();
  }

  /** Applies a new catalog: ends listeners whose endpoint is gone, and subscriptions that their callers may not have any more. */
  review(catalog: Catalog): void {
    for (const listener of [...this.#open]) {
      if (reachedScope(catalog, listener) === null) listener.end();
      else listener.watching?.review(catalog);
    }
  }

  keepAlive(): void {
    for (const listener of this.#open) listener.keepalive();
  }

  /** Ends all listeners. */
  end(): void {
    for (const listener of [...this.#open]) listener.end();
  }

  /** Ends the listeners of these callers. */
  endOf(hasLapsed: (principal: Principal) => boolean): void {
    for (const listener of [...this.#open]) if (hasLapsed(listener.principal)) listener.end();
  }
}

function methodsOf(filter: ListenFilter): ReadonlySet<string> {
  const methods = new Set<string>();
  if (filter.toolsListChanged) methods.add(LIST_CHANGED.tools);
  if (filter.promptsListChanged) methods.add(LIST_CHANGED.prompts);
  if (filter.resourcesListChanged) methods.add(LIST_CHANGED.resources);
  return methods;
}

/** Adds the id of the listen request to the notification's `_meta`. */
function tagged(text: string, id: string): string {
  const params = memberText(text, "params") ?? "{}";
  const meta = memberText(params, "_meta") ?? "{}";
  const withId = replaceMember(meta, META.subscriptionId, id);
  return replaceMember(text, "params", replaceMember(params, "_meta", withId));
}
