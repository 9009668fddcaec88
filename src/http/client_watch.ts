// Cancels the calls of clients that disconnect before the response.
import { Cancellation } from "../base/cancellation.ts";
import { SluiceError } from "../base/errors.ts";

/** A call is watched after this time at the earliest, after twice this time at the latest. */
const LOOK_EVERY_MS = 100;

/**
 * Reading `request.signal` costs half as much as a whole call, and most calls end before a client could leave. A call therefore gets a
 * bare Cancellation, and the signal of its request is read only after the call has lasted a while.
 */
export class ClientWatch {
  /** Calls begun since the last tick, calls of the tick before, and calls whose signal is read. */
  #young = new Map<Cancellation, Request>();
  #old = new Map<Cancellation, Request>();
  readonly #asked = new Map<Cancellation, Request>();
  #timer: ReturnType<typeof setInterval> | undefined;

  /** Begins a call, which is cancelled with REQUEST_CANCELLED when its client disconnects. Ends with `leave`. */
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

  /** The supervisor saw the client of this request disconnect; the request's signal does not always tell. */
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
      // Once a response has begun, its stream decides what a disconnect means: the call may go on.
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
