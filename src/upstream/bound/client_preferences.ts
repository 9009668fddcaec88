// Tells an upstream session what its client has asked for: once when it asks, and again in every session opened after that.
import type { SessionCall, UpstreamChannel } from "../session/upstream_channel.ts";
import type { ClientState } from "../client/client_state.ts";

type Limits = Pick<SessionCall, "timeoutMs" | "timeoutSetting">;

/** A session without its client's wishes is still better than none: what cannot be restored does not fail the call. */
export async function restorePreferences(
  session: UpstreamChannel,
  client: ClientState,
  { upstreamId, hasLogging, limits }: {
    readonly upstreamId: string;
    readonly hasLogging: boolean;
    readonly limits: Limits;
  },
): Promise<void> {
  const uris = [...client.subscriptionsTo(upstreamId)];
  if (uris.length > 0) session.listen();
  await Promise.all([
    ...(hasLogging ? [tellLogLevel(session, client.logLevel, limits)] : []),
    ...uris.map((uri) =>
      session.request("resources/subscribe", JSON.stringify({ uri }), limits).catch(() => {})
    ),
  ]);
}

export async function tellLogLevel(
  session: UpstreamChannel,
  logLevel: string | null,
  limits: Limits,
): Promise<void> {
  if (logLevel === null) return;
  await session.request("logging/setLevel", JSON.stringify({ level: logLevel }), limits).catch(() => {});
}
