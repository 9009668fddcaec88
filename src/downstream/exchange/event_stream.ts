// A response body of server-sent events.
import type { Principal } from "../../auth/principal.ts";
import type { Holding } from "../../base/sharing/client_memory.ts";
import { encodeSseEvent, SSE_KEEPALIVE } from "../../mcp/sse.ts";
import { BoundedBody } from "./bounded_body.ts";

const encoder = new TextEncoder();

export class EventStream {
  readonly #body: BoundedBody;

  /**
   * @param memory of the caller, for what it leaves unread
   * @param onEnd called once, when either side has ended the stream
   * @param opener the caller whose request opened the stream; null: a call opened it
   */
  constructor(memory: Holding, onEnd: () => void = () => {}, readonly opener: Principal | null = null) {
    this.#body = new BoundedBody(memory, onEnd);
  }

  get readable(): ReadableStream<Uint8Array> {
    return this.#body.readable;
  }

  get isOpen(): boolean {
    return this.#body.isOpen;
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
    this.#body.close();
  }

  #write(text: string): void {
    if (this.isOpen) this.#body.write(encoder.encode(text));
  }
}

/** Headers of every event stream. They keep caches from storing it and proxies from buffering it. */
export const EVENT_STREAM_HEADERS: Readonly<Record<string, string>> = {
  "content-type": "text/event-stream",
  "cache-control": "no-cache, no-transform",
  "x-accel-buffering": "no",
};
