// What is listened to at one upstream outside any call: by a stream where it speaks 2026-07-28, else in a session for it.
import { SluiceError } from "../../base/errors.ts";
import type { BoundSessions } from "../bound/bound_sessions.ts";
import type {
  SessionCall,
  SubscribeOptions,
  Subscription,
  SubscriptionFilter,
  UpstreamChannel,
} from "../session/upstream_channel.ts";
import type { HeaderList } from "../transport/transport.ts";
import { isEmpty, listFilter, methodsIn } from "../session/list_filter.ts";
import type { Opening } from "../bound/session_opener.ts";
import { ResourceStream } from "../bound/resource_stream.ts";
import { subscribeInSession } from "./dedicated_session.ts";

interface ListenedTo {
  readonly id: string;
  readonly name: string;
  /** As of its last discovery. */
  readonly capabilities: () => Readonly<Record<string, unknown>>;
  /** What needs no session, where there is such. */
  readonly stateless: () => UpstreamChannel | null;
  readonly open: (opening: Opening) => Promise<UpstreamChannel>;
  readonly limits: Pick<SessionCall, "timeoutMs" | "timeoutSetting">;
}

const NO_HEADERS: HeaderList = Object.freeze([]);

export class UpstreamNotifications {
  readonly #upstream: ListenedTo;
  readonly #gone = new AbortController();

  constructor(upstream: ListenedTo) {
    this.#upstream = upstream;
  }

  /** Does it tell of changes of any list? */
  get promisesListChanges(): boolean {
    return !isEmpty(listFilter(this.#upstream.capabilities()));
  }

  lists(onListChanged: (method: string) => void, signal: AbortSignal): Subscription {
    const filter = listFilter(this.#upstream.capabilities());
    const onMessage = (text: string) => onListChanged(String(JSON.parse(text).method));
    return this.subscribe(filter, { onMessage }, signal, onListChanged);
  }

  /** The one stream for what a client of an older revision has subscribed to; undefined where its own sessions listen. */
  streamFor(bound: BoundSessions, passed: HeaderList = NO_HEADERS): ResourceStream | undefined {
    const { id, stateless } = this.#upstream;
    const subscribe = stateless()?.subscribe;
    if (subscribe === undefined) return undefined;
    const make = () =>
      new ResourceStream({
        subscribe,
        client: bound.client,
        upstreamId: id,
        passed,
        gone: this.#gone.signal,
      });
    const stream = bound.stream(id, make);
    if (!stream.isGone) return stream;
    // Of the upstream before it was changed.
    bound.closeStream(id);
    return bound.stream(id, make);
  }

  /** The upstream is another now, or deleted: whoever listens does so anew. */
  end(): void {
    this.#gone.abort(new SluiceError("NOT_FOUND", { what: `Gateway ${this.#upstream.id}` }));
  }

  /** @param onListChanged takes what a session hears of lists; a stream of its own has `options.onMessage` for all */
  subscribe(
    filter: SubscriptionFilter,
    options: Omit<SubscribeOptions, "signal">,
    until: AbortSignal,
    onListChanged?: (method: string) => void,
  ): Subscription {
    const signal = AbortSignal.any([until, this.#gone.signal]);
    const { name, stateless, open, limits } = this.#upstream;
    const { onMessage, clientCapabilities, passed } = options;
    return stateless()?.subscribe?.(filter, { ...options, signal }) ?? subscribeInSession({
      upstream: name,
      uris: filter.resourceSubscriptions ?? [],
      limits,
      onAgain: () => methodsIn(filter).forEach((method) => onListChanged?.(method)),
      open: (onExpired) =>
        open({
          passed,
          signal,
          clientCapabilities,
          client: { notify: onMessage },
          onExpired,
          ...(onListChanged === undefined ? {} : { onListChanged }),
        }),
      signal,
    });
  }
}
