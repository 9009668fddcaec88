// Cancels the calls of clients that leave before they are answered.
import { Cancellation } from "../base/cancellation.ts";
import { SluiceError } from "../base/errors.ts";

/** How long a call is left alone, at least; twice as long at most. */
const LOOK_EVERY_MS = 100;

/**
 * Asking a Request for its signal costs as much as half a call, and most calls are over before anybody could leave. So a call
 * gets a bare Cancellation, and its request is asked only when the call has lasted a while.
 */
export class ClientWatch {
  /** Since the last look, since the one before, and those whose request has been asked. */
  #young = new Map<Cancellation, Request>();
  #old = new Map<Cancellation, Request>();
  readonly #asked = new Map<Cancellation, Request>();
  #timer: ReturnType<typeof setInterval> | undefined;

  /** A call begins: it is cancelled with REQUEST_CANCELLED when its client leaves. End it with `leave`. */
  enter(request: Request): Cancellation {
    const cancellation = new Cancellation();
    this.#young.set(cancellation, request);
    this.#timer ??= setInterval(() => this.#look(), LOOK_EVERY_MS);
    return cancellation;
  }

  leave(cancellation: Cancellation): void {
    if (this.#young.delete(cancellation) || this.#old.delete(cancellation)) return;
    this.#asked.delete(cancellation);
  }

  /** Somebody else has seen that the client of this request has left, which its signal does not always tell. */
  gone(request: Request): void {
    for (const calls of [this.#young, this.#old, this.#asked]) {
      for (const [cancellation, its] of calls) if (its === request) cancel(cancellation);
    }
  }

  close(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  #look(): void {
    for (const [cancellation, request] of this.#old) {
      const { signal } = request;
      this.#asked.set(cancellation, request);
      // A reply that has begun is its stream's business: leaving that need not end the call.
      const onGone = () => this.#asked.has(cancellation) && cancel(cancellation);
      if (signal.aborted) onGone();
      else signal.addEventListener("abort", onGone, { once: true });
    }
    this.#old = this.#young;
    this.#young = new Map();
    if (this.#old.size === 0) this.close();
  }
}

function cancel(cancellation: Cancellation): void {
  cancellation.cancel(new SluiceError("REQUEST_CANCELLED"));
}
