// Opens one session within a time limit.
import type { Clock } from "../../base/clock.ts";
import { SluiceError } from "../../base/errors.ts";
import type { CreateSession } from "./pool_entry.ts";

export interface OpeningOptions<S> {
  readonly create: CreateSession<S>;
  readonly upstream: string;
  readonly timeoutMs: number;
  readonly clock: Clock;
  /** Exactly one of these two is called, unless the opening is cancelled. Never before `open()` has returned. */
  readonly onOpened: (session: S) => void;
  readonly onFailed: (error: unknown) => void;
  /** Receives a session that was opened after the timeout or the cancellation. */
  readonly onLate: (session: S) => void;
}

/** Starts the opening. @returns a function that cancels it and aborts the creation's signal with a reason */
export function open<S>(options: OpeningOptions<S>): (reason: unknown) => void {
  const { clock, timeoutMs, upstream } = options;
  const abort = new AbortController();
  let over = false;
  const end = () => {
    over = true;
    clock.clearTimeout(timer);
  };
  const timer = clock.setTimeout(() => {
    const setting = "MCP_SESSION_POOL_CREATE_TIMEOUT";
    const error = new SluiceError("UPSTREAM_TIMEOUT", {
      upstream,
      phase: "open a session",
      timeoutMs,
      setting,
    });
    end();
    abort.abort(error);
    options.onFailed(error);
  }, timeoutMs);
  (async () => options.create(abort.signal))().then((session) => {
    if (over) return options.onLate(session);
    end();
    options.onOpened(session);
  }, (error) => {
    if (over) return;
    end();
    options.onFailed(error);
  });
  return (reason) => {
    end();
    abort.abort(reason);
  };
}
