// What serves 2026-07-28 in a worker, whichever transport brings the requests: the real parts around a data plane.
import { NO_CACHE } from "../../src/cache/cache.ts";
import { ResourceLinks } from "../../src/proxy/resources/resource_links.ts";
import { Callers } from "../../src/auth/callers.ts";
import { ClientMemory } from "../../src/base/sharing/client_memory.ts";
import type { Catalog } from "../../src/catalog/snapshot/catalog.ts";
import type { Serve } from "../../src/downstream/exchange/mcp_exchange.ts";
import { TokenExpiry } from "../../src/downstream/exchange/token_expiry.ts";
import { Listeners } from "../../src/downstream/sessionless/listeners.ts";
import { SessionlessRequests } from "../../src/downstream/sessionless/requests.ts";
import { PendingCalls } from "../../src/downstream/sessionless/pending_calls.ts";
import { SessionIds } from "../../src/downstream/session/session_id.ts";
import { UpstreamStates } from "../../src/downstream/sessionless/upstream_states.ts";
import { UpstreamSubscriptions } from "../../src/downstream/sessionless/upstream_subscriptions.ts";
import { TaskIds } from "../../src/proxy/tasks/task_ids.ts";
import type { DataPlane } from "./data_plane.ts";
import type { FakeClock } from "./fake_clock.ts";

export const PENDING_FOR_MS = 60_000;

/** What every request of the revision says of its client. */
export function claimsOf(capabilities: unknown = {}): Record<string, unknown> {
  return {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientCapabilities": capabilities,
  };
}

export interface SessionlessLimits {
  readonly maxPending?: number;
  readonly maxPendingOfCaller?: number;
  /** In characters. */
  readonly maxMemory?: number;
  readonly predecessor?: () => Serve | null;
}

export function sessionlessParts(
  { dispatcher, upstreams }: Pick<DataPlane, "dispatcher" | "upstreams">,
  {
    clock,
    catalog,
    streamsAreFull,
    worker = 0,
    maxPending = 100,
    maxPendingOfCaller = 100,
    maxMemory = Infinity,
    predecessor = () => null,
  }: {
    readonly clock: FakeClock;
    readonly catalog: () => Catalog;
    readonly streamsAreFull: () => boolean;
    readonly worker?: number;
  } & SessionlessLimits,
) {
  const expiry = new TokenExpiry(clock);
  const memory = new ClientMemory(maxMemory);
  const callers = new Callers({ calls: 1_000, streams: maxPendingOfCaller }, memory);
  const listeners = new Listeners(expiry, memory);
  const pendingCalls = new PendingCalls({
    ids: new SessionIds("secret"),
    clock,
    place: { replica: { now: 0 }, worker },
    predecessor,
    timeoutMs: PENDING_FOR_MS,
    limit: maxPending,
    callers,
    memory,
  });
  const subscriptions = new UpstreamSubscriptions(
    upstreams,
    new TaskIds("secret"),
    new ResourceLinks(NO_CACHE),
  );
  const requests = new SessionlessRequests({
    ...{ dispatcher, catalog, pendingCalls, listeners, subscriptions, streamsAreFull },
    states: new UpstreamStates({ secret: "secret", clock, timeoutMs: PENDING_FOR_MS }),
  });
  return { expiry, memory, callers, listeners, pendingCalls, requests };
}
