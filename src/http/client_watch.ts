// Cancels the calls of clients that disconnect before the response.
import { Cancellation } from "../base/cancellation.ts";
import { SluiceError } from "../base/errors.ts";
import { type Linked, LinkedList } from "../base/linked_list.ts";

/** A call is watched after this time at the earliest, after twice this time at the latest. */
const LOOK_EVERY_MS = 100;

/** A call that is cancelled with REQUEST_CANCELLED when its client disconnects. */
export class WatchedCall extends Cancellation implements Linked<WatchedCall> {
  readonly request: Request;
  /** Where the watch keeps the call; null after its end. */
  list: LinkedList<WatchedCall> | null = null;
  previous: WatchedCall | undefined = undefined;
  next: WatchedCall | undefined = undefined;

  constructor(request: Request) {
    super();
    this.request = request;
  }

  moveTo(list: LinkedList<WatchedCall> | null): void {
    this.list?.remove(this);
    this.list = list;
    list?.push(this);
  }
}

/**
 * Reading `request.signal` costs half as much as a whole call, and most calls end before a client could leave. A call therefore gets a
 * bare Cancellation, and the signal of its request is read only after the call has lasted a while.
 */
export class ClientWatch {
  /** Calls begun since the last tick, calls of the tick before, and calls whose signal is read. */
  #young = new LinkedList<WatchedCall>();
  #old = new LinkedList<WatchedCall>();
  readonly #asked = new LinkedList<WatchedCall>();
  #timer: ReturnType<typeof setInterval> | undefined;

  /** Begins a call. It ends with `leave`. */
  enter(request: Request): WatchedCall {
    const call = new WatchedCall(request);
    call.moveTo(this.#young);
    this.#timer ??= setInterval(() => this.#look(), LOOK_EVERY_MS);
    return call;
  }

  leave(call: WatchedCall): void {
    call.moveTo(null);
  }

  /** The supervisor saw the client of this request disconnect; the request's signal does not always tell. */
  gone(request: Request): void {
    for (const calls of [this.#young, this.#old, this.#asked]) {
      for (const call of [...calls]) if (call.request === request) cancel(call);
    }
  }

  close(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  #look(): void {
    for (const call of this.#old) {
      const { signal } = call.request;
      call.moveTo(this.#asked);
      // Once a response has begun, its stream decides what a disconnect means: the call may go on.
      const onGone = () => call.list !== null && cancel(call);
      if (signal.aborted) onGone();
      else signal.addEventListener("abort", onGone, { once: true });
    }
    const emptied = this.#old;
    this.#old = this.#young;
    this.#young = emptied;
    if (this.#old.length === 0) this.close();
  }
}

function cancel(call: WatchedCall): void {
  call.cancel(new SluiceError("REQUEST_CANCELLED"));
}
