// One connection to an upstream: its socket, its read buffer, and the request that it carries.

import type { ConnectionHolder } from "../../base/sharing/caller.ts";
import type { CancelSignal } from "../../base/cancellation.ts";
import { reasonOf, SluiceError } from "../../base/errors.ts";
import { alertReason } from "../dial/tls.ts";
import type { Linked } from "../../base/linked_list.ts";
import type { Socket } from "../dial/socket.ts";
import type { ByteWindow } from "../http1/body_reader.ts";
import type { DeadlineTimer, Expiring } from "../../base/deadline_timer.ts";
import { type Deadline, upstreamTimeout } from "../resilience/deadline.ts";
import { RequestBuffer } from "../http1/request_head.ts";

/** The limits of one request on a connection. Times are in ms. */
export interface Carriage {
  /** Lines of the head that are new with each request, in ASCII. Default: none. */
  readonly lines?: string;
  readonly upstream: string;
  readonly writeTimeoutMs: number;
  readonly readTimeoutMs: number;
  /** The origin of `readTimeoutMs`, for the error text. */
  readonly readSetting: string;
  readonly deadline: Deadline | undefined;
  readonly signal: CancelSignal | undefined;
}

export interface ConnectionOptions {
  /** See `Target.key`. */
  readonly key: string;
  readonly tls: boolean;
  /** The upstream whose egress check the address has passed. */
  readonly checkedFor: string;
  /** The checked address; null if a proxy has resolved the name. */
  readonly remoteIp: string | null;
  readonly deadlines: DeadlineTimer;
}

const READ_BUFFER_BYTES = 16_384;
const MAX_READ_BUFFER_BYTES = 262_144;

/**
 * A connection is idle, busy or closed. While it is idle, a read is pending, which notices that the peer closes the connection.
 * With the next request the pending read becomes the first read of the response.
 */
export class Connection implements ByteWindow, Expiring, Linked<Connection> {
  readonly key: string;
  readonly tls: boolean;
  readonly remoteIp: string | null;
  checkedFor: string;
  /** Whether the connection has carried a request before the present one. */
  reused = false;
  holder: ConnectionHolder | undefined = undefined;
  /** Time that the peer keeps an idle connection, as it said, ms. */
  keepAliveHintMs = Infinity;
  /** Called once, when the connection has been closed for any reason. */
  onClosed: () => void = () => {};
  bytes: Uint8Array = new Uint8Array(READ_BUFFER_BYTES);
  start = 0;
  end = 0;
  deadlineAt = Infinity;
  slot = -1;
  previous: Connection | undefined = undefined;
  next: Connection | undefined = undefined;
  readonly #socket: Socket;
  readonly #deadlines: DeadlineTimer;
  readonly #request = new RequestBuffer();
  #state: "idle" | "busy" | "closed" = "busy";
  #failure: { readonly error: unknown } | undefined;
  #reading: Promise<number | null> | undefined;
  #carriage: Carriage | undefined;
  /** The part of the request that the socket has not taken; null if it has taken all, or has failed. */
  #unsent: Uint8Array | null = null;
  #isPartlySent = false;
  #writeFailed = false;
  #answerBegun = false;

  constructor(socket: Socket, options: ConnectionOptions) {
    this.#socket = socket;
    this.#deadlines = options.deadlines;
    this.key = options.key;
    this.tls = options.tls;
    this.checkedFor = options.checkedFor;
    this.remoteIp = options.remoteIp;
    this.#deadlines.watch(this);
  }

  get isClosed(): boolean {
    return this.#state === "closed";
  }

  /**
   * Writes a request to the socket at once. `fill` waits for the response.
   * @throws the reason of the close, if the connection is closed; nothing was sent then
   */
  send(head: Uint8Array, method: string, body: string | undefined, carriage: Carriage): void {
    if (this.#state === "closed") {
      throw this.#failure?.error ??
        new SluiceError("UPSTREAM_CLOSED", { upstream: carriage.upstream, sent: 0 });
    }
    this.#state = "busy";
    this.#carriage = carriage;
    this.#answerBegun = this.#isPartlySent = false;
    carriage.signal?.addEventListener("abort", this.#onAbort);
    if (this.#reading === undefined) this.#startReading();
    this.#write(this.#request.encode(head, method, body, carriage.lines));
  }

  /**
   * Waits for more bytes after `end`. Earlier views into the window are invalid afterwards.
   * @returns false at the end of the stream, including a reset
   * @throws the reason of the close: a timeout, the signal's reason, or a failed write of the request
   */
  async fill(): Promise<boolean> {
    if (this.#failure !== undefined) throw this.#failure.error;
    const reading = this.#reading ?? this.#startReading();
    if (this.#unsent === null) this.#expireIn(this.#carriage!.readTimeoutMs);
    let count: number | null = null;
    try {
      count = await reading;
    } catch (error) {
      // A reset is treated as the end of the stream. TLS 1.3 refuses a client after the handshake.
      const reason = alertReason(reasonOf(error));
      if (reason !== null && this.#failure === undefined) {
        const { upstream } = this.#carriage!;
        this.#failure = { error: new SluiceError("UPSTREAM_TLS_FAILED", { upstream, reason }) };
      }
    }
    if (this.#failure !== undefined) throw (this.#failure as { error: unknown }).error;
    this.#reading = undefined;
    if (this.#unsent === null) this.#expireIn(Infinity);
    if (count === null) return false;
    this.#answerBegun = true;
    this.end += count;
    return true;
  }

  /**
   * Ends the exchange after the whole response has been read.
   * @returns whether the connection may carry another request. It may not if bytes are left, or if the peer answered before it
   *  had taken the whole request
   */
  finish(keepAlive: boolean): boolean {
    this.#letGo();
    if (this.#state === "closed") return false;
    const isClean = keepAlive && this.#unsent === null && !this.#writeFailed && this.start === this.end;
    if (!isClean) this.close();
    else this.reused = true;
    return isClean;
  }

  /** Shortens the read timeout for the rest of this response. @param setting the origin of `ms`, if it differs */
  shortenReadTimeout(ms: number, setting?: string): void {
    const carriage = this.#carriage;
    if (carriage === undefined || carriage.readTimeoutMs <= ms) return;
    this.#carriage = { ...carriage, readTimeoutMs: ms, readSetting: setting ?? carriage.readSetting };
  }

  /** Makes the connection idle, until `send`, `close`, or the peer's close. */
  rest(): void {
    this.#state = "idle";
    // The connection was taken and returned without a request. Its read is still pending on this buffer.
    if (this.#reading !== undefined) return;
    this.start = this.end = 0;
    if (this.bytes.length > READ_BUFFER_BYTES) this.bytes = new Uint8Array(READ_BUFFER_BYTES);
    this.#request.trim();
    this.#startReading();
  }

  /** Closes the connection. The exchange in progress fails with `error`. */
  abort(error: unknown): void {
    this.#failure ??= { error };
    this.close();
  }

  close(): void {
    if (this.#state === "closed") return;
    this.#letGo();
    this.#state = "closed";
    this.#deadlines.forget(this);
    this.#socket.close();
    this.onClosed();
  }

  expire(): void {
    const carriage = this.#carriage;
    if (carriage === undefined) return this.close();
    const { upstream, deadline, writeTimeoutMs, readTimeoutMs, readSetting } = carriage;
    // The peer waits for an answer of the client, so its silence is no fault. The timeout starts again.
    if (deadline?.isHeld) return this.#deadlines.set(this, readTimeoutMs);
    const isWriting = this.#unsent !== null;
    const phase = isWriting ? "accept the request" : this.#answerBegun ? "continue its answer" : "answer";
    const phaseLimit = isWriting
      ? { ms: writeTimeoutMs, setting: "HTTP_CLIENT_WRITE_TIMEOUT" }
      : { ms: readTimeoutMs, setting: readSetting };
    const hasPassed = deadline !== undefined && this.#deadlines.isPast(deadline.at);
    this.abort(upstreamTimeout(upstream, phase, hasPassed ? deadline : phaseLimit));
  }

  /** Sets the deadline: `ms` from now, or the deadline of the exchange. */
  #expireIn(ms: number): void {
    this.#deadlines.set(this, ms, this.#carriage!.deadline?.at);
  }

  #letGo(): void {
    this.#carriage?.signal?.removeEventListener("abort", this.#onAbort);
    this.#carriage = undefined;
    this.#deadlines.set(this, Infinity);
  }

  #startReading(): Promise<number | null> {
    if (this.start === this.end) this.#startOver();
    else if (this.end === this.bytes.length) this.#makeRoom();
    const reading = this.#socket.read(this.end === 0 ? this.bytes : this.bytes.subarray(this.end));
    reading.then(this.#onIdleRead, this.#onIdleRead);
    return this.#reading = reading;
  }

  /** Everything is consumed, so reading starts at the front again. A peer that fills the buffer gets a larger one. */
  #startOver(): void {
    const wasFull = this.end === this.bytes.length && this.end < MAX_READ_BUFFER_BYTES;
    this.start = this.end = 0;
    if (wasFull) this.bytes = new Uint8Array(this.bytes.length * 2);
  }

  /** The buffer is full of an incomplete head. The caller limits its length. */
  #makeRoom(): void {
    const rest = this.bytes.subarray(this.start, this.end);
    this.bytes = new Uint8Array(Math.max(rest.length * 2, READ_BUFFER_BYTES));
    this.bytes.set(rest);
    this.start = 0;
    this.end = rest.length;
  }

  #write(bytes: Uint8Array): void {
    this.#unsent = bytes;
    this.#expireIn(this.#carriage!.writeTimeoutMs);
    this.#socket.write(bytes).then(this.#onWritten, this.#onWriteFailed);
  }

  // Bound once, so that a request creates no closures.
  readonly #onWritten = (count: number) => {
    if (this.#state !== "busy" || this.#unsent === null) return;
    this.#isPartlySent = true;
    if (count < this.#unsent.length) return this.#write(this.#unsent.subarray(count));
    this.#unsent = null;
    this.#expireIn(this.#carriage!.readTimeoutMs);
  };

  readonly #onWriteFailed = (cause: unknown) => {
    if (this.#state !== "busy" || this.#unsent === null) return;
    this.#unsent = null;
    this.#writeFailed = true;
    const { upstream, readTimeoutMs } = this.#carriage!;
    // A failed write over TLS may have sent a part. A failed first write without TLS has sent nothing.
    if (!this.tls && !this.#isPartlySent && !this.#answerBegun) {
      this.abort(new SluiceError("UPSTREAM_CLOSED", { upstream, sent: 0 }, { cause }));
    } else this.#expireIn(readTimeoutMs); // The peer may have answered before it stopped reading.
  };

  readonly #onIdleRead = () => {
    if (this.#state === "idle") this.close();
  };

  readonly #onAbort = () => this.abort(this.#carriage!.signal!.reason);
}
