// Subscribes at an upstream with sessions for a listener that has no session. A dedicated session is kept open for it.
import { SluiceError } from "../../base/errors.ts";
import { isObject } from "../../mcp/json_rpc.ts";
import type { SessionCall, Subscription, UpstreamChannel } from "../session/upstream_channel.ts";
import { isRefusal } from "../resilience/failures.ts";
import { keepStreamOpen, pause, type StreamEnd } from "../transport/stream_reopening.ts";

interface SessionListening {
  /** For error texts. */
  readonly upstream: string;
  /** Opens a session whose messages go to the listener. `onExpired`: see SessionOpenOptions. */
  readonly open: (onExpired: () => void) => Promise<UpstreamChannel>;
  /** Called after a reconnect, because notifications in between were missed. */
  readonly onAgain?: () => void;
  /** The resource URIs to subscribe to. */
  readonly uris: readonly string[];
  readonly limits: Pick<SessionCall, "timeoutMs" | "timeoutSetting">;
  readonly signal: AbortSignal;
}

/**
 * A session with an open stream does not show that it has expired, so it is pinged. The ping also prevents an idle timeout.
 */
const CHECK_INTERVAL_MS = 60_000;

export function subscribeInSession(listening: SessionListening): Subscription {
  const { open, onAgain, uris, limits, signal } = listening;
  const opened = Promise.withResolvers<void>();
  opened.promise.catch(() => {});
  let hasListened = false;
  const listen = async (): Promise<StreamEnd> => {
    let session: UpstreamChannel | undefined;
    const expired = new AbortController();
    const over = AbortSignal.any([signal, expired.signal]);
    try {
      session = await open(() => expired.abort());
      // A connection without a session cannot receive notifications.
      if (!session.isStateful) throw noSession(listening);
      session.listen();
      await subscribeTo(uris, session, listening);
      opened.resolve();
      if (hasListened) onAgain?.();
      hasListened = true;
      while (!over.aborted && !session.closed) {
        await pause(CHECK_INTERVAL_MS, over);
        if (!over.aborted && await session.checkHealth("ping", limits.timeoutMs) === "failed") break;
      }
      return { outcome: "ended" };
    } catch (error) {
      opened.reject(error);
      return { outcome: isRefusal(error) ? "refused" : "failed" };
    } finally {
      await session?.close();
    }
  };
  const ended = keepStreamOpen(listen, signal).then(() => opened.reject(signal.reason));
  return { opened: opened.promise, ended };
}

/** Subscribes to all URIs. Fails only if every URI is refused. @throws {SluiceError} UPSTREAM_* */
async function subscribeTo(
  uris: readonly string[],
  session: UpstreamChannel,
  { upstream, limits }: SessionListening,
): Promise<void> {
  const answers = await Promise.all(
    uris.map((uri) => session.request("resources/subscribe", JSON.stringify({ uri }), limits)),
  );
  if (uris.length === 0 || answers.some(({ failed }) => !failed)) return;
  const error: unknown = JSON.parse(answers[0]!.text);
  const reason = isObject(error) && typeof error.message === "string" ? error.message : "no reason given";
  throw new SluiceError("UPSTREAM_REJECTED", { upstream, method: "resources/subscribe", reason });
}

function noSession({ upstream }: SessionListening): SluiceError {
  return new SluiceError("UPSTREAM_REJECTED", {
    upstream,
    method: "a subscription",
    reason: "the upstream keeps no sessions",
  });
}
