// The endpoints of MCP over HTTP: /mcp, /servers/{id}/mcp and /rpc. This folder turns HTTP requests into calls, and results into
// responses; sessions and the rules of the stateless revision are in the folders beside it.
//
// This file reads a request to /mcp or /servers/{id}/mcp, finds the worker that owns its session, and writes the response.
import type { CancelSignal } from "../../base/cancellation.ts";
import { SluiceError } from "../../base/errors.ts";
import type { Clock } from "../../base/clock.ts";
import type { ReadBody } from "../../http/body.ts";
import type { ClientWatch } from "../../http/client_watch.ts";
import type { Endpoint, Exchange } from "../../http/handler.ts";
import { noteBody } from "../../telemetry/call_note.ts";
import type { McpReply, McpRequest, Owned, Serve } from "../exchange/mcp_exchange.ts";
import { mayBeSessionless } from "../sessionless/request_claims.ts";
import { ownStateIn, type PendingCalls } from "../sessionless/pending_calls.ts";
import { serverAt } from "../exchange/visible_scope.ts";
import type { SessionClaims, SessionIds } from "../session/session_id.ts";

export interface McpEndpointDeps {
  readonly ids: SessionIds;
  readonly clock: Clock;
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
}

export class McpEndpoint implements Endpoint {
  readonly name = "mcp";
  readonly speaks = "json-rpc";
  readonly streamsOnGet = true;
  readonly #deps: McpEndpointDeps;

  constructor(deps: McpEndpointDeps) {
    this.#deps = deps;
  }

  async serve(exchange: Exchange): Promise<Response> {
    const { request, path, principal, caller, note } = exchange;
    const { clients, readBody } = this.#deps;
    const { headers, method } = request;
    if (method !== "POST" && method !== "GET" && method !== "DELETE") {
      throw new SluiceError("METHOD_NOT_ALLOWED", { method, allowed: "GET, POST, DELETE" });
    }
    const accepts = acceptedTypes(headers.get("accept"));
    if (method === "POST" && !accepts.acceptsJson && !accepts.acceptsStream) {
      throw new SluiceError("NOT_ACCEPTABLE", { types: "application/json, text/event-stream" });
    }
    const mcpRequest: McpRequest = {
      method,
      principal,
      caller,
      serverId: serverIdIn(path),
      sessionId: headers.get("mcp-session-id"),
      headers,
      protocolVersion: headers.get("mcp-protocol-version"),
      ...accepts,
      body: method === "POST" ? await readBody(request) : "",
      note,
    };
    const clientGone = clients.enter(request);
    try {
      const reply = await this.#reply(mcpRequest, clientGone);
      exchange.isStream = reply.body instanceof ReadableStream;
      if (note !== undefined && typeof reply.body === "string") noteBody(note, reply.body);
      return new Response(reply.body, { status: reply.status, headers: reply.headers });
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
    const { sessionId, note } = request;
    const claims = sessionId === null ? null : ids.open(sessionId, clock.now());
    if (sessionId !== null && claims === null) throw new SluiceError("SESSION_NOT_FOUND");
    if (note !== undefined && claims !== null) note.session = claims.name;
    const forward = claims === null ? null : elsewhere(claims, "session");
    return forward === null ? serveInSession(request, claims, clientGone) : forward(request, clientGone);
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
      : await forward(request, clientGone);
  }
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
