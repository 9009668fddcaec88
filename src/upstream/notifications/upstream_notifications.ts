// Room `notifications`: what upstreams send outside calls, namely list changes and resource updates. `Upstream` and
// `ListWatch` are the ways in.
// This file subscribes at one upstream: with `subscriptions/listen` if it speaks 2026-07-28, else in a dedicated session.
import { SluiceError } from "../../base/errors.ts";
import { type AnyRevision, LATEST_SESSION_REVISION, STATELESS_REVISION } from "../../mcp/revisions.ts";
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
  /** The capabilities at the last discovery. */
  readonly capabilities: () => Readonly<Record<string, unknown>>;
  /** The connection without a session for a client of this revision; null: the client needs a session. */
  readonly without: (revision: AnyRevision) => UpstreamChannel | null;
  readonly open: (opening: Opening) => Promise<UpstreamChannel>;
  readonly limits: Pick<SessionCall, "timeoutMs" | "timeoutSetting">;
  /** See `SessionCall`. */
  readonly tenantOf: (bound: BoundSessions) => string;
}

const NO_HEADERS: HeaderList = Object.freeze([]);

export class UpstreamNotifications {
  readonly #upstream: ListenedTo;
  #gone = new AbortController();

  constructor(upstream: ListenedTo) {
    this.#upstream = upstream;
  }

  /** Whether the upstream announces changes of any list. */
  get promisesListChanges(): boolean {
    return !isEmpty(listFilter(this.#upstream.capabilities()));
  }

  /** @param passed headers of the gateway's own requests */
  lists(
    onListChanged: (method: string) => void,
    signal: AbortSignal,
    passed: HeaderList = NO_HEADERS,
  ): Subscription {
    const filter = listFilter(this.#upstream.capabilities());
    const onMessage = (text: string) => onListChanged(String(JSON.parse(text).method));
    // Servers of both kinds of revisions promise more in a session. One that keeps no session has no stream for it there.
    const hasStream = this.#upstream.without(LATEST_SESSION_REVISION) === null;
    const subscribe = hasStream ? undefined : this.#subscriber();
    return this.#subscribe(subscribe, filter, { onMessage, passed }, signal, onListChanged);
  }

  /** Returns the resource stream of a client with a session; undefined if its own upstream sessions receive the updates. */
  streamFor(
    bound: BoundSessions,
    passed: HeaderList = NO_HEADERS,
    tenant = this.#upstream.tenantOf(bound),
  ): ResourceStream | undefined {
    const { id, without } = this.#upstream;
    const subscribe = without(LATEST_SESSION_REVISION)?.subscribe;
    if (subscribe === undefined) return undefined;
    const make = () =>
      new ResourceStream({
        subscribe,
        client: bound.client,
        upstreamId: id,
        passed,
        tenant,
        gone: this.#gone.signal,
      });
    const stream = bound.stream(id, make);
    if (!stream.isGone) return stream;
    // The stream belongs to the upstream before its change.
    bound.closeStream(id);
    return bound.stream(id, make);
  }

  /** Ends all subscriptions, because the upstream was changed, disabled or deleted. Listeners subscribe again at a new one. */
  end(): void {
    this.#gone.abort(new SluiceError("NOT_FOUND", { what: `Gateway ${this.#upstream.id}` }));
  }

  /** Ends all subscriptions, because the upstream may have to be asked in another way. */
  renew(): void {
    this.end();
    this.#gone = new AbortController();
  }

  /** The same object until `renew`. */
  get present(): unknown {
    return this.#gone;
  }

  /** Subscribes for a client of 2026-07-28. */
  subscribe(
    filter: SubscriptionFilter,
    options: Omit<SubscribeOptions, "signal">,
    until: AbortSignal,
  ): Subscription {
    return this.#subscribe(this.#subscriber(), filter, options, until);
  }

  #subscriber(): UpstreamChannel["subscribe"] {
    return this.#upstream.without(STATELESS_REVISION)?.subscribe;
  }

  /**
   * @param subscribe sends `subscriptions/listen`; undefined: the subscription gets a session
   * @param onListChanged receives list changes in a session; with `subscriptions/listen`, `options.onMessage` receives
   * everything
   */
  #subscribe(
    subscribe: UpstreamChannel["subscribe"],
    filter: SubscriptionFilter,
    options: Omit<SubscribeOptions, "signal">,
    until: AbortSignal,
    onListChanged?: (method: string) => void,
  ): Subscription {
    const signal = AbortSignal.any([until, this.#gone.signal]);
    const { name, open, limits } = this.#upstream;
    const { onMessage, clientCapabilities, passed } = options;
    return subscribe?.(filter, { ...options, signal }) ?? subscribeInSession({
      upstream: name,
      uris: filter.resourceSubscriptions ?? [],
      limits,
      onAgain: () => methodsIn(filter).forEach((method) => onListChanged?.(method)),
      open: (onExpired) =>
        open({
          passed,
          signal,
          clientCapabilities,
          client: { notify: (text) => signal.aborted || onMessage(text) },
          onExpired,
          ...(onListChanged === undefined ? {} : { onListChanged }),
        }),
      signal,
    });
  }
}
