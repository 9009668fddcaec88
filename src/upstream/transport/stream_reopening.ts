// Streams that are to stay open for hours: opened again when they end, ever more slowly where they do not hold.
import { backoffMs } from "../../base/backoff.ts";
import type { CancelSignal } from "../../base/cancellation.ts";
import { MAX_TIMER_MS } from "../../base/clock.ts";
import type { ExchangeOptions } from "./transport.ts";

/** Where the server has asked for no pause of its own. */
const DEFAULT_RETRY_MS = 1_000;
const MAX_BACKOFF_MS = 30_000;
/** A server that has asked for a pause gets it (2025-11-25, transports: "MUST respect the retry field"), as long as a timer can be. */
const MAX_RETRY_MS = MAX_TIMER_MS;

/** How one stream ended. `refused`: the server has no such stream, so there is nothing to open again. */
export interface StreamEnd {
  readonly outcome: "ended" | "failed" | "refused";
  /** The pause that the server has asked for. */
  readonly retryMs?: number | null;
}

/** Opens stream after stream until the signal is aborted or the server refuses. @param listen never throws */
export async function keepStreamOpen(listen: () => Promise<StreamEnd>, signal: AbortSignal): Promise<void> {
  let failures = 0;
  while (!signal.aborted) {
    const { outcome, retryMs = null } = await listen();
    if (outcome === "refused") return;
    failures = outcome === "ended" ? 0 : failures + 1;
    const pauseMs = Math.min(retryMs ?? DEFAULT_RETRY_MS, MAX_RETRY_MS);
    await pause(
      failures < 2
        ? pauseMs
        : Math.max(pauseMs, backoffMs(failures, { baseMs: DEFAULT_RETRY_MS, maxMs: MAX_BACKOFF_MS })),
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

/** Ends early where the signal is aborted. */
export function pause(ms: number, signal: CancelSignal | undefined): Promise<void> {
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
