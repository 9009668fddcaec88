// Finds out which kinds of revisions an upstream speaks, and takes its description of itself. The upstream's answers decide, not
// their speed: where a question gets no answer, the former finding stays.
import { isError, SluiceError } from "../base/errors.ts";
import { withClaims } from "../mcp/claims.ts";
import { isObject, type JsonObject } from "../mcp/json_rpc.ts";
import { isSessionRevision, LATEST_SESSION_REVISION, META, STATELESS_REVISION } from "../mcp/revisions.ts";
import type { TimeLimit } from "./resilience/deadline.ts";
import { isOurDoing, isUnreachable } from "./resilience/failures.ts";
import {
  handshake,
  probeStateless,
  speaksStateless,
  type StatelessUpstream,
} from "./session/open_session.ts";
import type { UpstreamChannel } from "./session/upstream_channel.ts";
import type { SessionOpenOptions, UpstreamSession } from "./session/upstream_session.ts";
import type { UpstreamConnection, UpstreamTransport } from "./transport/transport.ts";

export interface IntroduceOptions extends SessionOpenOptions {
  /** Time limit for a process to start and answer; STDIO_START_TIMEOUT. */
  readonly stdioStart: TimeLimit;
  /** The operator's decision, and the former findings; as in `GatewayRow`. */
  readonly protocol: string;
  readonly protocols: readonly string[];
  /** The program that was found then. */
  readonly serverInfo: unknown;
}

/** An upstream's description of itself, as received. */
export interface Description {
  readonly capabilities?: unknown;
  readonly serverInfo?: unknown;
  readonly instructions?: unknown;
}

export interface Introduction extends Description {
  /** The lists are read over it. The caller closes it. */
  readonly channel: UpstreamChannel;
  /** The session that `initialize` has opened; null: the upstream has no session revision, or is not asked for one. */
  readonly session: UpstreamSession | null;
  /** Whether it takes requests of 2026-07-28; null: not asked yet, see `asksLater`. */
  readonly stateless: boolean | null;
}

/** Time for a running server to answer a question that it may not know. Some servers never do. */
const MAX_PROBE_MS = 5_000;

const METHOD_NOT_FOUND = -32601;

/**
 * Asks for `initialize` first, in the process that will serve: a process may have to be installed first, and some servers end at any
 * other first message. `server/discover` is for an upstream that refuses it, in the same process.
 * @throws {SluiceError} UPSTREAM_*
 */
export async function introduce(
  transport: UpstreamTransport,
  options: IntroduceOptions,
): Promise<Introduction> {
  const { protocol } = options;
  const limits = transport.kind === "stdio"
    ? { timeoutMs: options.stdioStart.ms, timeoutSetting: options.stdioStart.setting }
    : {};
  const opening = { ...options, ...limits };
  if (protocol === STATELESS_REVISION) return await statelessOnly(transport, opening);
  let refused: UpstreamConnection | undefined;
  let session: UpstreamSession;
  try {
    session = await handshake(transport, {
      ...opening,
      wantedRevision: isSessionRevision(protocol) ? protocol : null,
      // Over HTTP every request stands alone.
      ...(transport.kind === "streamable-http" ? {} : { onRefused: (connection) => refused = connection }),
    });
  } catch (error) {
    const found = protocol === "auto" ? await insteadOf(error, refused, transport, options) : null;
    if (found !== null) return statelessIntroduction(found);
    void refused?.close();
    throw error;
  }
  const alone = { ...session.initialized, channel: session, session };
  if (protocol !== "auto") return { ...alone, stateless: false };
  // A server on a channel is asked after its lists are read, because the question may end it.
  if (transport.kind !== "streamable-http") return { ...alone, stateless: null };
  return await besides(session, transport, options);
}

/**
 * Asks a server on a channel for 2026-07-28, in the process that has been initialized. A process that serves one kind of revisions at
 * a time refuses; then another one is asked, unless the answer is known. Closes the session. Never throws.
 * @param startMs time that the process took to start and answer
 */
export async function asksLater(
  session: UpstreamSession,
  transport: UpstreamTransport,
  options: IntroduceOptions,
  startMs: number,
): Promise<{ readonly stateless: boolean; readonly discovered?: JsonObject }> {
  const wasKnown = options.protocols.includes(STATELESS_REVISION);
  const { timeoutMs, clientInfo } = options;
  const claims = withClaims(undefined, {
    clientCapabilities: "{}",
    clientInfo: JSON.stringify(clientInfo),
    logLevel: null,
  });
  const limits = { ...options, timeoutMs: Math.min(MAX_PROBE_MS, timeoutMs) };
  const answer = await session.request("server/discover", claims, limits).catch(() => null);
  await session.close();
  if (answer === null) return { stateless: wasKnown };
  const said: unknown = JSON.parse(answer.text);
  if (!answer.failed) {
    return speaksStateless(said) ? { stateless: true, discovered: said } : { stateless: false };
  }
  if (isObject(said) && said.code === METHOD_NOT_FOUND) {
    if (!mayHideStateless(session, options)) return { stateless: false };
  } else if (wasKnown) return { stateless: true };
  // The program is installed by now. One that does not answer an unknown first request keeps the registration waiting no longer.
  const { ms, setting } = options.stdioStart;
  const start = {
    ...options,
    timeoutMs: Math.min(ms, MAX_PROBE_MS + 2 * startMs),
    timeoutSetting: setting,
  };
  const found = await probeStateless(transport, start).catch(() => null);
  await found?.session.close();
  return { stateless: found !== null, discovered: found?.discovered };
}

/**
 * Whether a process that does not know `server/discover` may be of a program that does: the TypeScript SDK's `serveStdio` decides by
 * the first message. Such a program speaks the latest revision with sessions. What was asked of it once holds until it has another
 * name or version.
 */
function mayHideStateless(
  { protocolVersion, initialized }: UpstreamSession,
  { protocols, serverInfo }: Pick<IntroduceOptions, "protocols" | "serverInfo">,
): boolean {
  if (protocolVersion !== LATEST_SESSION_REVISION) return false;
  if (protocols.length === 0 || protocols.includes(STATELESS_REVISION)) return true;
  return programOf(serverInfo) !== programOf(initialized.serverInfo);
}

function programOf(serverInfo: unknown): string {
  return isObject(serverInfo) ? JSON.stringify([serverInfo.name, serverInfo.version]) : "";
}

async function statelessOnly(
  transport: UpstreamTransport,
  options: SessionOpenOptions,
): Promise<Introduction> {
  const found = await probeStateless(transport, options);
  if (found !== null) return statelessIntroduction(found);
  throw new SluiceError("UPSTREAM_REJECTED", {
    upstream: transport.upstream,
    method: "server/discover",
    reason: `it does not speak ${STATELESS_REVISION}, which the gateway is registered with`,
  });
}

/** Asks an upstream that failed the handshake for 2026-07-28. Null: it does not speak it, or the failure has another cause. */
async function insteadOf(
  error: unknown,
  refused: UpstreamConnection | undefined,
  transport: UpstreamTransport,
  options: SessionOpenOptions,
): Promise<StatelessUpstream | null> {
  if (refused !== undefined) return await probeStateless(transport, options, refused).catch(() => null);
  const hasOtherCause = isUnreachable(error) || isOurDoing(error) || isError(error, "UPSTREAM_AUTH_FAILED") ||
    isError(error, "UPSTREAM_TIMEOUT");
  // A process that failed has not refused.
  if (hasOtherCause || transport.kind !== "streamable-http") return null;
  return await probeStateless(transport, options).catch(() => null);
}

/** Asks an upstream over HTTP, which has a session, for 2026-07-28 as well. */
async function besides(
  session: UpstreamSession,
  transport: UpstreamTransport,
  options: IntroduceOptions,
): Promise<Introduction> {
  const limits = { ...options, timeoutMs: Math.min(MAX_PROBE_MS, options.timeoutMs) };
  const alone = { ...session.initialized, channel: session, session };
  let found: StatelessUpstream | null;
  try {
    found = await probeStateless(transport, limits);
  } catch {
    return { ...alone, stateless: options.protocols.includes(STATELESS_REVISION) };
  }
  if (found === null) return { ...alone, stateless: false };
  const newer = statelessIntroduction(found);
  return {
    ...newer,
    ...session.initialized,
    session,
    capabilities: unionOf(session.initialized.capabilities, newer.capabilities),
  };
}

function statelessIntroduction({ session: channel, discovered }: StatelessUpstream): Introduction {
  const { capabilities, instructions, _meta } = discovered;
  return {
    channel,
    session: null,
    stateless: true,
    capabilities,
    instructions,
    serverInfo: isObject(_meta) ? _meta[META.serverInfo] : undefined,
  };
}

/** The capabilities of an upstream of both kinds of revisions. The catalog tells a client those of its revision. */
export function unionOf(inSession: unknown, stateless: unknown): JsonObject {
  return { ...(isObject(stateless) ? stateless : {}), ...(isObject(inSession) ? inSession : {}) };
}
