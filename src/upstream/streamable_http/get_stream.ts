// A session's own GET stream, taken up again where it broke off.
import type { SseDecoder } from "../../mcp/sse.ts";
import type { HttpResponse } from "../http_client/http_client.ts";
import { keepStreamOpen, type StreamEnd } from "../transport/stream_reopening.ts";

interface Listening {
  readonly open: (lastEventId: string | null) => Promise<HttpResponse>;
  readonly decoder: () => SseDecoder;
  /** Takes the data of one event. What it throws ends the stream; it is opened anew. */
  readonly onEvent: (data: string) => void;
  readonly signal: AbortSignal;
  /** The server does not know the session any more. */
  readonly onGone: () => void;
}

/** Listen until the signal is aborted or the server answers with something else than an event stream. */
export async function listenTo(listening: Listening): Promise<void> {
  const { open, decoder: newDecoder, onEvent, signal, onGone } = listening;
  let lastEventId: string | null = null;
  let hasBeenOpen = false;
  const listen = async (): Promise<StreamEnd> => {
    const decoder = newDecoder();
    try {
      const response = await open(lastEventId);
      const type = (response.header("content-type") ?? "").toLowerCase();
      if (response.status !== 200 || !type.startsWith("text/event-stream")) {
        response.discard();
        // Servers without such a stream say 404, too: the session is gone only where there has been one.
        if (response.status === 404 && hasBeenOpen) onGone();
        // Overloaded or restarting, or not aware yet that the worker before has left: worth another try. Anything else is the
        // server's word that it has no such stream.
        return { outcome: response.status < 500 && response.status !== 409 ? "refused" : "failed" };
      }
      hasBeenOpen = true;
      for await (const chunk of response.chunks()) {
        for (const { event, data } of decoder.push(chunk)) {
          if (event === "message" && data !== "") onEvent(data);
        }
      }
      return { outcome: "ended", retryMs: decoder.retryMs };
    } catch {
      // Silence, a lost connection, a broken event: the stream is opened anew. Who calls meets the fault that is a fault.
      return { outcome: "failed", retryMs: decoder.retryMs };
    } finally {
      lastEventId = decoder.lastEventId ?? lastEventId;
    }
  };
  await keepStreamOpen(listen, signal);
}
