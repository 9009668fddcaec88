// Checks one upstream with a ping (`server/discover` in 2026-07-28). An upstream with sessions gets a session of its own for
// it.
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
 * Resolves when the upstream has answered like an MCP server. A JSON-RPC error is an answer too. The session is closed
 * without waiting; ContextForge left such sessions open (https://github.com/IBM/mcp-context-forge/issues/1549).
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
      // The upstream may have started to require sessions.
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
