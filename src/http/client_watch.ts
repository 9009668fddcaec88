// Notices clients that leave before they are answered.
import { Cancellation } from "../base/cancellation.ts";
import { SluiceError } from "../base/errors.ts";

/** How long a call is left alone, at least; twice as long at most. */
const LOOK_EVERY_MS = 100;

/**
 * Asking a Request for its signal costs as much as half a call, and most calls are over before anybody could leave. So a call
 * gets a bare Cancellation, and its request is asked only when the call has lasted a while.
 */
export class ClientWatch {
  /** Since the last look, and since the one before. */
  #young = new Map<Cancellation, Request>();
  #old = new Map<Cancellation, Request>();
  #timer: ReturnType<typeof setInterval> | undefined;

  /** A call begins: it is cancelled with REQUEST_CANCELLED when its client leaves. End it with `leave`. */
  enter(request: Request): Cancellation {
    const cancellation = new Cancellation();
    this.#young.set(cancellation, request);
    this.#timer ??= setInterval(() => this.#look(), LOOK_EVERY_MS);
    return cancellation;
  }

  leave(cancellation: Cancellation): void {
    if (!this.#young.delete(cancellation)) this.#old.delete(cancellation);
  }

  close(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  #look(): void {
    for (const [cancellation, { signal }] of this.#old) {
      const cancel = () => cancellation.cancel(new SluiceError("REQUEST_CANCELLED"));
      if (signal.aborted) cancel();
      else signal.addEventListener("abort", cancel, { once: true });
    }
    this.#old = this.#young;
    this.#young = new Map();
    if (this.#old.size === 0) this.close();
  }
}
