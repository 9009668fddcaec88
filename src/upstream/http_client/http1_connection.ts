// One connection to an upstream: its socket, its read buffer, and whose request it is carrying.

import type { CancelSignal } from "../../base/cancellation.ts";
import { SluiceError } from "../../base/errors.ts";
import type { Socket } from "../dial/socket.ts";
import type { ByteWindow } from "../http1/body_reader.ts";
import type { DeadlineTimer, Expiring } from "../../base/deadline_timer.ts";
import { type Deadline, upstreamTimeout } from "../resilience/deadline.ts";
import { RequestBuffer } from "../http1/request_head.ts";

/** One request's claims on its connection; times in ms. */
export interface Carriage {
  readonly upstream: string;
  readonly writeTimeoutMs: number;
  readonly readTimeoutMs: number;
  /** The setting that `readTimeoutMs` comes from, for the error text. */
  readonly readSetting: string;
  readonly deadline: Deadline | undefined;
  readonly signal: CancelSignal | undefined;
}

export interface ConnectionOptions {
  /** Only requests with this key may use the connection. */
  readonly key: string;
  readonly tls: boolean;
  /** The upstream for which the address was checked. */
  readonly checkedFor: string;
  /** The checked address that it leads to; null if a proxy has resolved the name. */
  readonly remoteIp: string | null;
  readonly deadlines: DeadlineTimer;
}

const READ_BUFFER_BYTES = 16_384;
const MAX_READ_BUFFER_BYTES = 262_144;

/**
 * Is idle, busy or closed. A read is always under way while it is idle, so that the peer's closing is noticed before the
 * next request and not by it; that read then becomes the first of the answer.
 */
export class Connection implements ByteWindow, Expiring {
  readonly key: string;
  readonly tls: boolean;
  readonly remoteIp: string | null;
  checkedFor: string;
  /** It has carried a request before the present one. */
  reused = false;
  /** What the peer said about how long it keeps an idle connection, ms. */
  keepAliveHintMs = Infinity;
  /** Called once, when the connection has been closed for whatever reason. */
  onClosed: () => void = () => {};
  bytes: Uint8Array = new Uint8Array(READ_BUFFER_BYTES);
  start = 0;
  end = 0;
  deadlineAt = Infinity;
  readonly #socket: Socket;
  readonly #deadlines: DeadlineTimer;
  readonly #request = new RequestBuffer();
  #state: "idle" | "busy" | "closed" = "busy";
  #failure: { readonly error: unknown } | undefined;
  #reading: Promise<number | null> | undefined;
  #carriage: Carriage | undefined;
  /** What the socket has not taken yet; null once all of it has been, or the socket has refused. */
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
   * Starts to carry a request: everything is handed to the socket at once, the answer is awaited by `fill`.
   * @throws what the connection was closed for, before anything was sent
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
    this.#write(this.#request.encode(head, method, body));
  }

  /**
   * Waits for more bytes behind `end`. Views into the window are void afterwards.
   * @returns false at the end of the stream, however it came
   * @throws what the connection was closed for: a timeout, the signal's reason, or that the request could not be written
   */
  async fill(): Promise<boolean> {
    if (this.#failure !== undefined) throw this.#failure.error;
    const reading = this.#reading ?? this.#startReading();
    if (this.#unsent === null) this.#expireIn(this.#carriage!.readTimeoutMs);
    let count: number | null = null;
    try {
      count = await reading;
    } catch {
      // A reset says no more than an end: the stream is over.
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
   * The answer has been read to its end. True: the connection may carry another request. It must not where bytes are left
   * over, or where the peer answered before it had taken the whole request.
   */
  finish(keepAlive: boolean): boolean {
    this.#letGo();
    if (this.#state === "closed") return false;
    const isClean = keepAlive && this.#unsent === null && !this.#writeFailed && this.start === this.end;
    if (!isClean) this.close();
    else this.reused = true;
    return isClean;
  }

  /** For the rest of this answer a silence of `ms` is too long already. @param setting where `ms` comes from, if from another */
  shortenReadTimeout(ms: number, setting?: string): void {
    const carriage = this.#carriage;
    if (carriage === undefined || carriage.readTimeoutMs <= ms) return;
    this.#carriage = { ...carriage, readTimeoutMs: ms, readSetting: setting ?? carriage.readSetting };
  }

  /** Nothing to carry for now. Ends by `send`, by `close`, or by the peer. */
  rest(): void {
    this.#state = "idle";
    // It was taken and given back unused: the read that watches it is still under way, into the buffer as it is.
    if (this.#reading !== undefined) return;
    this.start = this.end = 0;
    if (this.bytes.length > READ_BUFFER_BYTES) this.bytes = new Uint8Array(READ_BUFFER_BYTES);
    this.#request.trim();
    this.#startReading();
  }

  /** Ends what the connection is doing; whoever waits on it gets `error`. */
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
    // The peer waits for an answer of ours: its silence is no fault. Looked at again after as long.
    if (deadline?.isHeld) return this.#deadlines.set(this, readTimeoutMs);
    const isWriting = this.#unsent !== null;
    const phase = isWriting ? "accept the request" : this.#answerBegun ? "continue its answer" : "answer";
    const phaseLimit = isWriting
      ? { ms: writeTimeoutMs, setting: "HTTP_CLIENT_WRITE_TIMEOUT" }
      : { ms: readTimeoutMs, setting: readSetting };
    const hasPassed = deadline !== undefined && this.#deadlines.isPast(deadline.at);
    this.abort(upstreamTimeout(upstream, phase, hasPassed ? deadline : phaseLimit));
  }

  /** `ms` from now, or when the exchange must be over. */
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

  /** Everything is consumed: read from the front again, into more room where the peer fills what there is. */
  #startOver(): void {
    const wasFull = this.end === this.bytes.length && this.end < MAX_READ_BUFFER_BYTES;
    this.start = this.end = 0;
    if (wasFull) this.bytes = new Uint8Array(this.bytes.length * 2);
  }

  /** Full of what cannot be consumed yet, which is a head: its limit is the caller's. */
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

  // Bound once: a request makes no closures.
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
    // TLS may have sent a part of what it reports as failed; a refused first write to a bare socket has sent nothing.
    if (!this.tls && !this.#isPartlySent && !this.#answerBegun) {
      this.abort(new SluiceError("UPSTREAM_CLOSED", { upstream, sent: 0 }, { cause }));
    } else this.#expireIn(readTimeoutMs); // The peer may have answered before it stopped listening.
  };

  readonly #onIdleRead = () => {
    if (this.#state === "idle") this.close();
  };

  readonly #onAbort = () => this.abort(this.#carriage!.signal!.reason);
}
