// A worker's duplex sessions without a transport: the real DuplexSessions around fake upstreams, spoken to over fake channels.
import { Callers } from "../../src/auth/callers.ts";
import type { Principal } from "../../src/auth/principal.ts";
import { DuplexSessions } from "../../src/downstream/duplex/duplex_sessions.ts";
import type { CloseReason } from "../../src/downstream/duplex/client_channel.ts";
import { AccessLog } from "../../src/http/access_log.ts";
import { Admission } from "../../src/http/limits/admission.ts";
import type { RateLimiter } from "../../src/http/limits/rate_limit.ts";
import type { CatalogRows } from "../../src/store/registry/rows.ts";
import type { Serve } from "../../src/downstream/exchange/mcp_exchange.ts";
import type { SessionClaims } from "../../src/downstream/session/session_id.ts";
import { dataPlane } from "./data_plane.ts";
import type { FakeUpstream } from "./fake_upstream.ts";
import { FakeClock } from "./fake_clock.ts";
import { MemorySink, principal, settle } from "./fakes.ts";
import { request } from "./mcp_server.ts";
import { ownListsDeps } from "./own_lists.ts";
import { claimsOf, sessionlessParts } from "./sessionless_parts.ts";

export interface DuplexServerOptions {
  /** BACKPRESSURE */
  readonly requests?: number;
  readonly rateLimiter?: RateLimiter | null;
  readonly pendingElsewhere?: (claims: SessionClaims) => Serve | null;
}

export interface ConnectOptions {
  readonly serverId?: string | null;
  readonly principal?: Principal;
  /** Whose requests its messages are counted among. */
  readonly caller?: string;
}

export async function duplexServer(
  rows: Partial<CatalogRows>,
  fakes: Readonly<Record<string, FakeUpstream>> = {},
  { requests = 1_000, rateLimiter = null, pendingElsewhere = () => null }: DuplexServerOptions = {},
) {
  const plane = await dataPlane(rows, fakes);
  const clock = new FakeClock();
  const admission = new Admission({ requests, streams: 10 });
  const refused: string[] = [];
  let { catalog } = plane;
  const { expiry, memory, ...sessionless } = sessionlessParts(plane, {
    clock,
    catalog: () => catalog,
    streamsAreFull: () => admission.streamsAreFull,
  });
  const sessions = new DuplexSessions({
    tracer: null,
    ...plane,
    catalog: () => catalog,
    admission,
    callers: new Callers({ calls: 1_000, streams: 1_000 }, memory),
    countRefused: (code) => refused.push(code),
    accessLog: new AccessLog({ worker: 0, format: "json", sink: new MemorySink(), writes: false }),
    rateLimiter,
    tokenGate: null,
    clock,
    expiry,
    memory,
    lists: ownListsDeps({ clock, memory, catalog: () => catalog, upstreams: plane.upstreams }),
    maxJsonDepth: 20,
    clientRequestTimeoutMs: 60_000,
    sessionless: { ...sessionless, pendingElsewhere },
  });

  /** A client with its channel. */
  const connect = (given: ConnectOptions = {}) => {
    const user = given.principal ?? principal();
    const serverId = given.serverId ?? null;
    const { caller } = given;
    // deno-lint-ignore no-explicit-any -- messages of every shape; tests assert what they read.
    const sent: any[] = [];
    const closeReasons: CloseReason[] = [];
    const session = sessions.open({ principal: user, serverId, endpoint: "test", path: "/test" }, {
      send: (text) => sent.push(JSON.parse(text)),
      close: (why) => {
        closeReasons.push(why);
        void session.end();
      },
    });
    const received = new Headers();
    const tell = async (message: unknown, from: Principal = user) => {
      const { length } = sent;
      session.receive(JSON.stringify(message), { principal: from, caller, received });
      await settle(100);
      return sent.slice(length);
    };
    return {
      session,
      /** What the client got, in order. */
      sent,
      closeReasons,
      /** Send a text as it is. */
      say: async (text: string, from: Principal = user) => {
        session.receive(text, { principal: from, caller, received });
        await settle(100);
      },
      /** Send messages. @returns what the client got since */
      tell,
      /** Send a request of 2026-07-28. @returns what the client got since */
      ask: (id: unknown, method: string, params: Record<string, unknown> = {}, capabilities: unknown = {}) =>
        tell(
          request(id, method, {
            ...params,
            _meta: { ...claimsOf(capabilities), ...params._meta as object | undefined },
          }),
        ),
      initialize: async (protocolVersion = "2025-11-25", capabilities: unknown = {}) => {
        const params = { protocolVersion, capabilities, clientInfo: { name: "c", version: "1" } };
        session.receive(JSON.stringify(request(0, "initialize", params)), {
          principal: user,
          caller,
          received,
        });
        await settle(100);
        return sent.at(-1);
      },
    };
  };
  const replaceCatalog = (next: typeof catalog) => void (catalog = next);
  return { ...plane, ...sessionless, replaceCatalog, sessions, clock, admission, refused, connect };
}
