// Open `subscriptions/listen` streams (2026-07-28, "Subscriptions"): each tells its client what it has asked to hear of.
import type { Catalog } from "../catalog/catalog.ts";
import { isObject, type JsonObject, memberText, replaceMember, resultText } from "../mcp/json_rpc.ts";
import { META } from "../mcp/revisions.ts";
import { EventStream } from "./event_stream.ts";
import { changedLists, LIST_CHANGED, type UpstreamChange } from "./list_changes.ts";

/** What a client listens to; what it did not ask for is absent. */
export interface ListenFilter {
  readonly toolsListChanged?: true;
  readonly promptsListChanged?: true;
  readonly resourcesListChanged?: true;
  readonly resourceSubscriptions?: readonly string[];
}

interface Listener {
  /** The id of the listen request, as JSON text. */
  readonly id: string;
  readonly serverId: string | null;
  readonly methods: ReadonlySet<string>;
  readonly stream: EventStream;
}

/** Read the filter of a listen request; what is not understood is not honoured, and the acknowledgement says so. */
export function readFilter(params: unknown): ListenFilter {
  const wanted: JsonObject = isObject(params) && isObject(params.notifications) ? params.notifications : {};
  const uris = Array.isArray(wanted.resourceSubscriptions)
    ? wanted.resourceSubscriptions.filter((uri) => typeof uri === "string")
    : [];
  return {
    ...(wanted.toolsListChanged === true ? { toolsListChanged: true } : {}),
    ...(wanted.promptsListChanged === true ? { promptsListChanged: true } : {}),
    ...(wanted.resourcesListChanged === true ? { resourcesListChanged: true } : {}),
    ...(uris.length > 0 ? { resourceSubscriptions: uris } : {}),
  };
}

/** Does the filter name tasks? They are never honoured: a client polls them (tasks extension, "Task Status Notifications"). */
export function wantsTasks(params: unknown): boolean {
  return isObject(params) && isObject(params.notifications) && params.notifications.taskIds !== undefined;
}

export class Listeners {
  readonly #open = new Set<Listener>();

  get size(): number {
    return this.#open.size;
  }

  /**
   * Open a stream. Its first message acknowledges what is honoured.
   * @param onEnd the client has left, or the stream has been ended
   * @returns sends a notification of an upstream's that the client has subscribed to
   */
  open(
    { id, serverId, jti, filter, onEnd }: {
      readonly id: string;
      readonly serverId: string | null;
      /** Of the token that the request came with. */
      readonly jti: string | null;
      readonly filter: ListenFilter;
      readonly onEnd: () => void;
    },
  ): { readonly stream: EventStream; readonly send: (text: string) => void } {
    const methods = new Set<string>();
    if (filter.toolsListChanged) methods.add(LIST_CHANGED.tools);
    if (filter.promptsListChanged) methods.add(LIST_CHANGED.prompts);
    if (filter.resourcesListChanged) methods.add(LIST_CHANGED.resources);
    const stream = new EventStream(() => {
      this.#open.delete(listener);
      onEnd();
    }, jti);
    const listener: Listener = { id, serverId, methods, stream };
    this.#open.add(listener);
    const params = JSON.stringify({ notifications: filter });
    stream.send(
      tagged(
        `{"jsonrpc":"2.0","method":"notifications/subscriptions/acknowledged","params":${params}}`,
        id,
      ),
    );
    return { stream, send: (text) => stream.send(tagged(text, id)) };
  }

  announce(before: Catalog, after: Catalog, said: readonly UpstreamChange[] = []): void {
    for (const { id, serverId, methods, stream } of this.#open) {
      for (const method of changedLists(before.scope(serverId), after.scope(serverId), said)) {
        if (methods.has(method)) stream.send(tagged(`{"jsonrpc":"2.0","method":"${method}"}`, id));
      }
    }
  }

  keepAlive(): void {
    for (const { stream } of this.#open) stream.keepalive();
  }

  /** End every stream in the way that lets clients open them anew. */
  end(): void {
    this.#end([...this.#open]);
  }

  /** End those that tokens with these ids have opened. */
  endOf(revoked: ReadonlySet<string>): void {
    this.#end([...this.#open].filter(({ stream: { jti } }) => jti !== null && revoked.has(jti)));
  }

  #end(listeners: readonly Listener[]): void {
    for (const { id, stream } of listeners) {
      stream.send(resultText(id, `{"resultType":"complete","_meta":${subscriptionMeta(id)}}`));
      stream.close();
    }
  }
}

/** The notification with the listen request's id in its `_meta`. */
function tagged(text: string, id: string): string {
  const params = memberText(text, "params") ?? "{}";
  const meta = memberText(params, "_meta") ?? "{}";
  const withId = replaceMember(meta, META.subscriptionId, id);
  return replaceMember(text, "params", replaceMember(params, "_meta", withId));
}

function subscriptionMeta(id: string): string {
  return `{${JSON.stringify(META.subscriptionId)}:${id}}`;
}
