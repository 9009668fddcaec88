// Opens channels to upstreams. Only this file decides by an upstream's answers which revision to speak.
import type { CancelSignal } from "../../base/cancellation.ts";
import { isError, SluiceError } from "../../base/errors.ts";
import { withClaims } from "../../mcp/claims.ts";
import { isObject, type JsonObject } from "../../mcp/json_rpc.ts";
import { STATELESS_REVISION } from "../../mcp/revisions.ts";
import type { UpstreamChannel } from "./upstream_channel.ts";
import type { Greeting, UpstreamConnection, UpstreamTransport } from "../transport/transport.ts";
import { isInitializeRefused } from "./refusals.ts";
import { isUngreeted } from "../resilience/failures.ts";
import { LIST_CHANGES } from "./incoming_messages.ts";
import { isEmpty, listFilter } from "./list_filter.ts";
import { StatelessChannel } from "./stateless_channel.ts";
import { type SessionOpenOptions, UpstreamSession } from "./upstream_session.ts";

type ClientInfo = SessionOpenOptions["clientInfo"];

/**
 * Returns a channel without a session, usable at once by everyone. Null: this transport always has sessions.
 * @param peers receive what the upstream sends besides answers: on a call's stream, or from a 2026-07-28 process
 */
export function channelWithoutSession(
  transport: UpstreamTransport,
  revision: string,
  clientInfo: ClientInfo,
  peers: Pick<SessionOpenOptions, "onListChanged"> = {},
): UpstreamChannel | null {
  return revision === STATELESS_REVISION
    ? newStatelessChannel(transport, clientInfo, peers.onListChanged)
    : UpstreamSession.stateless(transport, revision, peers);
}

/**
 * Performs the handshake. An upstream that refuses `initialize` and speaks 2026-07-28 gets a channel without a session.
 * @throws {SluiceError} UPSTREAM_*
 */
export async function openChannel(
  transport: UpstreamTransport,
  options: SessionOpenOptions,
): Promise<UpstreamChannel> {
  try {
    return await handshake(transport, options);
  } catch (error) {
    if (!isInitializeRefused(error)) throw error;
    const found = await probeStateless(transport, options).catch(() => null);
    if (found === null) throw error;
    return found.session;
  }
}

/** @throws {SluiceError} UPSTREAM_* */
export async function handshake(
  transport: UpstreamTransport,
  options: SessionOpenOptions,
): Promise<UpstreamSession> {
  try {
    return await UpstreamSession.open(transport, options);
  } catch (error) {
    // An upstream that restarts during the handshake loses the session. The handshake is repeated once.
    if (isError(error, "UPSTREAM_SESSION_EXPIRED")) return await UpstreamSession.open(transport, options);
    throw error;
  }
}

export interface StatelessUpstream {
  readonly session: StatelessChannel;
  /** The `server/discover` result. */
  readonly discovered: JsonObject;
}

/**
 * Asks whether an upstream speaks 2026-07-28 (2026-07-28, versioning). Null: it answered like an older server.
 * @param open an open connection to ask over; default: a new one
 * @throws {SluiceError} UPSTREAM_*: the upstream gave no usable answer, so its revision is unknown
 */
export async function probeStateless(
  transport: UpstreamTransport,
  { clientInfo, timeoutMs, timeoutSetting, signal }: {
    readonly clientInfo: ClientInfo;
    readonly timeoutMs: number;
    readonly timeoutSetting: string;
    readonly signal?: CancelSignal;
  },
  open?: UpstreamConnection,
): Promise<StatelessUpstream | null> {
  const session = open === undefined
    ? newStatelessChannel(transport, clientInfo)
    : new StatelessChannel(open, { upstream: transport.upstream, clientInfo });
  if (session === null) return null;
  try {
    const answer = await session.request("server/discover", undefined, {
      timeoutMs,
      timeoutSetting,
      signal,
    });
    const result: unknown = answer.failed ? null : JSON.parse(answer.text);
    if (speaksStateless(result)) return { session, discovered: result };
    await session.close();
    return null;
  } catch (error) {
    // A process that was started for the probe ends before another one starts.
    await session.close();
    if (isOlderAnswer(error)) return null;
    throw error;
  }
}

/** Whether a `server/discover` result names 2026-07-28. */
export function speaksStateless(result: unknown): result is JsonObject {
  return isObject(result) && Array.isArray(result.supportedVersions) &&
    result.supportedVersions.includes(STATELESS_REVISION);
}

/**
 * Older servers answer an unknown request with a 4xx status or an invalid body. 401 and 403 concern our credentials; 5xx
 * concerns the server's health.
 */
function isOlderAnswer(error: unknown): boolean {
  if (!(error instanceof SluiceError)) return false;
  if (error.code === "UPSTREAM_PROTOCOL_ERROR" || isUngreeted(error)) return true;
  return error.code === "UPSTREAM_HTTP_ERROR" && Number(error.params.status) < 500;
}

function newStatelessChannel(
  transport: UpstreamTransport,
  clientInfo: ClientInfo,
  onListChanged?: SessionOpenOptions["onListChanged"],
): StatelessChannel | null {
  const { upstream } = transport;
  const connection = transport.stateless(STATELESS_REVISION, greetingOf(upstream, clientInfo, onListChanged));
  return connection === null ? null : new StatelessChannel(connection, { upstream, clientInfo });
}

/** The greeting protects older servers: some would accept a call without `initialize` and answer it by their own rules. */
function greetingOf(
  upstream: string,
  clientInfo: ClientInfo,
  onListChanged: SessionOpenOptions["onListChanged"],
): Greeting {
  const method = "server/discover";
  const claims = { clientCapabilities: "{}", clientInfo: JSON.stringify(clientInfo), logLevel: null };
  return {
    method,
    params: withClaims(undefined, claims),
    follow: ({ result }) => {
      const capabilities = isObject(result) && isObject(result.capabilities) ? result.capabilities : {};
      const filter = listFilter(capabilities);
      return onListChanged === undefined || isEmpty(filter) ? null : {
        method: "subscriptions/listen",
        params: withClaims(JSON.stringify({ notifications: filter }), claims),
        onMessage: ({ method }) => LIST_CHANGES.has(String(method)) && onListChanged(String(method)),
      };
    },
    accept: ({ result, error }) => {
      if (speaksStateless(result)) return;
      const message = isObject(error) ? error.message : "the upstream does not speak 2026-07-28";
      const reason = typeof message === "string" ? message : "no reason given";
      throw new SluiceError("UPSTREAM_REJECTED", { upstream, method, reason });
    },
  };
}
