// Discovery: connects to an upstream, and reads its description of itself and its lists.
import { SluiceError } from "../base/errors.ts";
import { isObject } from "../mcp/json_rpc.ts";
import { STATELESS_REVISION } from "../mcp/revisions.ts";
import type { Discovery } from "../store/registry/rows.ts";
import { asksLater, type Description, introduce, type IntroduceOptions, unionOf } from "./introduction.ts";
import { type ListLimits, readLists } from "./list_reader.ts";
import type { UpstreamTransport } from "./transport/transport.ts";

export interface DiscoverOptions extends Pick<IntroduceOptions, "clientInfo" | "stdioStart"> {
  /** For each request; MCP_SESSION_POOL_TRANSPORT_TIMEOUT. */
  readonly timeoutMs: number;
  readonly limits: ListLimits;
  /** Called when the upstream has introduced itself. */
  readonly onListing?: () => void;
}

/** What is known or decided about an upstream before it is asked. */
export type KnownRevisions = Pick<IntroduceOptions, "protocol" | "protocols" | "serverInfo">;

/** Of an upstream that is registered or changed: it is asked everything. */
export const NOTHING_FOUND: Omit<KnownRevisions, "protocol"> = { protocols: [], serverInfo: null };

/** Limit of an upstream's description of itself, in characters of JSON. Capabilities reach every client of an endpoint. */
const MAX_INTRODUCTION = 1_048_576;

/**
 * Connects, finds the revisions, reads the lists and closes the session. A list that fails is null, and named in `warnings`. The
 * session declares no capabilities of a client, since nobody answers what they allow: the lists have what every client can use. A
 * client's own session may list more.
 * @throws {SluiceError} UPSTREAM_*
 */
export async function discover(
  transport: UpstreamTransport,
  options: DiscoverOptions,
  known: KnownRevisions = { protocol: "auto", ...NOTHING_FOUND },
): Promise<Discovery> {
  const timeoutSetting = "MCP_SESSION_POOL_TRANSPORT_TIMEOUT";
  const call = { ...options, ...known, timeoutSetting };
  const began = performance.now();
  const introduction = await introduce(transport, call);
  const startMs = performance.now() - began;
  const { channel, session, serverInfo, instructions } = introduction;
  let { capabilities, stateless } = introduction;
  options.onListing?.();
  try {
    const { upstream } = transport;
    requireShort(upstream, introduction);
    const offered = isObject(capabilities) ? capabilities : {};
    const lists = await readLists(channel, offered, { upstream, call, limits: options.limits });
    if (stateless === null && session !== null) {
      const later = await asksLater(session, transport, call, startMs);
      stateless = later.stateless;
      if (later.discovered !== undefined) {
        capabilities = unionOf(capabilities, later.discovered.capabilities);
        requireShort(upstream, { capabilities });
      }
    }
    return {
      capabilities: isObject(capabilities) ? capabilities : {},
      serverInfo: isObject(serverInfo) ? serverInfo : null,
      instructions: typeof instructions === "string" ? instructions : null,
      protocolVersion: session?.protocolVersion ?? STATELESS_REVISION,
      protocols: [
        ...(stateless === true ? [STATELESS_REVISION] : []),
        ...(session === null ? [] : [session.protocolVersion]),
      ],
      stateful: session?.isStateful ?? false,
      ...lists,
    };
  } finally {
    await Promise.all([channel.close(), session?.close()]);
  }
}

/** @throws {SluiceError} UPSTREAM_PROTOCOL_ERROR */
function requireShort(upstream: string, { capabilities, serverInfo, instructions }: Description): void {
  if (JSON.stringify([capabilities, serverInfo, instructions]).length <= MAX_INTRODUCTION) return;
  const reason = `its description of itself is longer than ${MAX_INTRODUCTION} characters`;
  throw new SluiceError("UPSTREAM_PROTOCOL_ERROR", { upstream, reason });
}
