// Keeps long-lived streams open: a stream that ends is reopened, with growing pauses after failures.
import { backoffMs } from "../../base/backoff.ts";
import type { CancelSignal } from "../../base/cancellation.ts";
import { MAX_TIMER_MS } from "../../base/clock.ts";
import type { ExchangeOptions } from "./transport.ts";

/** Pause if the server has not requested one. */
const DEFAULT_RETRY_MS = 1_000;
const MAX_BACKOFF_MS = 30_000;
/** Shortest pause. A server that asks for none and ends each stream would be asked without end. */
const MIN_RETRY_MS = 100;
/** Longest pause on a server's request, limited only by timers (2025-11-25, transports: "MUST respect the retry field"). */
const MAX_RETRY_MS = MAX_TIMER_MS;

/** A stream that was open for this long, ms, has served its purpose. */
const LIVED_MS = 10_000;

/** The end of one stream. `refused`: the server has no such stream, so it is not reopened. */
export interface StreamEnd {
  readonly outcome: "ended" | "failed" | "refused";
  /** The stream has delivered something. A server may end its streams on purpose then, so that clients poll. */
  readonly hasDelivered?: boolean;
  /** The pause that the server requested. */
  readonly retryMs?: number | null;
}

/**
 * Opens streams until the signal is aborted or the server refuses. The pauses grow after failures, and after streams that ended at once
 * without a word. @param listen opens one and waits for its end; never
 * throws
 */
export async function keepStreamOpen(listen: () => Promise<StreamEnd>, signal: AbortSignal): Promise<void> {
  let failures = 0;
  while (!signal.aborted) {
    const openedAt = Date.now();
    const { outcome, hasDelivered = false, retryMs = null } = await listen();
    if (outcome === "refused") return;
    const hasLived = hasDelivered || retryMs !== null || Date.now() - openedAt >= LIVED_MS;
    failures = outcome === "ended" && hasLived ? 0 : failures + 1;
    const pauseMs = Math.max(MIN_RETRY_MS, Math.min(retryMs ?? DEFAULT_RETRY_MS, MAX_RETRY_MS));
    await pause(
      failures < 2
        ? pauseMs
        : Math.max(pauseMs, backoffMs(failures, { baseMs: DEFAULT_RETRY_MS, maxMs: MAX_BACKOFF_MS })),
      signal,
    );
  }
}

/** Waits for the pause that the server requested, within the call's deadline. @throws the signal's reason */
export async function pauseBeforeResume(
  retryMs: number | null,
  { deadline, signal }: ExchangeOptions,
): Promise<void> {
  const wantedMs = Math.min(retryMs ?? DEFAULT_RETRY_MS, MAX_RETRY_MS);
  await pause(Math.max(0, Math.min(wantedMs, deadline.at - Date.now())), signal);
  signal?.throwIfAborted();
}

/** Ends early if the signal is aborted. */
export function pause(ms: number, signal: CancelSignal | undefined): Promise<void> {
  if (signal?.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    // A pause must not keep an otherwise finished process alive.
    Deno.unrefTimer(timer);
    signal?.addEventListener("abort", done, { once: true });
  });
}
