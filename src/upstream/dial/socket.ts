// Connections as bytes, and adapters between them and streams of node. TLS within TLS and WebSockets need streams.
import { Duplex } from "node:stream";

/** The part of a connection that the gateway uses. `Deno.Conn` satisfies it. */
export interface Socket {
  /** @returns the number of bytes; null at the end of the stream */
  read(into: Uint8Array): Promise<number | null>;
  /** @returns the number of bytes that were written, at least 1 */
  write(bytes: Uint8Array): Promise<number>;
  close(): void;
}

const READ_BYTES = 16_384;

const COPY_BYTES = 32 * 1024;

export async function writeAll(socket: Socket, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length;) at += await socket.write(bytes.subarray(at));
}

/** Copies until either side has ended. A socket that fails ends, too. Never throws. */
export async function copy(from: Socket, to: Socket): Promise<void> {
  const buffer = new Uint8Array(COPY_BYTES);
  try {
    for (let read = await from.read(buffer); read !== null; read = await from.read(buffer)) {
      await writeAll(to, buffer.subarray(0, read));
    }
  } catch {
    // The caller closes both sides.
  }
}

/** Closes a socket that may be closed already. */
export function closeSocket(socket: Pick<Socket, "close">): void {
  try {
    socket.close();
  } catch {
    // It is closed already.
  }
}

/** A node stream over a socket. Destroying the stream closes the socket. */
export class SocketStream extends Duplex {
  readonly #socket: Socket;
  /** Takes the next read. */
  #buffer = new Uint8Array(READ_BYTES);
  /** Called with the number of bytes before each piece is passed on. */
  onBytes: (count: number) => void = () => {};

  constructor(socket: Socket) {
    super();
    this.#socket = socket;
    // Its user reports the error. A user that has left the stream would make it uncaught.
    this.on("error", () => {});
  }

  override _read(): void {
    this.#socket.read(this.#buffer).then(
      (count) => this.push(count === null ? null : this.#take(count)),
      // Closing the socket rejects a pending read.
      (error) => this.destroyed || this.destroy(error),
    );
  }

  /** A small piece is copied: the stream's user may keep pieces, and each would keep a whole buffer. */
  #take(count: number): Uint8Array {
    this.onBytes(count);
    if (count < READ_BYTES / 2) return this.#buffer.slice(0, count);
    const piece = this.#buffer.subarray(0, count);
    this.#buffer = new Uint8Array(READ_BYTES);
    return piece;
  }

  override _write(bytes: Uint8Array, _encoding: string, done: (error?: Error | null) => void): void {
    writeAll(this.#socket, bytes).then(() => done(), done);
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    closeSocket(this.#socket);
    done(error);
  }

  // Methods of a TCP socket that libraries call. They have no effect here.
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

/** A socket over a node stream. Closing the socket destroys the stream. */
export class StreamSocket implements Socket {
  readonly #stream: Duplex;
  readonly #chunks: AsyncIterator<Uint8Array>;
  #rest: Uint8Array = new Uint8Array();

  constructor(stream: Duplex) {
    this.#stream = stream;
    this.#chunks = stream[Symbol.asyncIterator]();
    // Reads and writes report the error. Without a listener it would be uncaught as well.
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
      // The stream gets a copy, because the caller reuses its buffer.
      this.#stream.write(bytes.slice(), (error) => error == null ? resolve(bytes.length) : reject(error));
    });
  }

  close(): void {
    this.#stream.destroy();
  }
}
