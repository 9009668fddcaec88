// Requests of revision 2026-07-28 on a duplex channel. Their responses and notifications share the channel. The client is asked by
// responses only, never by requests (2026-07-28, stdio, "Receiving Messages").
import { BoundedMap } from "../../base/bounded_map.ts";
import type { CancelSignal } from "../../base/cancellation.ts";
import { SluiceError } from "../../base/errors.ts";
import {
  errorText,
  idText,
  isObject,
  notificationText,
  type RequestMessage,
  resultText,
} from "../../mcp/json_rpc.ts";
import { callKey } from "../client/client_messages.ts";
import type { Listener } from "../sessionless/listeners.ts";
import type { Serve } from "../exchange/mcp_exchange.ts";
import type { Accepted, Provenance, SessionlessRequests } from "../sessionless/requests.ts";
import { answerElsewhere } from "./pending_elsewhere.ts";
import type { PendingCalls } from "../sessionless/pending_calls.ts";
import type { SessionClaims } from "../session/session_id.ts";

export interface SessionlessCallsDeps {
  readonly requests: SessionlessRequests;
  readonly pendingCalls: Pick<PendingCalls, "claimsOf" | "giveUp">;
  /** The way to the worker, of this replica or another, that has a pending call; null: it is this one. */
  readonly pendingElsewhere: (claims: SessionClaims) => Serve | null;
}

/** Answered calls per connection that the client can still cancel. The oldest is dropped first. */
const MAX_REMEMBERED = 256;

/** Longest key that is kept. Keys are kept as long as the connection, and no client needs a longer request id. */
const MAX_KEY_CHARS = 128;

export class SessionlessCalls {
  readonly #deps: SessionlessCallsDeps;
  readonly #send: (text: string) => void;
  /** Listeners by `callKey` of their request; the maps below have the same keys. */
  readonly #listeners = new Map<string, Listener>();
  /** The `requestState`s that the client was given. Pending calls outlive the connection: the client may continue them on another. */
  readonly #requestStates = new BoundedMap<string, string>({ maxEntries: MAX_REMEMBERED });

  /** @param send sends messages to the client, as JSON text */
  constructor(deps: SessionlessCallsDeps, send: (text: string) => void) {
    this.#deps = deps;
    this.#send = send;
  }

  /** Open listeners. */
  get listening(): number {
    return this.#listeners.size;
  }

  /**
   * @returns the response as JSON text; or the listener, which sends its response when the gateway ends it
   * @throws {SluiceError} what `SessionlessRequests` throws; INVALID_REQUEST for a second listener under one id
   */
  async serve(message: RequestMessage, from: Provenance, signal: CancelSignal): Promise<string | Listener> {
    const { requests, pendingCalls, pendingElsewhere } = this.#deps;
    const notify = (text: string) => {
      if (!signal.aborted) this.#send(text);
    };
    const key = callKey(message.id);
    this.#requestStates.delete(key);
    const state = isObject(message.params) ? message.params.requestState : undefined;
    const claims = pendingCalls.claimsOf(state);
    const way = claims === null ? null : pendingElsewhere(claims);
    if (way !== null) return await answerElsewhere(way, message, from, { signal, notify });
    const accepted = requests.accept(message, requests.contextOf(from), from.serverId);
    if (accepted.kind === "listen") return this.#listen(accepted, message, signal);
    const { text, failed, requestState } = await accepted.answer({ signal, notify });
    if (requestState !== undefined) this.#remember(key, requestState, signal);
    return failed ? errorText(idText(message), text) : resultText(idText(message), text);
  }

  /** The client cancels a listener, or a pending call. */
  cancel(key: string): void {
    this.#listeners.get(key)?.leave();
    this.#listeners.delete(key);
    const requestState = this.#requestStates.get(key);
    if (requestState !== undefined) this.#deps.pendingCalls.giveUp(requestState);
    this.#requestStates.delete(key);
  }

  /** The gateway ends all listeners of the channel. */
  endListeners(): void {
    for (const listener of [...this.#listeners.values()]) listener.end();
  }

  /** Takes the end of the channel. */
  end(): void {
    for (const listener of [...this.#listeners.values()]) listener.leave();
  }

  #listen(
    accepted: Extract<Accepted, { kind: "listen" }>,
    message: RequestMessage,
    signal: CancelSignal,
  ): Listener {
    const key = callKey(message.id);
    if (this.#listeners.has(key)) {
      throw new SluiceError("INVALID_REQUEST", { reason: "a request that listens has this id already" });
    }
    const listener = accepted.open({
      send: this.#send,
      // On a shared channel no stream ends; a cancellation tells the client instead ("Cancellation").
      close: () =>
        this.#send(notificationText("notifications/cancelled", `{"requestId":${idText(message)}}`)),
      keepalive: () => {},
    });
    this.#listeners.set(key, listener);
    void listener.ended.then(() => {
      // A cancelled listener was removed already, and another may have its id.
      if (this.#listeners.get(key) === listener) this.#listeners.delete(key);
    });
    // The first message may already disconnect a client that does not read.
    if (signal.aborted) listener.leave();
    return listener;
  }

  #remember(key: string, requestState: string, { aborted }: CancelSignal): void {
    if (aborted) return this.#deps.pendingCalls.giveUp(requestState);
    if (key.length > MAX_KEY_CHARS) return;
    this.#requestStates.set(key, requestState);
  }
}
