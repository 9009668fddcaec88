// A response body of server-sent events, with a bound on what the client leaves unread.
import { encodeSseEvent, SSE_KEEPALIVE } from "../../mcp/sse.ts";

/** A client that leaves more unread is disconnected, so that memory is bounded. It can connect again. */
export const MAX_UNREAD_BYTES = 4 * 1024 * 1024;

const encoder = new TextEncoder();

export class EventStream {
  readonly readable: ReadableStream<Uint8Array>;
  #controller!: ReadableStreamDefaultController<Uint8Array>;
  #open = true;

  /**
   * @param onEnd called once, when either side has ended the stream
   * @param jti id of the token that opened the stream
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

  /** Sends one JSON-RPC message. */
  send(message: string, id?: string): void {
    this.#write(encodeSseEvent(message, { event: "message", id }));
  }

  /** Sends an event that is no JSON-RPC message. */
  tell(event: string, data: string): void {
    this.#write(encodeSseEvent(data, { event }));
  }

  /** Sends an event without a message, from which the client can resume after a pause of `retryMs`. */
  prime(id: string, retryMs: number): void {
    this.#write(`id: ${id}\nretry: ${retryMs}\ndata: \n\n`);
  }

  /** Asks the client to pause for `retryMs` before it opens the stream again. */
  retryAfter(retryMs: number): void {
    this.#write(`retry: ${retryMs}\n\n`);
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

/** Headers of every event stream. They keep caches from storing it and proxies from buffering it. */
export const EVENT_STREAM_HEADERS: Readonly<Record<string, string>> = {
  "content-type": "text/event-stream",
  "cache-control": "no-cache, no-transform",
  "x-accel-buffering": "no",
};
