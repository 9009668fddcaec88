// Discovery: connects to an upstream, and reads its description of itself and its lists.
import { SluiceError } from "../base/errors.ts";
import { isObject } from "../mcp/json_rpc.ts";
import { META } from "../mcp/revisions.ts";
import type { Discovery } from "../store/registry/rows.ts";
import { type ListLimits, readLists } from "./list_reader.ts";
import type { UpstreamTransport } from "./transport/transport.ts";
import type { UpstreamChannel } from "./session/upstream_channel.ts";
import { isInitializeRefused } from "./session/refusals.ts";
import { isOurDoing, isUnreachable } from "./resilience/failures.ts";
import { handshake, probeStateless, type StatelessUpstream } from "./session/open_session.ts";
import type { SessionOpenOptions } from "./session/upstream_session.ts";

export interface DiscoverOptions {
  readonly clientInfo: { readonly name: string; readonly version: string };
  /** For each request; MCP_SESSION_POOL_TRANSPORT_TIMEOUT. */
  readonly timeoutMs: number;
  readonly limits: ListLimits;
  /** Called when the upstream has introduced itself. */
  readonly onListing?: () => void;
}

/**
 * Capabilities that some client may have. Servers offer certain tools only to clients that declare them. A client's own
 * session declares the client's real capabilities.
 */
const ANY_CLIENT =
  '{"roots":{"listChanged":true},"sampling":{"tools":{}},"elicitation":{"form":{},"url":{}}}';

/** Limit of an upstream's description of itself, in characters of JSON. Capabilities reach every client of an endpoint. */
const MAX_INTRODUCTION = 1_048_576;

/**
 * Time limit of the first probe. An older server may ignore a request it does not know; registration must not wait for it.
 */
const MAX_PROBE_MS = 5_000;

/**
 * Connects, finds the revision, reads the lists and closes the session. A list that fails is null, and named in `warnings`.
 * @throws {SluiceError} UPSTREAM_*
 */
export async function discover(transport: UpstreamTransport, options: DiscoverOptions): Promise<Discovery> {
  const timeoutSetting = "MCP_SESSION_POOL_TRANSPORT_TIMEOUT";
  const call = { ...options, timeoutSetting, clientCapabilities: ANY_CLIENT };
  const { session, capabilities, serverInfo, instructions } = await introduce(transport, call);
  options.onListing?.();
  try {
    const { upstream } = transport;
    const offered = isObject(capabilities) ? capabilities : {};
    if (JSON.stringify([capabilities, serverInfo, instructions]).length > MAX_INTRODUCTION) {
      const reason = `its description of itself is longer than ${MAX_INTRODUCTION} characters`;
      throw new SluiceError("UPSTREAM_PROTOCOL_ERROR", { upstream, reason });
    }
    return {
      capabilities: offered,
      serverInfo: isObject(serverInfo) ? serverInfo : null,
      instructions: typeof instructions === "string" ? instructions : null,
      protocolVersion: session.protocolVersion,
      stateful: session.isStateful,
      ...await readLists(session, offered, { upstream, call, limits: options.limits }),
    };
  } finally {
    await session.close();
  }
}

/** The upstream's description of itself. */
interface Introduction {
  readonly session: UpstreamChannel;
  readonly capabilities?: unknown;
  readonly serverInfo?: unknown;
  readonly instructions?: unknown;
}

/**
 * Sends a 2026-07-28 request first, because an older server refuses the unknown method. The refusal of `initialize` would
 * prove less.
 */
async function introduce(transport: UpstreamTransport, options: SessionOpenOptions): Promise<Introduction> {
  const timeoutMs = Math.min(MAX_PROBE_MS, options.timeoutMs);
  const stateless = await probeStateless(transport, { ...options, timeoutMs }).catch((error) => {
    if (isUnreachable(error) || isOurDoing(error)) throw error;
    return null;
  });
  if (stateless !== null) return statelessIntroduction(stateless);
  try {
    const session = await handshake(transport, options);
    return { ...session.initialized, session };
  } catch (error) {
    if (!isInitializeRefused(error)) throw error;
    // The upstream may have been too slow for the probe.
    const again = await probeStateless(transport, options).catch(() => null);
    if (again === null) throw error;
    return statelessIntroduction(again);
  }
}

function statelessIntroduction({ session, discovered }: StatelessUpstream): Introduction {
  const { capabilities, instructions, _meta } = discovered;
  return {
    session,
    capabilities,
    instructions,
    serverInfo: isObject(_meta) ? _meta[META.serverInfo] : undefined,
  };
}
