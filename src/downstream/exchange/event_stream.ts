// A reply that stays open: events go out as they come, to a client that keeps up.
import { encodeSseEvent, SSE_KEEPALIVE } from "../../mcp/sse.ts";

/** A client that leaves this much unread is cut off: memory is bounded, and it can connect again. */
export const MAX_UNREAD_BYTES = 4 * 1024 * 1024;

const encoder = new TextEncoder();

export class EventStream {
  readonly readable: ReadableStream<Uint8Array>;
  #controller!: ReadableStreamDefaultController<Uint8Array>;
  #open = true;

  /**
   * @param onEnd called once, when the stream has ended from either side
   * @param jti of the token that opened it
   */
  constructor(private readonly onEnd: () => void = () => {}, readonly jti: string | null = null) {
    this.readable = new ReadableStream<Uint8Array>({
      start: (controller) => {
        this.#controller = controller;
      },
      cancel: () => this.#finish(),
    }, { highWaterMark: MAX_UNREAD_BYTES, size: (chunk) => chunk!.length });
  }

  get isOpen(): boolean {
    return this.#open;
  }

  /** Send one JSON-RPC message. */
  send(message: string, id?: string): void {
    this.#write(encodeSseEvent(message, { event: "message", id }));
  }

  /** Tell the client something that is no message. */
  tell(event: string, data: string): void {
    this.#write(encodeSseEvent(data, { event }));
  }

  /** An event without a message: from here the client can resume, after a pause of so many ms. */
  prime(id: string, retryMs: number): void {
    this.#write(`id: ${id}\nretry: ${retryMs}\ndata: \n\n`);
  }

  keepalive(): void {
    this.#write(SSE_KEEPALIVE);
  }

  close(): void {
    if (!this.#open) return;
    this.#controller.close();
    this.#finish();
  }

  #write(text: string): void {
    if (!this.#open) return;
    const bytes = encoder.encode(text);
    if (
      bytes.length > (this.#controller.desiredSize ?? 0) && this.#controller.desiredSize !== MAX_UNREAD_BYTES
    ) {
      this.#controller.error(new Error("the client does not read"));
      this.#finish();
    } else this.#controller.enqueue(bytes);
  }

  #finish(): void {
    if (!this.#open) return;
    this.#open = false;
    this.onEnd();
  }
}

/** The headers of every event stream: no cache keeps it, no proxy holds it back. */
export const EVENT_STREAM_HEADERS: Readonly<Record<string, string>> = {
  "content-type": "text/event-stream",
  "cache-control": "no-cache, no-transform",
  "x-accel-buffering": "no",
};
