// A client on one ordered channel with two directions (legacy SSE, WebSocket, stdio): its messages come in, and everything for it
// goes out there. A request that claims 2026-07-28 in its `_meta` is served by that revision's rules; `initialize` begins a session of
// an older one, for everything else. One connection may have both.
import type { Principal } from "../../auth/principal.ts";
import { Cancellation } from "../../base/cancellation.ts";
import type { Clock } from "../../base/clock.ts";
import { type ErrorCode, SluiceError, toSluiceError } from "../../base/errors.ts";
import type { Catalog } from "../../catalog/snapshot/catalog.ts";
import type { AccessLog } from "../../http/access_log.ts";
import { type Admission, REFUSED } from "../../http/admission.ts";
import { type ErrorReporter, rpcErrorText } from "../../http/error_response.ts";
import type { RateLimiter } from "../../http/rate_limit.ts";
import { MCP_TIER } from "../../http/rate_tiers.ts";
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
import type { CallContext } from "../../proxy/call/call_context.ts";
import type { Dispatcher } from "../../proxy/dispatch.ts";
import { BoundSessions } from "../../upstream/bound/bound_sessions.ts";
import type { ClientPeer } from "../../upstream/client/client_peer.ts";
import { ClientState } from "../../upstream/client/client_state.ts";
import type { ReceivedHeaders } from "../../upstream/client/passthrough.ts";
import type { Upstreams } from "../../upstream/upstreams.ts";
import { readBatch } from "../exchange/batch.ts";
import { cancelledKey, clientOf, type ClientSide, enter, take } from "../client/client_messages.ts";
import { ClientQuestions } from "../client/client_questions.ts";
import { SessionlessCalls, type SessionlessCallsDeps } from "./sessionless_calls.ts";
import type { ListListener } from "../client/list_changes.ts";
import { noteRequest } from "../exchange/request_note.ts";
import type { Listener } from "../sessionless/listeners.ts";
import { scopeFor } from "../exchange/visible_scope.ts";

/** Requests of one connection under way at once, those that listen among them; what is above is answered TOO_MANY_CALLS. */
export const MAX_CALLS = 256;

export interface DuplexDeps {
  readonly dispatcher: Dispatcher;
  readonly catalog: () => Catalog;
  readonly upstreams: Pick<Upstreams, "notify">;
  readonly admission: Pick<Admission, "enter" | "leave" | "leaveAsStream">;
  readonly errors: ErrorReporter;
  /** null: nobody is limited. */
  readonly rateLimiter: RateLimiter | null;
  /** Counts what was refused without being looked at. */
  readonly countRefused: (code: ErrorCode) => void;
  readonly accessLog: Pick<AccessLog, "beginCall"> | null;
  readonly clock: Clock;
  readonly maxJsonDepth: number;
  /** MCP_CLIENT_REQUEST_TIMEOUT */
  readonly clientRequestTimeoutMs: number;
  readonly sessionless: SessionlessCallsDeps;
}

/** Why the gateway ends a connection: it restarts, or the token is over that let the client in. */
export type CloseReason = "restart" | "expired";

/** The way to the client. Both are called at any time, also when it has ended: nothing happens then. */
export interface DuplexChannel {
  /** Takes one message, or the answer to a batch, as JSON text. */
  send(text: string): void;
  close(why: CloseReason): void;
}

/** Who a connection is opened by, and where. */
export interface DuplexAddress {
  readonly principal: Principal;
  /** The virtual server of the address; null for the one that shows everything. */
  readonly serverId: string | null;
  /** For the access log. */
  readonly endpoint: string;
  readonly path: string;
  /** Its address, for the access log; undefined on stdio. */
  readonly client?: string;
}

/** Who a message is from, where each is authenticated; else who the connection is from. */
export interface Sender {
  readonly principal: Principal;
  /** Whose requests its messages are counted among, one by one; undefined: they are not limited, or were counted as they came. */
  readonly caller?: string;
  readonly received: ReceivedHeaders;
}

type Said = Message | readonly Message[];

export class DuplexSession implements ListListener {
  readonly #deps: DuplexDeps;
  readonly #address: DuplexAddress;
  readonly #channel: DuplexChannel;
  readonly #over = Promise.withResolvers<void>();
  readonly #peer: ClientPeer;
  readonly #questions: ClientQuestions;
  readonly #sessionless: SessionlessCalls;
  readonly #calls = new Map<string, Cancellation>();
  /** As of `initialize`. */
  #client: ClientSide & { readonly revision: SessionRevision } | null = null;
  /** Whose token keeps the connection. */
  #letInBy: Principal;
  #underWay = 0;
  /** Set: it takes no more requests, and ends when those under way are answered. */
  #closeReason: CloseReason | null = null;
  #ended = false;

  constructor(deps: DuplexDeps, address: DuplexAddress, channel: DuplexChannel) {
    this.#deps = deps;
    this.#address = address;
    this.#channel = channel;
    this.#letInBy = address.principal;
    const questions = this.#questions = new ClientQuestions(deps.clock, deps.clientRequestTimeoutMs);
    const send = (text: string) => channel.send(text);
    this.#sessionless = new SessionlessCalls(deps.sessionless, send);
    this.#peer = {
      notify: send,
      request: (method, params, asking) => questions.ask(method, params, { ...asking, send }),
    };
  }

  /** Resolves when the channel has ended. */
  get ended(): Promise<void> {
    return this.#over.promise;
  }

  get serverId(): string | null {
    return this.#address.serverId ?? this.#address.principal.serverId;
  }

  /** A client of 2026-07-28 alone is told what it listens to, and nothing else. */
  get isListening(): boolean {
    return this.#client !== null;
  }

  notify(message: string): void {
    this.#channel.send(message);
  }

  /** Take a text of the client's. What is wrong with it is said on the channel. */
  receive(text: string, sender: Sender): void {
    let said: Said;
    try {
      said = this.read(text);
    } catch (error) {
      return this.refuse(error, sender);
    }
    this.accept(said, sender);
  }

  /** Say that something of the client's was no message. */
  refuse(error: unknown, { received }: Pick<Sender, "received">): void {
    const reported = this.#deps.errors.report(error, { received });
    this.#channel.send(errorText("null", rpcErrorText(reported)));
  }

  /** What a text says. @throws {SluiceError} PARSE_ERROR, BODY_TOO_DEEP, INVALID_REQUEST */
  read(text: string): Said {
    const value = parseJson(text, this.#deps.maxJsonDepth);
    if (Array.isArray(value)) return readBatch(value, text, this.#client?.revision ?? ASSUMED_REVISION);
    return classify(value, text);
  }

  /** Do what the client says; answers go out on the channel. */
  accept(said: Said, sender: Sender): void {
    if (this.#ended) return;
    this.#renew(sender.principal);
    if (this.hasExpired) this.#giveNotice("expired");
    if (isBatch(said)) return void this.#batch(said, sender);
    if (said.kind !== "request") return this.#hear(said, sender);
    const excess = this.#count(1, sender);
    if (excess !== null) return this.#answer(this.#failed(said, sender, excess));
    void this.#respond(said, sender).then((answer) => this.#answer(answer));
  }

  /** Is the token over that keeps the connection: expired, or revoked? */
  get hasExpired(): boolean {
    return this.#isOver(this.#letInBy);
  }

  /** Take no more requests, and close when those under way are answered. */
  drain(why: CloseReason): void {
    this.#giveNotice(why);
    this.#leaveWhenDone();
  }

  /** The channel has ended: calls under way are cancelled, upstream sessions are closed. */
  async end(): Promise<void> {
    if (this.#ended) return;
    this.#ended = true;
    this.#over.resolve();
    this.#sessionless.end();
    for (const call of this.#calls.values()) call.cancel(new SluiceError("REQUEST_CANCELLED"));
    await this.#client?.bound.end();
  }

  /** A client may renew its token under way, where each of its messages brings one. */
  #renew(principal: Principal): void {
    const { expiresAt } = this.#letInBy;
    const lastsLonger = expiresAt !== null &&
      (principal.expiresAt === null || principal.expiresAt > expiresAt);
    if (lastsLonger || this.hasExpired) this.#letInBy = principal;
  }

  #isOver({ expiresAt, jti }: Principal): boolean {
    return (expiresAt !== null && expiresAt <= this.#deps.clock.now()) ||
      (jti !== null && this.#deps.catalog().revokedTokens.has(jti));
  }

  #answer(text: string | null): void {
    if (text !== null) this.#channel.send(text);
    this.#leaveWhenDone();
  }

  /** What listens has no end of its own that could be waited for. */
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

  /** @returns why the requests are not let in; null: they are */
  #count(requests: number, { caller }: Sender): SluiceError | null {
    if (caller === undefined) return null;
    try {
      this.#deps.rateLimiter?.take(MCP_TIER, caller, requests);
      return null;
    } catch (error) {
      return toSluiceError(error);
    }
  }

  /**
   * Notifications that go on to upstreams take a place, too: they cannot pile up in our memory. What is too much of them is dropped;
   * what answers us, or cancels a call, never is.
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
   * @returns null for a request that the client has cancelled: it wants no answer (2025-11-25, cancellation, "Behavior"); and for
   *  one that listens
   */
  async #respond(message: RequestMessage, sender: Sender): Promise<string | null> {
    const { admission, accessLog } = this.#deps;
    if (this.#closeReason === "expired") return this.#refuseUnread(message, sender, TOKEN_EXPIRED);
    if (this.#closeReason === "restart") return this.#refuseUnread(message, sender, RESTARTING);
    if (this.#isFull) return this.#refuseUnread(message, sender, CALLS_EXCEEDED);
    const ticket = admission.enter();
    if (ticket === REFUSED) return this.#refuseUnread(message, sender, OVERLOADED);
    this.#underWay++;
    const call = new Cancellation();
    const leave = enter({ calls: this.#calls }, message.id, call);
    const record = accessLog?.beginCall(this.#address, sender);
    if (record !== undefined) noteRequest(record.note, message);
    let listener: Listener | null = null;
    try {
      const served = await this.#serve(message, sender, { signal: call, note: record?.note });
      if (typeof served !== "string") {
        listener = served;
        return null;
      }
      record?.answered(served);
      return call.aborted ? null : served;
    } finally {
      leave();
      this.#underWay--;
      if (listener === null) admission.leave(ticket);
      else {
        admission.leaveAsStream(listener.ended);
        void listener.ended.then(() => record?.answered(null));
      }
    }
  }

  async #serve(
    message: RequestMessage,
    sender: Sender,
    more: Required<Pick<CallContext, "signal">> & Pick<CallContext, "note">,
  ): Promise<string | Listener> {
    const { dispatcher } = this.#deps;
    try {
      if (claimsRevision(message.params)) {
        const { serverId } = this.#address;
        return await this.#sessionless.serve(message, { ...sender, serverId, note: more.note }, more.signal);
      }
      const context = { ...this.#context(sender), ...more };
      if (message.method === "initialize") this.#initialize(message);
      else if (this.#client === null && message.method !== "ping") {
        throw new SluiceError("INVALID_REQUEST", { reason: "the first request must be initialize" });
      }
      return await dispatcher.respond(context, message);
    } catch (error) {
      return this.#failed(message, sender, error, more.note);
    }
  }

  #initialize(message: RequestMessage): void {
    if (this.#client !== null) throw new SluiceError("INVALID_REQUEST", { reason: "initialize came before" });
    const said = clientOf(message);
    if (said === null) return;
    const state = new ClientState({ capabilities: said.clientCapabilities, peer: this.#peer });
    // The channel is there from the start, for what belongs to no call, too.
    state.listening = true;
    this.#client = {
      revision: said.revision,
      bound: new BoundSessions(state),
      questions: this.#questions,
      calls: this.#calls,
    };
  }

  #context({ principal, received }: Sender): CallContext {
    return {
      principal,
      scope: scopeFor(this.#deps.catalog(), principal, this.#address.serverId),
      revision: this.#client?.revision ?? ASSUMED_REVISION,
      toolsAsMethods: false,
      bound: this.#client?.bound ?? null,
      received,
      client: this.#peer,
    };
  }

  #failed(message: RequestMessage, { received }: Sender, error: unknown, note?: CallNote): string {
    const reported = this.#deps.errors.report(error, { note, received });
    return errorText(idText(message), rpcErrorText(reported));
  }

  /** Costs less than what it saves: no line in the log, nothing parsed further. */
  #refuseUnread(message: RequestMessage, { received }: Sender, error: SluiceError): string {
    this.#deps.countRefused(error.code);
    return errorText(idText(message), rpcErrorText({ error, correlationId: correlationIdOf(received) }));
  }
}

const TOKEN_EXPIRED = new SluiceError("UNAUTHENTICATED", { reason: "the token has expired, or was revoked" });
const RESTARTING = new SluiceError("SHUTTING_DOWN");
const CALLS_EXCEEDED = new SluiceError("TOO_MANY_CALLS", { limit: MAX_CALLS });
const OVERLOADED = new SluiceError("OVERLOADED");

function isBatch(said: Said): said is readonly Message[] {
  return Array.isArray(said);
}
