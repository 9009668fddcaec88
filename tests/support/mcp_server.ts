// A worker's streamable HTTP side without HTTP: the real StreamableHttp around fake upstreams, asked by plain requests.
import { CallerTurns } from "../../src/base/sharing/caller_turns.ts";
import { ClientMemory } from "../../src/base/sharing/client_memory.ts";
import type { BatchPlaces } from "../../src/downstream/exchange/batch.ts";
import { batchPlaces } from "./batch_places.ts";
import { MemoryCache } from "../../src/cache/memory_cache.ts";
import type { McpReply, McpRequest, Serve } from "../../src/downstream/exchange/mcp_exchange.ts";
import { TokenExpiry } from "../../src/downstream/exchange/token_expiry.ts";
import { DownstreamSessions } from "../../src/downstream/session/downstream_sessions.ts";
import { SessionIds } from "../../src/downstream/session/session_id.ts";
import { StreamableHttp } from "../../src/downstream/http/session_http.ts";
import type { RateLimiter } from "../../src/http/limits/rate_limit.ts";
import type { CatalogRows } from "../../src/store/registry/rows.ts";
import { dataPlane } from "./data_plane.ts";
import type { FakeUpstream } from "./fake_upstream.ts";
import { FakeClock } from "./fake_clock.ts";
import { TaskIds } from "../../src/proxy/tasks/task_ids.ts";
import { ownListsDeps } from "./own_lists.ts";
import { principal } from "./fakes.ts";

export async function mcpServer(
  rows: Partial<CatalogRows>,
  fakes: Readonly<Record<string, FakeUpstream>> = {},
  { rateLimiter = null, places = batchPlaces(), predecessor = () => null }: {
    rateLimiter?: RateLimiter | null;
    places?: BatchPlaces;
    predecessor?: () => Serve | null;
  } = {},
) {
  const plane = await dataPlane(rows, fakes);
  const clock = new FakeClock();
  const ids = new SessionIds("secret");
  const records = new MemoryCache(clock);
  const memory = new ClientMemory(Infinity);
  let catalog = plane.catalog;
  const sessions = new DownstreamSessions({
    ids,
    records,
    clock,
    place: { replica: { now: 0 }, worker: 0 },
    idleMs: 60_000,
    clientRequestTimeoutMs: 60_000,
    resumeWindowMs: 30_000,
    limits: { perCaller: 1_000, perWorker: 1_000 },
    taskIds: new TaskIds("secret"),
    expiry: new TokenExpiry(clock),
    memory,
    callers: { owning: () => undefined },
    lists: ownListsDeps({ clock, memory, catalog: () => catalog, upstreams: plane.upstreams }),
    turns: new CallerTurns(5),
  });
  const strays: [session: string, text: string][] = [];
  const http = new StreamableHttp({
    dispatcher: plane.dispatcher,
    sessions,
    catalog: () => catalog,
    maxJsonDepth: 20,
    rateLimiter,
    tokenGate: null,
    memory,
    batchPlaces: places,
    upstreams: plane.upstreams,
    onStray: (session, text) => strays.push([session, text]),
    predecessor,
  });

  const send = (
    given: Partial<McpRequest> = {},
    gone: AbortSignal = new AbortController().signal,
  ): Promise<McpReply> => {
    const request = mcpRequest(given);
    const { sessionId } = request;
    return http.serve(request, sessionId === null ? null : ids.open(sessionId, clock.now()), gone);
  };

  /** Send one message, or a batch. */
  const post = (message: unknown, given: Partial<McpRequest> = {}, gone?: AbortSignal) =>
    send({ body: JSON.stringify(message), ...given }, gone);

  /** The id of a new session. */
  const initialize = async (
    protocolVersion = "2025-11-25",
    given: Partial<McpRequest> = {},
  ): Promise<string> => {
    const reply = await post(request(0, "initialize", { protocolVersion, capabilities: {} }), given);
    return reply.headers["mcp-session-id"]!;
  };

  return {
    ...plane,
    http,
    ids,
    /** What clients said about nothing that is under way. */
    strays,
    sessions,
    records,
    clock,
    send,
    post,
    initialize,
    replaceCatalog: (next: typeof catalog) => (catalog = next),
  };
}

/** An ordinary user's POST to /mcp. */
export function mcpRequest(given: Partial<McpRequest> = {}): McpRequest {
  return {
    method: "POST",
    principal: principal(),
    serverId: null,
    sessionId: null,
    headers: new Headers(),
    protocolVersion: null,
    acceptsStream: true,
    acceptsJson: true,
    body: "",
    ...given,
  };
}

export function request(id: unknown, method: string, params: unknown = {}) {
  return { jsonrpc: "2.0", id, method, params };
}

export function notification(method: string, params: unknown = {}) {
  return { jsonrpc: "2.0", method, params };
}

/** The whole body of a reply, once its stream has ended. */
export async function textOf({ body }: McpReply): Promise<string> {
  return await new Response(body).text();
}

/** The messages of an event stream, in order. */
export async function messagesOf(reply: McpReply) {
  const text = await textOf(reply);
  return text.split("\n\n").filter((event) => event.includes("event: message\n"))
    .map((event) => JSON.parse(event.slice(event.indexOf("data: ") + 6)));
}
