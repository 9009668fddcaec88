// The endpoints of MCP over HTTP: /mcp, /servers/{id}/mcp and /rpc. This folder turns HTTP requests into calls, and results into
// responses; sessions and the rules of the stateless revision are in the folders beside it.
//
// This file reads a request to /mcp or /servers/{id}/mcp, finds the worker that owns its session, and writes the response.
import type { ClientMemory } from "../../base/sharing/client_memory.ts";
import type { CancelSignal } from "../../base/cancellation.ts";
import { SluiceError } from "../../base/errors.ts";
import type { Clock } from "../../base/clock.ts";
import type { ReadBody } from "../../http/body.ts";
import { jsonResponse } from "./json_response.ts";
import type { ClientWatch } from "../../http/client_watch.ts";
import { errorHeaders, type ErrorReporter, rpcErrorText } from "../../http/error_response.ts";
import type { Endpoint, Exchange } from "../../http/handler.ts";
import { discardBody } from "../../http/refusal.ts";
import { classify, errorText, idText, type Message, parseJson, piecesOf } from "../../mcp/json_rpc.ts";
import { encodeSseEvent } from "../../mcp/sse.ts";
import { noteBody } from "../../telemetry/call_note.ts";
import { cancelledKey, opensSession } from "../client/client_messages.ts";
import { EVENT_STREAM_HEADERS } from "../exchange/event_stream.ts";
import { forwarded } from "../exchange/forwarded.ts";
import {
  JSON_HEADERS,
  type McpReply,
  type McpRequest,
  type Owned,
  type Serve,
} from "../exchange/mcp_exchange.ts";
import { checkLength } from "../exchange/batch.ts";
import { requireScopes } from "./scope_check.ts";
import { noteRequest } from "../exchange/request_note.ts";
import { mayBeSessionless } from "../sessionless/request_claims.ts";
import { ownStateIn, type PendingCalls } from "../sessionless/pending_calls.ts";
import { serverAt } from "../exchange/visible_scope.ts";
import type { SessionClaims, SessionIds } from "../session/session_id.ts";

export interface McpEndpointDeps {
  readonly ids: SessionIds;
  readonly clock: Clock;
  readonly memory: ClientMemory;
  readonly clients: Pick<ClientWatch, "enter" | "leave">;
  readonly readBody: ReadBody;
  /** Serves requests for sessions of this worker. */
  readonly serveInSession: (
    request: McpRequest,
    claims: SessionClaims | null,
    signal: CancelSignal,
  ) => Promise<McpReply>;
  /** Serves requests of 2026-07-28; null if the request turns out to be of another revision. */
  readonly serveSessionless: (request: McpRequest, signal: CancelSignal) => Promise<McpReply | null>;
  readonly pendingCalls: Pick<PendingCalls, "claimsOf">;
  /** The way to the worker, of this replica or another, that owns a session or pending call; null: this worker does. */
  readonly elsewhere: (claims: SessionClaims, owned: Owned) => Serve | null;
  readonly maxJsonDepth: number;
  /** JSON_RESPONSE_ENABLED */
  readonly prefersJson: boolean;
  readonly errors: ErrorReporter;
}

export class McpEndpoint implements Endpoint {
  readonly name = "mcp";
  readonly speaks = "json-rpc";
  readonly streamsOnGet = true;
  readonly answersOverLimit = true;
  readonly #deps: McpEndpointDeps;

  constructor(deps: McpEndpointDeps) {
    this.#deps = deps;
  }

  async serve(exchange: Exchange): Promise<Response> {
    const { request, path, principal, caller, overLimit, note, trace } = exchange;
    const { clients, readBody, memory, prefersJson } = this.#deps;
    const { headers, method } = request;
    // An empty id means no session, as for several clients.
    const sessionId = headers.get("mcp-session-id") || null;
    if (overLimit !== undefined && (method === "GET" || !this.#isSession(sessionId))) {
      discardBody(request);
      throw overLimit;
    }
    if (method !== "POST" && method !== "GET" && method !== "DELETE") {
      throw new SluiceError("METHOD_NOT_ALLOWED", { method, allowed: "GET, POST, DELETE" });
    }
    const { acceptsJson, acceptsStream } = acceptedTypes(headers.get("accept"));
    if (method === "POST" && !acceptsJson && !acceptsStream) {
      throw new SluiceError("NOT_ACCEPTABLE", { types: "application/json, text/event-stream" });
    }
    const mcpRequest: McpRequest = {
      method,
      principal,
      caller,
      serverId: serverIdIn(path),
      sessionId,
      headers,
      protocolVersion: headers.get("mcp-protocol-version"),
      acceptsStream,
      acceptsJson: acceptsJson && (prefersJson || !acceptsStream),
      body: method === "POST" ? await readBody(request, exchange) : "",
      note,
      trace,
    };
    if (principal.resource !== undefined) {
      requireScopes(principal, mcpRequest.body, this.#deps.maxJsonDepth);
    }
    const clientGone = clients.enter(request);
    try {
      const reply = overLimit === undefined
        ? await this.#reply(mcpRequest, clientGone)
        : await this.#replyOverLimit(overLimit, mcpRequest, clientGone);
      return responseOf(reply, exchange, memory);
    } catch (error) {
      if (overLimit !== undefined || !isPassing(error) || !this.#isSession(sessionId)) throw error;
      // The further messages of a batch are counted once it is read.
      const reply = error.code === "RATE_LIMITED"
        ? await this.#replyOverLimit(error, mcpRequest, clientGone)
        : this.#refusalOf(mcpRequest, error);
      if (reply === null) throw error;
      return responseOf(reply, exchange, memory);
    } finally {
      clients.leave(clientGone);
    }
  }

  #reply(request: McpRequest, clientGone: CancelSignal): Promise<McpReply> {
    return mayBeSessionless(request)
      ? this.#sessionlessReply(request, clientGone).then((reply) =>
        reply ?? this.#sessionReply(request, clientGone)
      )
      : this.#sessionReply(request, clientGone);
  }

  #sessionReply(request: McpRequest, clientGone: CancelSignal): Promise<McpReply> {
    const { ids, clock, serveInSession, elsewhere } = this.#deps;
    const { sessionId, body, note } = request;
    const claims = sessionId === null ? null : ids.open(sessionId, clock.now());
    const forward = claims === null ? null : elsewhere(claims, "session");
    if (sessionId !== null && (claims === null || forward !== null) && opensSession(body)) {
      return serveInSession({ ...request, sessionId: null }, null, clientGone);
    }
    if (sessionId !== null && claims === null) throw new SluiceError("SESSION_NOT_FOUND");
    if (note !== undefined && claims !== null) note.session = claims.name;
    return forward === null
      ? serveInSession(request, claims, clientGone)
      : forwarded(request, (request) => forward(request, clientGone));
  }

  #isSession(sessionId: string | null): boolean {
    const { ids, clock } = this.#deps;
    return sessionId !== null && ids.open(sessionId, clock.now()) !== null;
  }

  /**
   * Takes what must be taken of a session above a limit of its caller: its end, responses and cancellations. Calls are refused, and
   * other notifications are dropped, as on duplex channels.
   */
  #replyOverLimit(
    overLimit: SluiceError,
    request: McpRequest,
    clientGone: CancelSignal,
  ): Promise<McpReply> | McpReply {
    if (request.method === "DELETE") return this.#reply(request, clientGone);
    const refusal = this.#refusalOf(request, overLimit);
    if (refusal !== null) return refusal;
    const isTaken = this.#messagesOf(request).some((message) =>
      message.kind === "response" || cancelledKey(message) !== null
    );
    return isTaken ? this.#reply(request, clientGone) : { status: 202, headers: {}, body: null };
  }

  /**
   * Refuses calls in a session as JSON-RPC errors with HTTP 200: a 429 or 503 ends the whole session of the official Python SDK 1.x.
   * Null: the request has no call.
   */
  #refusalOf(request: McpRequest, refusal: SluiceError): McpReply | null {
    const { body, headers, acceptsJson, note } = request;
    const calls = this.#messagesOf(request).filter((message) => message.kind === "request");
    if (calls.length === 0) return null;
    if (note !== undefined) noteRequest(note, calls[0]!);
    const error = rpcErrorText(this.#deps.errors.report(refusal, { note, received: headers }));
    const answers = calls.map((call) => errorText(idText(call), error));
    const text = isBatch(body) ? `[${answers.join(",")}]` : answers[0]!;
    const retry = errorHeaders(refusal);
    return acceptsJson
      ? { status: 200, headers: { ...JSON_HEADERS, ...retry }, body: text }
      : { status: 200, headers: { ...EVENT_STREAM_HEADERS, ...retry }, body: encodeSseEvent(text) };
  }

  #messagesOf({ method, body }: McpRequest): Message[] {
    if (method !== "POST") return [];
    const value = parseJson(body, this.#deps.maxJsonDepth);
    if (Array.isArray(value)) checkLength(value);
    return piecesOf(value, body).map(([value, text]) => classify(value, text));
  }

  /** Without sessions, the `requestState` of an earlier response names the worker. */
  async #sessionlessReply(request: McpRequest, clientGone: CancelSignal): Promise<McpReply | null> {
    const { method, body } = request;
    if (method !== "POST") throw new SluiceError("METHOD_NOT_ALLOWED", { method, allowed: "POST" });
    const { pendingCalls, serveSessionless, elsewhere } = this.#deps;
    const claims = pendingCalls.claimsOf(ownStateIn(body));
    const forward = claims === null ? null : elsewhere(claims, "pending_call");
    return forward === null
      ? await serveSessionless(request, clientGone)
      : await forwarded(request, (request) => forward(request, clientGone));
  }
}

/** May the request be taken later, as it is? */
function isPassing(error: unknown): error is SluiceError {
  return error instanceof SluiceError && (error.row.http === 429 || error.row.http === 503);
}

function isBatch(body: string): boolean {
  return body.trimStart().startsWith("[");
}

function responseOf({ status, headers, body }: McpReply, exchange: Exchange, memory: ClientMemory): Response {
  exchange.isStream = body instanceof ReadableStream;
  if (typeof body !== "string") return new Response(body, { status, headers });
  if (exchange.note !== undefined) noteBody(exchange.note, body);
  return jsonResponse(memory, exchange, body, { status, headers });
}

/** `/servers/{id}/mcp` -> id; null for `/mcp`. */
export function serverIdIn(path: string): string | null {
  return serverAt(path, "mcp");
}

/** The media types that the client accepts. Lenient: many clients name one of the two, or none. */
function acceptedTypes(accept: string | null): { acceptsJson: boolean; acceptsStream: boolean } {
  if (accept === null || accept.includes("*/*")) return { acceptsJson: true, acceptsStream: true };
  return {
    acceptsJson: /application\/(json|\*)/i.test(accept),
    acceptsStream: /text\/(event-stream|\*)/i.test(accept),
  };
}
