// A connection's bytes, and the two ways between it and a stream of node: for TLS within TLS, and for WebSockets.
import { Duplex } from "node:stream";

/** The part of a connection that the gateway uses; `Deno.Conn` has it. */
export interface Socket {
  /** How many bytes were read; null at the end. */
  read(into: Uint8Array): Promise<number | null>;
  /** How many bytes were written, at least one. */
  write(bytes: Uint8Array): Promise<number>;
  close(): void;
}

const READ_BYTES = 16_384;

/** A socket as a node stream. Destroying the stream closes the socket. */
export class SocketStream extends Duplex {
  readonly #socket: Socket;

  constructor(socket: Socket) {
    super();
    this.#socket = socket;
  }

  override _read(): void {
    const bytes = new Uint8Array(READ_BYTES);
    this.#socket.read(bytes).then(
      (count) => this.push(count === null ? null : bytes.subarray(0, count)),
      // A closed socket fails the read that waits on it.
      (error) => this.destroyed || this.destroy(error),
    );
  }

  override _write(bytes: Uint8Array, _encoding: string, done: (error?: Error | null) => void): void {
    this.#writeAll(bytes).then(() => done(), done);
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    try {
      this.#socket.close();
    } catch {
      // It was closed before.
    }
    done(error);
  }

  async #writeAll(bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.length;) at += await this.#socket.write(bytes.subarray(at));
  }

  // What libraries ask of a TCP socket and can do without.
  setNoDelay(): this {
    return this;
  }

  setKeepAlive(): this {
    return this;
  }

  setTimeout(): this {
    return this;
  }

  ref(): this {
    return this;
  }

  unref(): this {
    return this;
  }
}

/** A node stream as a socket. Closing the socket destroys the stream. */
export class StreamSocket implements Socket {
  readonly #stream: Duplex;
  readonly #chunks: AsyncIterator<Uint8Array>;
  #rest: Uint8Array = new Uint8Array();

  constructor(stream: Duplex) {
    this.#stream = stream;
    this.#chunks = stream[Symbol.asyncIterator]();
    // Whoever reads or writes meets the failure; without a listener it would be thrown at nobody.
    stream.on("error", () => {});
  }

  async read(into: Uint8Array): Promise<number | null> {
    while (this.#rest.length === 0) {
      const { done, value } = await this.#chunks.next();
      if (done) return null;
      this.#rest = value;
    }
    const part = this.#rest.subarray(0, into.length);
    into.set(part);
    this.#rest = this.#rest.subarray(part.length);
    return part.length;
  }

  write(bytes: Uint8Array): Promise<number> {
    return new Promise((resolve, reject) => {
      // A copy: the stream may hold the bytes longer than the caller leaves them alone.
      this.#stream.write(bytes.slice(), (error) => error == null ? resolve(bytes.length) : reject(error));
    });
  }

  close(): void {
    this.#stream.destroy();
  }
}
