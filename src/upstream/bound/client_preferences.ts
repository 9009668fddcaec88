// Sends a client's log level and subscriptions to its upstream sessions: when the client states them, and again in each
// session opened later.
import type { SessionCall, UpstreamChannel } from "../session/upstream_channel.ts";
import type { ClientState } from "../client/client_state.ts";

type Limits = Pick<SessionCall, "timeoutMs" | "timeoutSetting">;

/** Restores the client's preferences in a new session. A preference that cannot be restored does not fail the call. */
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
