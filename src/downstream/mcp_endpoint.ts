// The HTTP edge of /mcp and /servers/{id}/mcp: reads the request, finds the worker that owns its session, writes the reply.
import type { CancelSignal } from "../base/cancellation.ts";
import { SluiceError } from "../base/errors.ts";
import type { Clock } from "../base/clock.ts";
import type { ReadBody } from "../http/body.ts";
import type { ClientWatch } from "../http/client_watch.ts";
import type { Endpoint, Exchange } from "../http/handler.ts";
import { noteBody } from "../telemetry/call_note.ts";
import type { McpReply, McpRequest } from "./mcp_exchange.ts";
import type { SessionClaims, SessionIds } from "./session_id.ts";

export interface McpEndpointDeps {
  readonly ids: SessionIds;
  readonly clock: Clock;
  readonly clients: Pick<ClientWatch, "enter" | "leave">;
  readonly readBody: ReadBody;
  /** Serves what belongs to this worker. */
  readonly serveHere: (
    request: McpRequest,
    claims: SessionClaims | null,
    signal: CancelSignal,
  ) => Promise<McpReply>;
  /** The worker that serves a session now; null: this one. */
  readonly ownerOf: (claims: SessionClaims) => number | null;
  readonly forward: (worker: number, request: McpRequest, signal: CancelSignal) => Promise<McpReply>;
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
    const { request, path, principal, note } = exchange;
    const { ids, clock, clients, readBody, serveHere, ownerOf, forward } = this.#deps;
    const { headers, method } = request;
    if (method !== "POST" && method !== "GET" && method !== "DELETE") {
      throw new SluiceError("METHOD_NOT_ALLOWED", { method, allowed: "GET, POST, DELETE" });
    }
    const accepts = acceptedTypes(headers.get("accept"));
    if (method === "POST" && !accepts.acceptsJson && !accepts.acceptsStream) {
      throw new SluiceError("NOT_ACCEPTABLE", { types: "application/json, text/event-stream" });
    }
    const sessionId = headers.get("mcp-session-id");
    const claims = sessionId === null ? null : ids.open(sessionId, clock.now());
    if (sessionId !== null && claims === null) throw new SluiceError("SESSION_NOT_FOUND");
    if (note !== undefined && claims !== null) note.session = claims.name;
    const mcpRequest: McpRequest = {
      method,
      principal,
      serverId: serverIdIn(path),
      sessionId,
      headers,
      protocolVersion: headers.get("mcp-protocol-version"),
      ...accepts,
      body: method === "POST" ? await readBody(request) : "",
      note,
    };
    const owner = claims === null ? null : ownerOf(claims);
    const clientGone = clients.enter(request);
    try {
      const reply = owner === null
        ? await serveHere(mcpRequest, claims, clientGone)
        : await forward(owner, mcpRequest, clientGone);
      exchange.isStream = reply.body instanceof ReadableStream;
      if (note !== undefined && typeof reply.body === "string") noteBody(note, reply.body);
      return new Response(reply.body, { status: reply.status, headers: reply.headers });
    } finally {
      clients.leave(clientGone);
    }
  }
}

/** `/servers/{id}/mcp` -> id; null for `/mcp`. */
export function serverIdIn(path: string): string | null {
  return /^\/servers\/([^/]+)\/mcp$/.exec(path)?.[1] ?? null;
}

/** Lenient towards clients that name one of the two types only, or none. */
function acceptedTypes(accept: string | null): { acceptsJson: boolean; acceptsStream: boolean } {
  if (accept === null || accept.includes("*/*")) return { acceptsJson: true, acceptsStream: true };
  return {
    acceptsJson: /application\/(json|\*)/i.test(accept),
    acceptsStream: /text\/(event-stream|\*)/i.test(accept),
  };
}
