// The body of a streamed response. What the client leaves unread is bounded, and counts as memory of the caller.
import type { Holding } from "../../base/sharing/client_memory.ts";

/** A client that leaves more unread is disconnected. It can connect again. */
export const MAX_UNREAD_BYTES = 4 * 1024 * 1024;

/** A client that leaves less unread is not counted: most clients read at once. */
const UNCOUNTED_BYTES = 16 * 1024;

/** Counts what a client has not read yet. @returns false if the caller's memory does not allow so much */
export function countUnread(memory: Holding, unread: number): boolean {
  const by = (unread > UNCOUNTED_BYTES ? unread : 0) - memory.chars;
  if (by > 0) return memory.tryGrow(by);
  memory.grow(by);
  return true;
}

export class BoundedBody {
  readonly readable: ReadableStream<Uint8Array>;
  #controller!: ReadableStreamDefaultController<Uint8Array>;
  readonly #memory: Holding;
  readonly #onEnd: () => void;
  /** After its end nothing can be sent. The client may still read the rest. */
  #isOpen = true;

  /**
   * @param memory is closed when the client has read everything, or has left
   * @param onEnd called once, when either side has ended the stream
   */
  constructor(memory: Holding, onEnd: () => void) {
    this.#memory = memory;
    this.#onEnd = onEnd;
    this.readable = new ReadableStream<Uint8Array>({
      start: (controller) => {
        this.#controller = controller;
      },
      pull: () => this.#afterRead(),
      cancel: () => {
        memory.close();
        this.#finish();
      },
    }, { highWaterMark: MAX_UNREAD_BYTES, size: (chunk) => chunk!.length });
  }

  get isOpen(): boolean {
    return this.#isOpen;
  }

  /** Sends a piece, or disconnects a client that reads too slowly. One piece may have any length if next to nothing is unread. */
  write(bytes: Uint8Array): void {
    if (!this.#isOpen) return;
    const unread = this.#unread;
    const isTooMuch = unread > UNCOUNTED_BYTES && unread + bytes.length > MAX_UNREAD_BYTES;
    if (isTooMuch || !countUnread(this.#memory, unread + bytes.length)) {
      return this.fail(new Error("the client does not read"));
    }
    this.#controller.enqueue(bytes);
  }

  /** Ends the stream after what is unread. */
  close(): void {
    if (!this.#isOpen) return;
    this.#finish();
    this.#afterRead();
  }

  /** Breaks the stream off. */
  fail(error: unknown): void {
    if (!this.#isOpen) return;
    this.#controller.error(error);
    this.#memory.close();
    this.#finish();
  }

  get #unread(): number {
    return MAX_UNREAD_BYTES - (this.#controller.desiredSize ?? MAX_UNREAD_BYTES);
  }

  #afterRead(): void {
    const unread = this.#unread;
    if (this.#isOpen || unread > 0) return void countUnread(this.#memory, unread);
    this.#memory.close();
    this.#controller.close();
  }

  #finish(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#onEnd();
  }
}
