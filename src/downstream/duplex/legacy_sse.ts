// HTTP with SSE of MCP 2024-11-05, in ContextForge's shapes. GET /sse opens a session as an event stream; the first event names the
// path for the client's messages. Each POST there is answered 202, and the JSON-RPC response comes as an event. The session ends with
// its stream. A POST may reach any worker: the session's sealed id names the worker that has the stream.
import type { ClientMemory } from "../../base/sharing/client_memory.ts";
import type { CancelSignal } from "../../base/cancellation.ts";
import type { Clock } from "../../base/clock.ts";
import { isError, SluiceError } from "../../base/errors.ts";
import type { Catalog } from "../../catalog/snapshot/catalog.ts";
import type { ReadBody } from "../../http/body.ts";
import type { Endpoint, Exchange } from "../../http/handler.ts";
import { peerAddress } from "../../base/egress/trusted_proxies.ts";
import { type BatchCounts, countBatch } from "../exchange/batch.ts";
import type { DuplexSession } from "./duplex_session.ts";
import type { DuplexSessions } from "./duplex_sessions.ts";
import type { PublicPrefix } from "./public_prefix.ts";
import { EVENT_STREAM_HEADERS, EventStream } from "../exchange/event_stream.ts";
import { JSON_HEADERS, type McpReply, type McpRequest, type Serve } from "../exchange/mcp_exchange.ts";
import { noteRequest } from "../exchange/request_note.ts";
import { scopeFor, serverAt } from "../exchange/visible_scope.ts";
import {
  isBoundTo,
  ownerOf,
  type SessionClaims,
  type SessionIds,
  type WorkerPlace,
} from "../session/session_id.ts";

export interface LegacySseDeps extends BatchCounts {
  readonly ids: SessionIds;
  readonly clock: Clock;
  readonly place: WorkerPlace;
  readonly sessions: DuplexSessions;
  readonly memory: ClientMemory;
  readonly catalog: () => Catalog;
  readonly readBody: ReadBody;
  readonly publicPrefix: PublicPrefix;
  /** The way to the worker, of this replica or another, that has the stream; null: this worker has it. */
  readonly elsewhere: (claims: SessionClaims, owned: "sse_stream") => Serve | null;
  /** The way to this worker's predecessor, which keeps its streams to its end; null: there is none. */
  readonly predecessor: () => Serve | null;
}

interface OpenStream {
  readonly session: DuplexSession;
  /** The virtual server in the path; null for /sse. */
  readonly serverId: string | null;
  readonly stream: EventStream;
}

/** The latest expiry that an id can hold. The id stops working with its stream, so it needs no other expiry. */
const NEVER_S = 0xffff_ffff;

const RECEIVED: McpReply = { status: 202, headers: JSON_HEADERS, body: '{"status":"success"}' };

/** The signal of a POST that hands over a message: never aborted, since nothing is awaited. */
const NEVER_CANCELLED: CancelSignal = new AbortController().signal;

export class LegacySse {
  /** /sse, /servers/{id}/sse */
  readonly streams: Endpoint = {
    name: "sse",
    speaks: "json-rpc",
    streamsOnGet: true,
    serve: async (exchange) => this.#openStream(exchange),
  };
  /** /message, /servers/{id}/message */
  readonly messages: Endpoint = {
    name: "message",
    speaks: "json-rpc",
    serve: (exchange) => this.#post(exchange),
  };
  readonly #deps: LegacySseDeps;
  readonly #open = new Map<string, OpenStream>();

  constructor(deps: LegacySseDeps) {
    this.#deps = deps;
  }

  /** Takes a message for a stream of this worker. @throws {SluiceError} SESSION_NOT_FOUND, and what `DuplexSession.read()` throws */
  async receive(message: McpRequest): Promise<McpReply> {
    const { sessionId, body, principal, headers, note } = message;
    const open = this.#open.get(sessionId!);
    if (open === undefined) return await this.#askPredecessor(message);
    const { session, serverId } = open;
    const claims = this.#deps.ids.open(sessionId!, this.#deps.clock.now());
    if (claims === null || !isBoundTo(claims, ownerOf(principal, serverId))) notFound();
    const said = session.read(body);
    if (Array.isArray(said)) countBatch(this.#deps, message, said.length);
    if (note !== undefined && "method" in said) noteRequest(note, said);
    // The POST gives back its place before its call takes one: both are the same request.
    this.#deps.clock.setTimeout(() => session.accept(said, { principal, received: headers }), 0);
    return RECEIVED;
  }

  keepStreamsAlive(): void {
    for (const { stream } of this.#open.values()) stream.keepalive();
  }

  async #askPredecessor(message: McpRequest): Promise<McpReply> {
    const predecessor = this.#deps.predecessor();
    if (predecessor === null) notFound();
    return await predecessor(message, NEVER_CANCELLED).catch((error) => {
      // The worker is gone, and its streams with it.
      throw isError(error, "WORKER_GONE") ? new SluiceError("SESSION_NOT_FOUND") : error;
    });
  }

  #openStream(exchange: Exchange): Response {
    const { request, path, principal, note, info } = exchange;
    const { ids, clock, place: { replica, worker }, sessions, catalog, memory } = this.#deps;
    if (request.method !== "GET") {
      throw new SluiceError("METHOD_NOT_ALLOWED", { method: request.method, allowed: "GET" });
    }
    sessions.requireOpen();
    const serverId = serverAt(path, "sse");
    scopeFor(catalog(), principal, serverId);
    const id = ids.seal({
      replica: replica.now,
      worker,
      expiresAt: NEVER_S,
      owner: ownerOf(principal, serverId),
    });
    if (note !== undefined) note.session = ids.open(id, clock.now())!.name;
    const stream = new EventStream(memory.hold(principal), () => {
      this.#open.delete(id);
      void session.end();
    });
    const session = sessions.open({ principal, serverId, path, endpoint: "sse", client: note?.client }, {
      send: (text) => stream.send(text),
      close: () => stream.close(),
    });
    this.#open.set(id, { session, stream, serverId });
    const address = messageAddress(
      request,
      path,
      this.#deps.publicPrefix.of(request.headers, peerAddress(info)),
    );
    stream.tell("endpoint", `${address}?session_id=${id}`);
    exchange.isStream = true;
    return new Response(stream.readable, { headers: EVENT_STREAM_HEADERS });
  }

  async #post(exchange: Exchange): Promise<Response> {
    const { request, path, principal, caller, note } = exchange;
    const { ids, clock, readBody, elsewhere } = this.#deps;
    if (request.method !== "POST") {
      throw new SluiceError("METHOD_NOT_ALLOWED", { method: request.method, allowed: "POST" });
    }
    const sessionId = new URL(request.url).searchParams.get("session_id");
    if (sessionId === null) throw new SluiceError("INVALID_REQUEST", { reason: "session_id is missing" });
    const serverId = serverAt(path, "message");
    const claims = ids.open(sessionId, clock.now());
    if (claims === null) notFound();
    // A client that resolves a relative address against the host alone posts to /message, also for a virtual server. The owner of the
    // stream checks the caller then.
    if (serverId !== null && !isBoundTo(claims, ownerOf(principal, serverId))) notFound();
    if (note !== undefined) note.session = claims.name;
    const message: McpRequest = {
      isForSse: true,
      method: "POST",
      principal,
      caller,
      serverId,
      sessionId,
      headers: request.headers,
      protocolVersion: null,
      acceptsStream: false,
      acceptsJson: true,
      body: await readBody(request, exchange),
      note,
    };
    // A stream stays in the worker that opened it, even when a successor has that worker's sessions.
    const forward = this.#open.has(sessionId) ? null : elsewhere(claims, "sse_stream");
    const reply = forward === null ? await this.receive(message) : await forward(message, NEVER_CANCELLED);
    return new Response(reply.body, { status: reply.status, headers: reply.headers });
  }
}

/**
 * Where the client posts its messages: the sibling of its own address, which the gateway need not know. Behind a known prefix it is a
 * whole path, for clients that resolve addresses against the host alone.
 */
function messageAddress({ url }: Request, path: string, prefix: string | null): string {
  if (prefix !== null) return `${prefix}${path.replace(/[^/]+$/, "")}message`;
  return /^[^?]*\/(\?|$)/.test(url) ? "../message" : "message";
}

function notFound(): never {
  throw new SluiceError("SESSION_NOT_FOUND");
}
