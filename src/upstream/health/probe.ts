// One look at an upstream, as light as it may be: a ping (server/discover in 2026-07-28), in a session of its own where the
// upstream keeps sessions.
import type { CancelSignal } from "../../base/cancellation.ts";
import { isError } from "../../base/errors.ts";
import type { GatewayRow } from "../../store/registry/rows.ts";
import type { UpstreamTransport } from "../transport/transport.ts";
import { isUngreeted } from "../resilience/failures.ts";
import { channelWithoutSession, openChannel } from "../session/open_session.ts";

export interface ProbeOptions {
  readonly clientInfo: { readonly name: string; readonly version: string };
  /** For each request; HEALTH_CHECK_TIMEOUT. */
  readonly timeoutMs: number;
  readonly signal: CancelSignal;
}

/**
 * Resolves when the upstream has answered like an MCP server: an error in answer to the ping is an answer too. Its session is
 * ended (ContextForge's checks left theirs open, #1549), without waiting for that.
 * @throws {SluiceError} UPSTREAM_*, or the signal's reason
 */
export async function probeUpstream(
  transport: UpstreamTransport,
  { stateful, protocolVersion }: Pick<GatewayRow, "stateful" | "protocolVersion">,
  { clientInfo, timeoutMs, signal }: ProbeOptions,
): Promise<void> {
  const call = { timeoutMs, timeoutSetting: "HEALTH_CHECK_TIMEOUT", signal };
  const known = stateful === false && protocolVersion !== null
    ? channelWithoutSession(transport, protocolVersion, clientInfo)
    : null;
  if (known !== null) {
    try {
      await known.checkReachable(call);
      return;
    } catch (error) {
      // It may keep sessions by now, and want one.
      if (!isError(error, "UPSTREAM_HTTP_ERROR") && !isUngreeted(error)) throw error;
    } finally {
      void known.close();
    }
  }
  const session = await openChannel(transport, { ...call, clientInfo });
  try {
    await session.checkReachable(call);
  } finally {
    void session.close();
  }
}
