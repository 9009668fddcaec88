// Clients on duplex channels: one ordered channel with two directions (SSE of 2024-11-05, WebSocket, stdio). This folder holds the
// session on such a channel and the transports over HTTP; stdio is in `cli`.
//
// A request that claims 2026-07-28 in its `_meta` is served by that revision's rules. `initialize` begins a session of a revision with
// sessions, which serves everything else. One channel may carry both.
import type { Callers } from "../../auth/callers.ts";
import type { Caller } from "../../base/sharing/caller.ts";
import type { Principal } from "../../auth/principal.ts";
import type { ClientMemory } from "../../base/sharing/client_memory.ts";
import type { Clock } from "../../base/clock.ts";
import { type ErrorCode, SluiceError, toSluiceError } from "../../base/errors.ts";
import type { Catalog } from "../../catalog/snapshot/catalog.ts";
import { barrierTo, reachedScope } from "../../catalog/snapshot/reach.ts";
import type { AccessLog } from "../../http/access_log.ts";
import { type Admission, REFUSED } from "../../http/limits/admission.ts";
import { type ErrorReporter, rpcErrorText } from "../../http/error_response.ts";
import { MCP_TIER } from "../../http/limits/rate_tiers.ts";
import {
  classify,
  errorText,
  idText,
  type Message,
  parseJson,
  type RequestMessage,
} from "../../mcp/json_rpc.ts";
import { claimsRevision } from "../../mcp/request_meta.ts";
import { ASSUMED_REVISION, type SessionRevision } from "../../mcp/revisions.ts";
import { type CallNote, correlationIdOf } from "../../telemetry/call_note.ts";
import type { Tracer } from "../../telemetry/traces/tracer.ts";
import type { EndpointRevisions } from "../../catalog/snapshot/endpoint_revisions.ts";
import type { CallContext } from "../../proxy/call/call_context.ts";
import type { Dispatcher } from "../../proxy/dispatch.ts";
import { BoundSessions } from "../../upstream/bound/bound_sessions.ts";
import type { ClientPeer } from "../../upstream/client/client_peer.ts";
import { ClientState } from "../../upstream/client/client_state.ts";
import type { Upstreams } from "../../upstream/upstreams.ts";
import { type BatchCounts, readBatch } from "../exchange/batch.ts";
import { cancelledKey, clientOf, type ClientSide, take } from "../client/client_messages.ts";
import { ClientQuestions } from "../client/client_questions.ts";
import { ConnectionToken, type ConnectionTokenDeps } from "./connection_token.ts";
import {
  type CloseReason,
  CLOSING,
  type DuplexAddress,
  type DuplexChannel,
  type Sender,
} from "./client_channel.ts";
import { SessionlessCalls, type SessionlessCallsDeps } from "./sessionless_calls.ts";
import type { ListListener } from "../client/list_changes.ts";
import { RunningCall, RunningCalls } from "../client/running_calls.ts";
import { OwnLists, type OwnListsDeps } from "../client/own_lists.ts";
import { noteRequest } from "../exchange/request_note.ts";
import type { Listener } from "../sessionless/listeners.ts";
import { scopeFor } from "../exchange/visible_scope.ts";

/** Concurrent requests of one connection, listeners included. Further ones are answered TOO_MANY_CALLS. */
export const MAX_CALLS = 256;

export interface DuplexDeps extends ConnectionTokenDeps, BatchCounts {
  readonly dispatcher: Dispatcher;
  readonly catalog: () => Catalog;
  readonly upstreams: Pick<Upstreams, "notify" | "review">;
  readonly memory: ClientMemory;
  readonly lists: OwnListsDeps;
  readonly admission: Pick<Admission, "enter" | "leave" | "leaveAsStream">;
  readonly callers: Callers;
  readonly errors: ErrorReporter;
  /** Counts requests refused unread. */
  readonly countRefused: (code: ErrorCode) => void;
  readonly accessLog: Pick<AccessLog, "beginCall">;
  /** null: OTEL_ENABLE_OBSERVABILITY=false. */
  readonly tracer: Tracer | null;
  readonly clock: Clock;
  readonly maxJsonDepth: number;
  /** MCP_CLIENT_REQUEST_TIMEOUT */
  readonly clientRequestTimeoutMs: number;
  readonly sessionless: SessionlessCallsDeps;
}

type Said = Message | readonly Message[];

export class DuplexSession implements ListListener {
  readonly #deps: DuplexDeps;
  readonly #address: DuplexAddress;
  readonly #channel: DuplexChannel;
  readonly #token: ConnectionToken;
  readonly #over = Promise.withResolvers<void>();
  readonly #peer: ClientPeer;
  readonly #questions: ClientQuestions;
  readonly #sessionless: SessionlessCalls;
  readonly #calls = new RunningCalls();
  /** As of `initialize`. */
  #client: ClientSide & { readonly revision: SessionRevision; readonly lists: OwnLists } | null = null;
  since: string | null = null;
  #underWay = 0;
  /** Set while the session drains: it takes no requests, and closes when those under way are answered. */
  #closeReason: CloseReason | null = null;
  #ended = false;

  constructor(deps: DuplexDeps, address: DuplexAddress, channel: DuplexChannel) {
    this.#deps = deps;
    this.#address = address;
    this.#channel = channel;
    this.#token = new ConnectionToken(deps, address.principal, () => this.drain("expired"));
    const questions = this.#questions = new ClientQuestions(deps.clock, deps.clientRequestTimeoutMs);
    const send = (text: string) => channel.send(text);
    this.#sessionless = new SessionlessCalls(deps.sessionless, send);
    this.#peer = {
      notify: send,
      request: (method, params, asking) => questions.ask(method, params, { ...asking, send }),
    };
  }

  /** Resolves at the end of the channel. */
  get ended(): Promise<void> {
    return this.#over.promise;
  }

  get serverId(): string | null {
    return this.#address.serverId ?? this.#address.principal.serverId;
  }

  /** The caller of the connection, by its newest token. */
  get principal(): Principal {
    return this.#token.principal;
  }

  /** A client of 2026-07-28 only receives what it listens to. */
  hears(): boolean {
    return this.#client !== null;
  }

  notify(message: string): void {
    this.#channel.send(message);
  }

  follows(catalog: Catalog): boolean {
    return this.#client?.lists.follow(catalog) ?? false;
  }

  /** Takes a text of the client. Faults are reported on the channel. */
  receive(text: string, sender: Sender): void {
    let said: Said;
    try {
      said = this.read(text);
    } catch (error) {
      return this.refuse(error, sender);
    }
    this.accept(said, sender);
  }

  /** Reports on the channel that a text of the client is no message. */
  refuse(error: unknown, { received }: Pick<Sender, "received">): void {
    const reported = this.#deps.errors.report(error, { received });
    this.#channel.send(errorText("null", rpcErrorText(reported)));
  }

  /** Parses a text. @throws {SluiceError} PARSE_ERROR, BODY_TOO_DEEP, INVALID_REQUEST */
  read(text: string): Said {
    const value = parseJson(text, this.#deps.maxJsonDepth);
    if (Array.isArray(value)) return readBatch(value, text, this.#client?.revision ?? ASSUMED_REVISION);
    return classify(value, text);
  }

  /** Handles a message of the client. Responses are sent on the channel. */
  accept(said: Said, sender: Sender): void {
    if (this.#ended) return;
    this.#token.renew(sender.principal);
    if (this.hasExpired) this.#giveNotice("expired");
    if (isBatch(said)) return void this.#batch(said, sender);
    if (said.kind !== "request") return this.#hear(said, sender);
    const excess = this.#count(1, sender);
    if (excess !== null) return this.#answer(this.#failed(said, sender, excess));
    void this.#respond(said, sender).then((answer) => this.#answer(answer));
  }

  /** The client's upstream sessions; null: it has not begun a session. */
  get bound(): BoundSessions | null {
    return this.#client?.bound ?? null;
  }

  /** Has the connection's token expired, was it revoked, or have the rights of its user changed? */
  get hasExpired(): boolean {
    return this.#token.isOver;
  }

  /** Applies a new catalog: closes what leads to upstreams that the caller may not use, or the connection if its endpoint is gone. */
  review(catalog: Catalog): void {
    const reacher = { principal: this.#token.principal, serverId: this.#address.serverId };
    if (this.#client !== null) {
      const barrier = (upstreamId: string) => barrierTo(catalog, reacher, upstreamId);
      this.#deps.upstreams.review(this.#client.bound, barrier);
      this.#client.lists.review(catalog);
    }
    if (reachedScope(catalog, reacher) === null) this.drain("gone");
  }

  /** Takes no more requests, and closes when those under way are answered. */
  drain(why: CloseReason): void {
    this.#giveNotice(why);
    this.#leaveWhenDone();
  }

  /** The channel has ended: cancels calls under way and closes upstream sessions. */
  async end(): Promise<void> {
    if (this.#ended) return;
    this.#ended = true;
    this.#over.resolve();
    this.#token.close();
    this.#sessionless.end();
    this.#calls.cancelAll(() => new SluiceError("REQUEST_CANCELLED"));
    await this.#client?.bound.end();
  }

  #answer(text: string | null): void {
    if (text !== null) this.#channel.send(text);
    this.#leaveWhenDone();
  }

  /** Begins the drain. Listeners are ended, since they do not end by themselves. */
  #giveNotice(why: CloseReason): void {
    this.#closeReason ??= why;
    this.#sessionless.endListeners();
  }

  #leaveWhenDone(): void {
    if (this.#closeReason !== null && this.#underWay === 0) this.#channel.close(this.#closeReason);
  }

  async #batch(messages: readonly Message[], sender: Sender): Promise<void> {
    const requests: RequestMessage[] = [];
    for (const message of messages) {
      if (message.kind === "request") requests.push(message);
      else this.#hear(message, sender);
    }
    const excess = requests.length === 0 ? null : this.#count(requests.length, sender);
    const answers = excess === null
      ? await Promise.all(requests.map((message) => this.#respond(message, sender)))
      : requests.map((message) => this.#failed(message, sender, excess));
    const given = answers.filter((answer) => answer !== null);
    this.#answer(given.length === 0 ? null : `[${given.join(",")}]`);
  }

  /** @returns why the requests are refused; null: admitted */
  #count(requests: number, { principal, caller, isUncounted }: Sender): SluiceError | null {
    const { rateLimiter, tokenGate } = this.#deps;
    try {
      if (caller !== undefined) rateLimiter?.take(MCP_TIER, caller, requests);
      if (isUncounted) tokenGate?.take(principal, requests);
      return null;
    } catch (error) {
      return toSluiceError(error);
    }
  }

  /**
   * A notification for upstreams takes a place like a request, so that notifications cannot pile up in memory. Above the limit it is
   * dropped. Responses and cancellations are always taken.
   */
  #hear(message: Exclude<Message, RequestMessage>, sender: Sender): void {
    const isOurs = take({ questions: this.#questions, calls: this.#calls }, message);
    const cancelled = cancelledKey(message);
    if (isOurs === false && cancelled !== null) this.#sessionless.cancel(cancelled);
    if (isOurs !== null) return;
    const isSessionless = message.kind === "notification" && claimsRevision(message.params);
    if (this.#client === null || isSessionless || this.#isFull || this.#count(1, sender) !== null) return;
    this.#underWay++;
    void this.#deps.upstreams.notify(this.#client.bound, message.text).finally(() => {
      this.#underWay--;
      this.#answer(null);
    });
  }

  get #isFull(): boolean {
    return this.#underWay + this.#sessionless.listening >= MAX_CALLS;
  }

  /**
   * @returns null for a listener, and for a request that the client has cancelled: that gets no response (2025-11-25, cancellation,
   *  "Behavior")
   */
  async #respond(message: RequestMessage, sender: Sender): Promise<string | null> {
    const { admission, accessLog, callers, tracer } = this.#deps;
    if (this.#closeReason !== null) return this.#refuseUnread(message, sender, CLOSING[this.#closeReason]);
    if (this.#isFull) return this.#refuseUnread(message, sender, CALLS_EXCEEDED);
    const ticket = admission.enter();
    if (ticket === REFUSED) return this.#refuseUnread(message, sender, OVERLOADED);
    let caller: Caller | undefined;
    try {
      caller = callers.enter(sender.principal);
    } catch (error) {
      admission.leave(ticket);
      return this.#refuseUnread(message, sender, toSluiceError(error));
    }
    this.#underWay++;
    const call = new RunningCall(message.id);
    this.#calls.enter(call);
    const record = accessLog.beginCall(this.#address, sender);
    noteRequest(record.note, message);
    const trace = tracer?.beginFor(sender.isUncounted ? null : sender.received);
    let listener: Listener | null = null;
    try {
      const served = await this.#serve(message, sender, { signal: call, note: record.note, trace });
      if (typeof served !== "string") {
        listener = served;
        return null;
      }
      record.answered(served);
      return call.aborted ? null : served;
    } finally {
      this.#calls.leave(call);
      this.#underWay--;
      if (listener === null) {
        admission.leave(ticket);
        if (caller !== undefined) caller.calls--;
      } else {
        admission.leaveAsStream(listener.ended);
        if (caller !== undefined) callers.leaveAsStream(caller, listener.ended);
        void listener.ended.then(() => record.answered(null));
      }
    }
  }

  async #serve(
    message: RequestMessage,
    sender: Sender,
    more: Required<Pick<CallContext, "signal">> & Pick<CallContext, "note" | "trace">,
  ): Promise<string | Listener> {
    const { dispatcher } = this.#deps;
    try {
      if (claimsRevision(message.params)) {
        const { serverId } = this.#address;
        const { note, trace, signal } = more;
        return await this.#sessionless.serve(message, { ...sender, serverId, note, trace }, signal);
      }
      const context = { ...this.#context(sender), ...more };
      if (message.method === "initialize") this.#initialize(message, context.scope.revisions);
      else if (this.#client === null && message.method !== "ping") {
        throw new SluiceError("INVALID_REQUEST", { reason: "the first request must be initialize" });
      }
      return await dispatcher.respond(context, message);
    } catch (error) {
      return this.#failed(message, sender, error, more.note);
    }
  }

  #initialize(message: RequestMessage, revisions: EndpointRevisions): void {
    if (this.#client !== null) throw new SluiceError("INVALID_REQUEST", { reason: "initialize came before" });
    const said = clientOf(message, revisions);
    if (said === null) return;
    const { principal } = this.#address;
    const memory = this.#deps.memory.hold(principal, { end: () => this.#channel.close("restart") });
    const { clientCapabilities: capabilities, revision } = said;
    const caller = () => this.#deps.callers.of(principal);
    const state = new ClientState({ capabilities, peer: this.#peer, caller, memory });
    // From here on the channel also carries messages that belong to no call.
    state.listening = true;
    const bound = new BoundSessions(state);
    this.since = this.#deps.catalog().version;
    this.#client = {
      ...{ revision, bound, questions: this.#questions },
      lists: new OwnLists(this.#deps.lists, this, bound, principal),
      calls: this.#calls,
    };
  }

  #context({ principal, received }: Sender): CallContext {
    const scope = scopeFor(this.#deps.catalog(), principal, this.#address.serverId);
    return {
      principal,
      scope: this.#client?.lists.over(scope) ?? scope,
      revision: this.#client?.revision ?? ASSUMED_REVISION,
      toolsAsMethods: false,
      bound: this.bound,
      lists: this.#client?.lists ?? null,
      received,
      client: this.#peer,
    };
  }

  #failed(message: RequestMessage, { received }: Sender, error: unknown, note?: CallNote): string {
    const reported = this.#deps.errors.report(error, { note, received });
    return errorText(idText(message), rpcErrorText(reported));
  }

  /** Answers a refused request cheaply: no log line, no further parsing. */
  #refuseUnread(message: RequestMessage, { received }: Sender, error: SluiceError): string {
    this.#deps.countRefused(error.code);
    return errorText(idText(message), rpcErrorText({ error, correlationId: correlationIdOf(received) }));
  }
}

const CALLS_EXCEEDED = new SluiceError("TOO_MANY_CALLS", { limit: MAX_CALLS });
const OVERLOADED = new SluiceError("OVERLOADED");

function isBatch(said: Said): said is readonly Message[] {
  return Array.isArray(said);
}
