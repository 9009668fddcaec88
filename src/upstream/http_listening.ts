// Event streams that are taken up again where they broke off: a session's own GET stream, and the pauses in between.
import type { CancelSignal } from "../base/cancellation.ts";
import { backoffMs } from "../base/backoff.ts";
import type { SseDecoder } from "../mcp/sse.ts";
import type { ExchangeOptions } from "./connection.ts";
import type { HttpResponse } from "./http_client.ts";

/** Where the server has asked for no pause of its own. */
const DEFAULT_RETRY_MS = 1_000;
const MAX_RETRY_MS = 30_000;

interface Listening {
  readonly open: (lastEventId: string | null) => Promise<HttpResponse>;
  readonly decoder: () => SseDecoder;
  /** Takes the data of one event. What it throws ends the stream; it is opened anew. */
  readonly onEvent: (data: string) => void;
  readonly signal: AbortSignal;
}

/** Listen until the signal is aborted or the server answers with something else than an event stream. */
export async function listenTo({ open, decoder: newDecoder, onEvent, signal }: Listening): Promise<void> {
  let lastEventId: string | null = null;
  let failures = 0;
  while (!signal.aborted) {
    const decoder = newDecoder();
    try {
      const response = await open(lastEventId);
      const type = (response.header("content-type") ?? "").toLowerCase();
      if (response.status !== 200 || !type.startsWith("text/event-stream")) {
        response.discard();
        // Overloaded or restarting: worth another try. Anything else is the server's word that it has no such stream.
        if (response.status < 500) return;
        failures++;
      } else {
        failures = 0;
        for await (const chunk of response.chunks()) {
          for (const { event, data } of decoder.push(chunk)) {
            if (event === "message" && data !== "") onEvent(data);
          }
        }
      }
    } catch {
      // Silence, a lost connection, a broken event: the stream is opened anew. Who calls meets the fault that is a fault.
      failures++;
    }
    lastEventId = decoder.lastEventId ?? lastEventId;
    const pauseMs = Math.min(decoder.retryMs ?? DEFAULT_RETRY_MS, MAX_RETRY_MS);
    await pause(
      failures < 2
        ? pauseMs
        : Math.max(pauseMs, backoffMs(failures, { baseMs: DEFAULT_RETRY_MS, maxMs: MAX_RETRY_MS })),
      signal,
    );
  }
}

/** The pause that the server has asked for, no longer than the call may take. @throws the signal's reason */
export async function pauseBeforeResume(
  retryMs: number | null,
  { deadline, signal }: ExchangeOptions,
): Promise<void> {
  const wantedMs = Math.min(retryMs ?? DEFAULT_RETRY_MS, MAX_RETRY_MS);
  await pause(Math.max(0, Math.min(wantedMs, deadline.at - Date.now())), signal);
  signal?.throwIfAborted();
}

function pause(ms: number, signal: CancelSignal | undefined): Promise<void> {
  if (signal?.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    // A session that listens for hours does not keep a process alive that has nothing else to do.
    Deno.unrefTimer(timer);
    signal?.addEventListener("abort", done, { once: true });
  });
}
