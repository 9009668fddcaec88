// A session's GET stream. It is resumed where it broke off.
import type { EventReader } from "../http_client/event_reader.ts";
import type { HttpResponse } from "../http_client/http_client.ts";
import { keepStreamOpen, type StreamEnd } from "../transport/stream_reopening.ts";

/** Silence after which a listening stream is opened again, ms. Comments count as sound. The peer may have vanished without a close. */
export const LISTEN_SILENCE_MS = 5 * 60_000;

interface Listening {
  readonly open: (lastEventId: string | null) => Promise<HttpResponse>;
  readonly reader: () => EventReader;
  /** Receives the data of one event. If it throws, the stream ends and is opened again. */
  readonly onEvent: (data: string) => void;
  readonly signal: AbortSignal;
  /** Another worker opened the session, and may have had its stream. */
  readonly isResumed?: boolean;
  /** Called when the server no longer knows the session, or perhaps not. */
  readonly onGone: (isCertain: boolean) => void;
}

/** Statuses of servers for a session that they no longer know. The specification has 404. */
const LOST: ReadonlySet<number> = new Set([400, 401, 403, 404, 410, 422]);

/**
 * A server that is overloaded or restarting, or that still sees the stream of the previous worker, is asked again. Any other answer
 * means that the server has no such stream.
 */
function isTransient(status: number): boolean {
  return status >= 500 || status === 409 || status === 429;
}

/** Listens until the signal is aborted, or the server answers by something else than an event stream. */
export async function listenTo(listening: Listening): Promise<void> {
  const { open, reader: newReader, onEvent, signal, isResumed = false, onGone } = listening;
  let lastEventId: string | null = null;
  let hasBeenOpen = false;
  // The first answer in a new session tells whether the server has such a stream: those without one answer 404, too.
  let isNew = !isResumed;
  const listen = async (): Promise<StreamEnd> => {
    const reader = newReader();
    let hasDelivered = false;
    try {
      const response = await open(lastEventId);
      if (response.status !== 200 || !isEventStream(response)) {
        response.discard();
        if (!isNew && LOST.has(response.status)) onGone(hasBeenOpen && response.status === 404);
        return { outcome: isTransient(response.status) ? "failed" : "refused" };
      }
      hasBeenOpen = true;
      for await (const chunk of response.chunks()) {
        for (const event of reader.push(chunk)) {
          hasDelivered = true;
          if (event.event !== "message" || event.data === "") continue;
          await reader.turnFor(event);
          onEvent(event.data);
        }
      }
      return { outcome: "ended", hasDelivered, retryMs: reader.retryMs };
    } catch {
      // After a timeout, a lost connection or a broken event the stream is opened again. Calls report a real fault.
      return { outcome: "failed", retryMs: reader.retryMs };
    } finally {
      isNew = false;
      reader.end();
      lastEventId = reader.lastEventId ?? lastEventId;
    }
  };
  await keepStreamOpen(listen, signal);
}

export function isEventStream(response: HttpResponse): boolean {
  return (response.header("content-type") ?? "").toLowerCase().startsWith("text/event-stream");
}
