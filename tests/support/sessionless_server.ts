// A worker's 2026-07-28 side without HTTP: the real SessionlessHttp around fake upstreams, asked by plain requests.
import type { McpReply, McpRequest } from "../../src/downstream/exchange/mcp_exchange.ts";
import { SessionlessHttp } from "../../src/downstream/http/sessionless_http.ts";
import type { CatalogRows } from "../../src/store/registry/rows.ts";
import { dataPlane } from "./data_plane.ts";
import type { FakeUpstream } from "./fake_upstream.ts";
import { FakeClock } from "./fake_clock.ts";
import { mcpRequest } from "./mcp_server.ts";
import { claimsOf, type SessionlessLimits, sessionlessParts } from "./sessionless_parts.ts";

/** What every request says of its client; `claims` are further members of `_meta`. */
export interface SessionlessAsk {
  readonly params?: Record<string, unknown>;
  readonly capabilities?: Record<string, unknown>;
  readonly claims?: Record<string, unknown>;
  /** In place of the headers that the body asks for; null leaves one out. */
  readonly headers?: Record<string, string | null>;
  readonly given?: Partial<McpRequest>;
  readonly gone?: AbortSignal;
}

export async function sessionlessServer(
  rows: Partial<CatalogRows>,
  fakes: Readonly<Record<string, FakeUpstream>> = {},
  limits: SessionlessLimits = {},
) {
  const plane = await dataPlane(rows, fakes);
  const clock = new FakeClock();
  let streamsAreFull = false;
  const { listeners, pendingCalls, requests, callers, memory } = sessionlessParts(plane, {
    clock,
    ...limits,
    catalog: () => plane.catalog,
    streamsAreFull: () => streamsAreFull,
  });
  const http = new SessionlessHttp({
    requests,
    pendingCalls,
    dispatcher: plane.dispatcher,
    maxJsonDepth: 20,
    limits: { callers, memory },
  });

  const send = (body: string, given: Partial<McpRequest> = {}, gone = new AbortController().signal) =>
    http.serve(mcpRequest({ body, ...given }), gone);

  const ask = async (method: string, given: SessionlessAsk = {}): Promise<McpReply> => {
    const { params = {}, capabilities = {}, claims = {} } = given;
    const meta = { ...claimsOf(capabilities), ...claims };
    const named = params.name ?? params.uri ?? null;
    const headers = new Headers();
    const wanted = {
      "mcp-protocol-version": "2026-07-28",
      "mcp-method": method,
      "mcp-name": named === null ? null : String(named),
      ...given.headers,
    };
    for (const [name, value] of Object.entries(wanted)) if (value !== null) headers.set(name, value);
    const body = JSON.stringify({ jsonrpc: "2.0", id: 1, method, params: { ...params, _meta: meta } });
    const protocolVersion = headers.get("mcp-protocol-version");
    return (await send(body, { headers, protocolVersion, ...given.given }, given.gone))!;
  };

  return {
    ...plane,
    clock,
    http,
    pendingCalls,
    listeners,
    send,
    ask,
    fillStreams: () => (streamsAreFull = true),
  };
}
