// A WebSocket client that sends whatever frames it is told to, and answers no ping: no library would.
import { concat } from "./bytes.ts";

export const TEXT = 1;
export const BINARY = 2;
export const CLOSE = 8;
export const PING = 9;
export const PONG = 10;

export interface Frame {
  readonly opcode: number;
  readonly payload: Uint8Array;
}

export interface HandshakeOptions {
  readonly token?: string;
  readonly path?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

const encoder = new TextEncoder();
const decoder = new TextDecoder();

export class RawWebSocket implements Disposable {
  readonly status: number;
  /** By lower-case name. */
  readonly headers: ReadonlyMap<string, string>;
  readonly #connection: Deno.TcpConn;
  #buffer: Uint8Array<ArrayBuffer>;
  #closed = false;

  private constructor(connection: Deno.TcpConn, head: string, rest: Uint8Array<ArrayBuffer>) {
    this.#connection = connection;
    this.#buffer = rest;
    const [first, ...lines] = head.split("\r\n");
    this.status = Number(first!.split(" ")[1]);
    this.headers = new Map(lines.map((line) => {
      const colon = line.indexOf(":");
      return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
    }));
  }

  /** The handshake, whatever it is answered with. */
  static async open(port: number, { token, path = "/ws", headers = {} }: HandshakeOptions = {}) {
    const connection = await Deno.connect({ hostname: "127.0.0.1", port });
    const all = {
      host: "127.0.0.1",
      upgrade: "websocket",
      connection: "Upgrade",
      "sec-websocket-version": "13",
      "sec-websocket-key": btoa("0123456789abcdef"),
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      ...headers,
    };
    const lines = Object.entries(all).filter(([, value]) => value !== "").map(([name, value]) =>
      `${name}: ${value}`
    );
    await connection.write(encoder.encode([`GET ${path} HTTP/1.1`, ...lines, "", ""].join("\r\n")));
    let buffer = new Uint8Array(0);
    for (;;) {
      const text = decoder.decode(buffer);
      const end = text.indexOf("\r\n\r\n");
      if (end >= 0) return new RawWebSocket(connection, text.slice(0, end), buffer.slice(end + 4));
      const piece = await read(connection);
      if (piece === null) throw new Error(`No whole head: ${text}`);
      buffer = concat([buffer, piece]);
    }
  }

  /** Send a text as one frame. */
  say(text: string): Promise<void> {
    return this.send(frame(TEXT, encoder.encode(text)));
  }

  async send(bytes: Uint8Array): Promise<void> {
    for (let sent = 0; sent < bytes.length;) sent += await this.#connection.write(bytes.subarray(sent));
  }

  /** The next frame; null where the connection has ended. */
  async next(): Promise<Frame | null> {
    for (;;) {
      const found = firstFrame(this.#buffer);
      if (found !== null) {
        this.#buffer = this.#buffer.slice(found.size);
        return found.frame;
      }
      const piece = await read(this.#connection);
      if (piece === null) return null;
      this.#buffer = concat([this.#buffer, piece]);
    }
  }

  // deno-lint-ignore no-explicit-any -- messages of every shape; what is read is asserted
  async nextMessage(): Promise<any> {
    for (;;) {
      const found = await this.next();
      if (found === null) throw new Error("The connection has ended");
      if (found.opcode === CLOSE) throw new Error(`Closed with ${closeCode(found)}`);
      if (found.opcode === TEXT) return JSON.parse(decoder.decode(found.payload));
    }
  }

  /** The code that the peer closes with; null where it breaks off. */
  async closeCode({ answersPings = false } = {}): Promise<number | null> {
    for (;;) {
      const found = await this.next();
      if (found === null) return null;
      if (found.opcode === CLOSE) return closeCode(found);
      if (found.opcode === PING && answersPings) await this.send(frame(PONG, found.payload));
    }
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#connection.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

/** A masked frame, as clients send them. */
export function frame(
  opcode: number,
  payload: Uint8Array,
  { fin = true, masked = true }: { readonly fin?: boolean; readonly masked?: boolean } = {},
): Uint8Array<ArrayBuffer> {
  const { length } = payload;
  const head = [(fin ? 0x80 : 0) | opcode];
  const bit = masked ? 0x80 : 0;
  if (length < 126) head.push(bit | length);
  else if (length < 65_536) head.push(bit | 126, length >> 8, length & 255);
  else {head.push(
      bit | 127,
      0,
      0,
      0,
      0,
      length >>> 24,
      (length >> 16) & 255,
      (length >> 8) & 255,
      length & 255,
    );}
  if (!masked) return concat([new Uint8Array(head), new Uint8Array(payload)]);
  const mask = [1, 2, 3, 4];
  return concat([
    new Uint8Array([...head, ...mask]),
    payload.map((byte, at) => byte ^ mask[at & 3]!) as Uint8Array<ArrayBuffer>,
  ]);
}

function firstFrame(buffer: Uint8Array): { readonly frame: Frame; readonly size: number } | null {
  if (buffer.length < 2) return null;
  const view = new DataView(buffer.buffer, buffer.byteOffset, buffer.byteLength);
  const short = buffer[1]! & 127;
  const head = short < 126 ? 2 : short === 126 ? 4 : 10;
  if (buffer.length < head) return null;
  const length = short < 126 ? short : short === 126 ? view.getUint16(2) : Number(view.getBigUint64(2));
  if (buffer.length < head + length) return null;
  return {
    frame: { opcode: buffer[0]! & 15, payload: buffer.slice(head, head + length) },
    size: head + length,
  };
}

function closeCode({ payload }: Frame): number {
  return payload.length < 2 ? 1005 : payload[0]! << 8 | payload[1]!;
}

async function read(connection: Deno.TcpConn): Promise<Uint8Array<ArrayBuffer> | null> {
  const piece = new Uint8Array(64 * 1024);
  try {
    const count = await connection.read(piece);
    return count === null ? null : piece.slice(0, count);
  } catch (error) {
    if (error instanceof Deno.errors.ConnectionReset || error instanceof Deno.errors.BrokenPipe) return null;
    throw error;
  }
}
