// Open `subscriptions/listen` requests (2026-07-28, "Subscriptions"): each tells its client what it has asked to hear of.
import type { Catalog } from "../../catalog/snapshot/catalog.ts";
import {
  isObject,
  type JsonObject,
  memberText,
  notificationText,
  replaceMember,
  resultText,
} from "../../mcp/json_rpc.ts";
import { META } from "../../mcp/revisions.ts";
import { changedLists, LIST_CHANGED, type UpstreamChange } from "../client/list_changes.ts";

/** What a client listens to; what it did not ask for is absent. */
export interface ListenFilter {
  readonly toolsListChanged?: true;
  readonly promptsListChanged?: true;
  readonly resourcesListChanged?: true;
  readonly resourceSubscriptions?: readonly string[];
  /** Of the tasks extension ("Task Status Notifications"). */
  readonly taskIds?: readonly string[];
}

/** Where a listener's messages go: an event stream of its own, or the channel that its client shares among all it asks for. */
export interface ListenStream {
  send(message: string): void;
  /** Called when the gateway ends the listener; its result has been sent. */
  close(): void;
  keepalive(): void;
}

/** Read the filter of a listen request; what is not understood is not honoured, and the acknowledgement says so. */
export function readFilter(params: unknown): ListenFilter {
  const wanted: JsonObject = isObject(params) && isObject(params.notifications) ? params.notifications : {};
  const uris = stringsIn(wanted.resourceSubscriptions);
  const taskIds = stringsIn(wanted.taskIds);
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

/** Does the filter name tasks? */
export function wantsTasks(params: unknown): boolean {
  return isObject(params) && isObject(params.notifications) && params.notifications.taskIds !== undefined;
}

export interface ListenerOptions {
  /** The id of the listen request, as JSON text. */
  readonly id: string;
  /** The virtual server whose lists it hears of; null: everything. */
  readonly serverId: string | null;
  /** Of the token that the request came with. */
  readonly jti: string | null;
  readonly filter: ListenFilter;
  readonly stream: ListenStream;
}

/** One open `subscriptions/listen`. */
export class Listener {
  readonly serverId: string | null;
  readonly jti: string | null;
  /** Resolves when the client has left, or the gateway has ended it. Nothing is sent then any more. */
  readonly ended: Promise<void>;
  readonly #id: string;
  readonly #methods: ReadonlySet<string>;
  readonly #stream: ListenStream;
  readonly #resolve: () => void;
  #isOpen = true;

  /** Its first message acknowledges what is honoured. @param onEnd called once */
  constructor({ id, serverId, jti, filter, stream }: ListenerOptions, onEnd: () => void) {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.serverId = serverId;
    this.jti = jti;
    this.ended = promise;
    this.#id = id;
    this.#methods = methodsOf(filter);
    this.#stream = stream;
    this.#resolve = () => (onEnd(), resolve());
    const params = JSON.stringify({ notifications: filter });
    this.notify(notificationText("notifications/subscriptions/acknowledged", params));
  }

  wants(method: string): boolean {
    return this.#methods.has(method);
  }

  /** Send a notification, given as JSON text, under the listener's id. */
  notify(text: string): void {
    if (this.#isOpen) this.#stream.send(tagged(text, this.#id));
  }

  keepalive(): void {
    this.#stream.keepalive();
  }

  /** The client wants no more. */
  leave(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#resolve();
  }

  /** The gateway ends it, in the way that lets the client open another ("Graceful Closure"). */
  end(): void {
    if (!this.#isOpen) return;
    const meta = JSON.stringify(META.subscriptionId);
    this.#stream.send(resultText(this.#id, `{"resultType":"complete","_meta":{${meta}:${this.#id}}}`));
    this.leave();
    this.#stream.close();
  }
}

export class Listeners {
  readonly #open = new Set<Listener>();

  get size(): number {
    return this.#open.size;
  }

  open(options: ListenerOptions): Listener {
    const listener = new Listener(options, () => this.#open.delete(listener));
    this.#open.add(listener);
    return listener;
  }

  announce(before: Catalog, after: Catalog, said: readonly UpstreamChange[] = []): void {
    for (const listener of this.#open) {
      const { serverId } = listener;
      for (const method of changedLists(before.scope(serverId), after.scope(serverId), said)) {
        if (listener.wants(method)) listener.notify(notificationText(method));
      }
    }
  }

  keepAlive(): void {
    for (const listener of this.#open) listener.keepalive();
  }

  /** End them all. */
  end(): void {
    for (const listener of [...this.#open]) listener.end();
  }

  /** End those that tokens with these ids have opened. */
  endOf(revoked: ReadonlySet<string>): void {
    for (const listener of [...this.#open]) {
      if (listener.jti !== null && revoked.has(listener.jti)) listener.end();
    }
  }
}

function methodsOf(filter: ListenFilter): ReadonlySet<string> {
  const methods = new Set<string>();
  if (filter.toolsListChanged) methods.add(LIST_CHANGED.tools);
  if (filter.promptsListChanged) methods.add(LIST_CHANGED.prompts);
  if (filter.resourcesListChanged) methods.add(LIST_CHANGED.resources);
  return methods;
}

/** The notification with the listen request's id in its `_meta`. */
function tagged(text: string, id: string): string {
  const params = memberText(text, "params") ?? "{}";
  const meta = memberText(params, "_meta") ?? "{}";
  const withId = replaceMember(meta, META.subscriptionId, id);
  return replaceMember(text, "params", replaceMember(params, "_meta", withId));
}
