// Streamable HTTP of the revisions with sessions (2025-03-26 to 2025-11-25): serves the POST, GET or DELETE of a session.
import type { ClientMemory } from "../../base/sharing/client_memory.ts";
import { Cancellation, type CancelSignal } from "../../base/cancellation.ts";
import type { Principal } from "../../auth/principal.ts";
import type { Catalog, Scope } from "../../catalog/snapshot/catalog.ts";
import { isError, SluiceError } from "../../base/errors.ts";
import { classify, type Message, parseJson, type RequestMessage } from "../../mcp/json_rpc.ts";
import {
  ASSUMED_REVISION,
  isSessionRevision,
  SESSION_REVISIONS,
  type SessionRevision,
} from "../../mcp/revisions.ts";
import { encodeSseEvent } from "../../mcp/sse.ts";
import { noteMethod } from "../../telemetry/call_note.ts";
import type { CallContext } from "../../proxy/call/call_context.ts";
import type { Dispatcher } from "../../proxy/dispatch.ts";
import type { Upstreams } from "../../upstream/upstreams.ts";
import { type BatchCounts, type BatchPlaces, countBatch, readBatch, serveBatch } from "../exchange/batch.ts";
import { abortWith } from "../exchange/client_gone.ts";
import { CallReply, type CallReplyLimits } from "./call_reply.ts";
import { clientOf, opensSession, receive } from "../client/client_messages.ts";
import { RunningCall } from "../client/running_calls.ts";
import { PRIMED_SINCE } from "../exchange/event_log.ts";
import { EVENT_STREAM_HEADERS } from "../exchange/event_stream.ts";
import { JSON_HEADERS, type McpReply, type McpRequest, type Serve } from "../exchange/mcp_exchange.ts";
import { unsupportedRevision } from "../../proxy/call/unsupported_revision.ts";
import { noteMember, noteRequest } from "../exchange/request_note.ts";
import { scopeFor } from "../exchange/visible_scope.ts";
import type { DownstreamSession } from "../session/downstream_session.ts";
import type { DownstreamSessions } from "../session/downstream_sessions.ts";
import type { SessionClaims } from "../session/session_id.ts";

export interface StreamableHttpDeps extends BatchCounts {
  readonly dispatcher: Dispatcher;
  readonly sessions: DownstreamSessions;
  readonly catalog: () => Catalog;
  readonly maxJsonDepth: number;
  readonly batchPlaces: BatchPlaces;
  readonly memory: ClientMemory;
  readonly upstreams: Pick<Upstreams, "listen" | "notify" | "review">;
  /** Takes a client's message about a call or question that this worker does not know. Its predecessor may. */
  readonly onStray: (sessionName: string, text: string) => void;
  /** The way to this worker's predecessor, which keeps the streams of its calls to its end; null: there is none. */
  readonly predecessor: () => Serve | null;
}

const ACCEPTED: McpReply = { status: 202, headers: {}, body: null };

export class StreamableHttp {
  readonly #deps: StreamableHttpDeps;
  readonly #limits: CallReplyLimits;

  constructor(deps: StreamableHttpDeps) {
    this.#deps = deps;
    this.#limits = { callers: deps.batchPlaces.callers, memory: deps.memory };
  }

  /**
   * Serves a request without a session, or of a session of this worker.
   * @param claims of the session id; null if the request names none
   * @param signal aborted when the client has disconnected
   * @throws {SluiceError} failures of the whole request; failures of single calls are in the reply
   */
  async serve(request: McpRequest, claims: SessionClaims | null, signal: CancelSignal): Promise<McpReply> {
    checkVersionHeader(request.protocolVersion);
    const session = claims === null ? null : this.#inUse(request) ?? await this.#find(request, claims);
    if (request.method === "POST") return await this.#post(request, session, signal);
    if (session === null) {
      // An unknown virtual server is the better reason.
      this.#scope(request.principal, request.serverId);
      throw new SluiceError("INVALID_REQUEST", { reason: "the Mcp-Session-Id header is missing" });
    }
    if (request.method === "GET") return await this.#get(request, session, signal);
    await this.#deps.sessions.end(session, "REQUEST_CANCELLED");
    return { status: 204, headers: {}, body: null };
  }

  /** Serves a GET for the rest of a stream, in a session that the successor has now. @throws {SluiceError} as `serve()` */
  resume({ principal, serverId, headers }: McpRequest, claims: SessionClaims): McpReply {
    const session = this.#deps.sessions.released(claims, principal, serverId);
    return streamOf(session, headers.get("last-event-id"), principal);
  }

  /** Nearly every request finds its session here, and waits for nothing. */
  #inUse({ sessionId, principal, serverId }: McpRequest): DownstreamSession | null {
    return this.#deps.sessions.inUse(sessionId!, principal, serverId);
  }

  /** @returns null for an `initialize`, which needs no session that has ended */
  async #find(
    { sessionId, principal, serverId, body }: McpRequest,
    claims: SessionClaims,
  ): Promise<DownstreamSession | null> {
    const { sessions, upstreams, catalog } = this.#deps;
    let session: DownstreamSession;
    try {
      session = await sessions.find(sessionId!, claims, principal, serverId);
    } catch (error) {
      if (isError(error, "SESSION_NOT_FOUND") && opensSession(body)) return null;
      throw error;
    }
    const isNew = session.principal === null;
    session.principal = principal;
    // Another worker opened the session. What the caller may use has not been checked here.
    if (isNew) session.review(catalog(), upstreams);
    return session;
  }

  #post(
    request: McpRequest,
    session: DownstreamSession | null,
    signal: CancelSignal,
  ): Promise<McpReply> | McpReply {
    const value = parseJson(request.body, this.#deps.maxJsonDepth);
    if (Array.isArray(value)) return this.#batch(value, request, session, signal);
    const message = classify(value, request.body);
    if (message.kind !== "request") {
      if (session !== null) this.#receive(session, message);
      return ACCEPTED;
    }
    if (request.note !== undefined) noteRequest(request.note, message);
    if (message.method === "initialize") return this.#initialize(message, request);
    return this.#call(message, request, session, signal);
  }

  #receive(session: DownstreamSession, message: Exclude<Message, RequestMessage>): void {
    const { upstreams, onStray } = this.#deps;
    void receive(session, message, upstreams).then((isOurs) => {
      if (!isOurs) onStray(session.name, message.text);
    });
  }

  async #initialize(message: RequestMessage, request: McpRequest): Promise<McpReply> {
    const context = this.#context(request, null);
    const body = await this.#deps.dispatcher.respond(context, message);
    const client = clientOf(message, context.scope.revisions);
    const reply = request.acceptsJson
      ? { status: 200, headers: JSON_HEADERS, body }
      : { status: 200, headers: EVENT_STREAM_HEADERS, body: encodeSseEvent(body, { event: "message" }) };
    // `initialize` failed: there is no session.
    if (client === null) return reply;
    const session = await this.#deps.sessions.open(request.principal, request.serverId, client);
    return { ...reply, headers: { ...reply.headers, "mcp-session-id": session.id } };
  }

  #call(
    message: RequestMessage,
    request: McpRequest,
    session: DownstreamSession | null,
    clientGone: CancelSignal,
  ): Promise<McpReply> {
    const call = new RunningCall(message.id);
    const reply = new CallReply(request, session, call, this.#limits);
    const context = this.#context(request, session, { client: reply.client });
    // From its start on, a stream that the client can resume bears a lost connection.
    if (!request.acceptsJson && session !== null && session.revision >= PRIMED_SINCE) reply.begin();
    this.#respond(context, message, session, { call, clientGone })
      .then((body) => isCancelled(call) ? reply.withdraw(body) : reply.finish(body))
      .catch((error) => reply.fail(error));
    return reply.reply;
  }

  /**
   * Serves a call and registers it, so that the client can cancel it. A disconnect before the response has begun cancels it too:
   * without a stream there is nothing to resume, and nobody would read the result.
   */
  async #respond(
    context: CallContext,
    message: RequestMessage,
    session: DownstreamSession | null,
    { call, clientGone }: { readonly call: RunningCall; readonly clientGone: CancelSignal },
  ): Promise<string> {
    const stay = abortWith(clientGone, call);
    session?.calls.enter(call);
    try {
      return await this.#deps.dispatcher.respond({ ...context, signal: call }, message);
    } finally {
      stay();
      session?.calls.leave(call);
    }
  }

  #batch(
    values: readonly unknown[],
    request: McpRequest,
    session: DownstreamSession | null,
    clientGone: CancelSignal,
  ): Promise<McpReply> | McpReply {
    const revision = session?.revision ?? request.protocolVersion ?? ASSUMED_REVISION;
    const messages = readBatch(values, request.body, revision);
    countBatch(this.#deps, request, messages.length);
    const requests: RequestMessage[] = [];
    for (const message of messages) {
      if (message.kind === "request") requests.push(message);
      else if (session !== null) this.#receive(session, message);
    }
    if (requests.length === 0) return ACCEPTED;
    if (request.note !== undefined) noteMethod(request.note, "batch");
    const all = new Cancellation();
    const reply = new CallReply(request, session, all, this.#limits);
    const context = this.#context(request, session, { client: reply.client });
    const calls = requests.map((message) => {
      const call = new RunningCall(message.id);
      all.addEventListener("abort", () => call.cancel(all.reason));
      return { message, call };
    });
    serveBatch(calls, request.principal, this.#deps.batchPlaces, ({ message, call }) => {
      const note = noteMember(request.note, message);
      return this.#respond({ ...context, note }, message, session, { call, clientGone });
    }).then((bodies) => {
      const wanted = bodies.filter((_, i) => !isCancelled(calls[i]!.call));
      if (wanted.length > 0) reply.finishBatch(wanted);
      else reply.withdraw(`[${bodies.join(",")}]`);
    }).catch((error) => reply.fail(error));
    return reply.reply;
  }

  #get(
    request: McpRequest,
    session: DownstreamSession,
    signal: CancelSignal,
  ): Promise<McpReply> | McpReply {
    const { acceptsStream, headers, principal, serverId } = request;
    this.#scope(principal, serverId);
    if (!acceptsStream) throw new SluiceError("NOT_ACCEPTABLE", { types: "text/event-stream" });
    const lastEventId = headers.get("last-event-id");
    const predecessor = session.knows(lastEventId) ? null : this.#deps.predecessor();
    if (predecessor !== null) return predecessor({ ...request, isForReleased: true }, signal);
    const reply = streamOf(session, lastEventId, principal);
    const { client } = session.bound;
    if (session.isCarried && !client.listening) {
      // If the records cannot be written now, the next change writes them.
      client.beginListening().catch(() => {});
      void this.#deps.upstreams.listen(session.bound);
    }
    return reply;
  }

  #context(
    { principal, serverId, protocolVersion, headers, note, trace }: McpRequest,
    session: DownstreamSession | null,
    more: Pick<CallContext, "client"> = {},
  ): CallContext {
    const scope = this.#scope(principal, serverId);
    return {
      principal,
      scope: session?.lists.over(scope) ?? scope,
      revision: session?.revision ??
        (isSessionRevision(protocolVersion) ? protocolVersion : ASSUMED_REVISION),
      toolsAsMethods: false,
      bound: session?.bound ?? null,
      lists: session?.lists ?? null,
      received: headers,
      note,
      trace,
      ...more,
    };
  }

  #scope(principal: Principal, serverId: string | null): Scope {
    return scopeFor(this.#deps.catalog(), principal, serverId);
  }
}

/** @throws {SluiceError} INVALID_REQUEST for an unknown or dropped event */
function streamOf(session: DownstreamSession, lastEventId: string | null, principal: Principal): McpReply {
  // 204 ends the client's attempts to resume (WHATWG HTML, "Server-sent events").
  if (session.isWithdrawn(lastEventId)) return { status: 204, headers: {}, body: null };
  const { readable } = session.listen(lastEventId, principal);
  return { status: 200, headers: EVENT_STREAM_HEADERS, body: readable };
}

/** Has the client itself cancelled the call, or ended its session? Then it expects no response. */
function isCancelled({ aborted, reason }: CancelSignal): boolean {
  return aborted && isError(reason, "REQUEST_CANCELLED");
}

function checkVersionHeader(version: string | null): asserts version is SessionRevision | null {
  if (version !== null && !isSessionRevision(version)) throw unsupportedRevision(version, SESSION_REVISIONS);
}
