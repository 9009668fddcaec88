// An HTTP/1.1 client that sends whatever bytes it is given: `fetch` would refuse most of what a fuzz test has to say.

import { concat } from "./bytes.ts";

export interface RawResponse {
  readonly status: number;
  /** By lower-case name; the last where repeated. */
  readonly headers: ReadonlyMap<string, string>;
  readonly body: Uint8Array<ArrayBuffer>;
  /** The connection can carry another request. */
  readonly reusable: boolean;
}

/** The peer closed before a whole response had come. */
export class PeerClosed extends Error {
  override readonly name = "PeerClosed";
}

/** One TCP connection to 127.0.0.1. Every read has a deadline: a peer that says nothing is an error, not a hang. */
export class RawConnection implements Disposable {
  readonly #connection: Deno.TcpConn;
  readonly #deadlineMs: number;
  #buffer: Uint8Array<ArrayBuffer> = new Uint8Array(0);
  #closed = false;

  private constructor(connection: Deno.TcpConn, deadlineMs: number) {
    this.#connection = connection;
    this.#deadlineMs = deadlineMs;
  }

  static async open(port: number, { deadlineMs = 60_000 } = {}): Promise<RawConnection> {
    return new RawConnection(await Deno.connect({ hostname: "127.0.0.1", port }), deadlineMs);
  }

  /** The client's end. */
  get port(): number {
    return this.#connection.localAddr.port;
  }

  async send(bytes: Uint8Array): Promise<void> {
    for (let sent = 0; sent < bytes.length;) sent += await this.#connection.write(bytes.subarray(sent));
  }

  /** Says that nothing more will be sent, and reads what still comes. */
  async sendEnd(): Promise<Uint8Array<ArrayBuffer>> {
    await this.#connection.closeWrite();
    while (await this.#fill());
    return this.#buffer;
  }

  /** The next response. Of an event stream that does not end (`headOnly`), and of HEAD, the body is not read. @throws {PeerClosed} */
  async receive({ headOnly = false } = {}): Promise<RawResponse> {
    for (;;) {
      const { status, headers } = await this.#head();
      if (status >= 100 && status < 200 && status !== 101) continue;
      const bodyless = headOnly || status === 101 || status === 204 || status === 304;
      const length = headers.get("content-length");
      const chunked = headers.get("transfer-encoding")?.toLowerCase().includes("chunked") ?? false;
      const body = bodyless
        ? new Uint8Array(0)
        : chunked
        ? await this.#chunks()
        : length !== undefined
        ? await this.#take(Number(length))
        : await this.#rest();
      const framed = chunked || length !== undefined || bodyless;
      return {
        status,
        headers,
        body,
        reusable: framed && !headOnly && status !== 101 &&
          headers.get("connection")?.toLowerCase() !== "close",
      };
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

  async #head(): Promise<{ status: number; headers: Map<string, string> }> {
    const [first, ...lines] = (await this.#until("\r\n\r\n")).split("\r\n");
    const status = /^HTTP\/1\.[01] (\d{3})/.exec(first)?.[1];
    if (status === undefined) throw new Error(`Not a status line: ${JSON.stringify(first.slice(0, 100))}`);
    const headers = new Map(lines.map((line) => {
      const colon = line.indexOf(":");
      return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()] as const;
    }));
    return { status: Number(status), headers };
  }

  async #chunks(): Promise<Uint8Array<ArrayBuffer>> {
    const chunks: Uint8Array<ArrayBuffer>[] = [];
    for (;;) {
      const size = parseInt(await this.#until("\r\n"), 16);
      if (Number.isNaN(size)) throw new Error("Not a chunk size");
      const chunk = await this.#take(size);
      await this.#take(2);
      if (size === 0) return concat(chunks);
      chunks.push(chunk);
    }
  }

  async #until(mark: string): Promise<string> {
    for (;;) {
      // Bytes as characters: the mark is ASCII, and a head is.
      const text = new TextDecoder("latin1").decode(this.#buffer);
      const found = text.indexOf(mark);
      if (found >= 0) {
        this.#buffer = this.#buffer.slice(found + mark.length);
        return text.slice(0, found);
      }
      if (!await this.#fill()) throw new PeerClosed(`Closed after ${this.#buffer.length} bytes of a head`);
    }
  }

  async #take(count: number): Promise<Uint8Array<ArrayBuffer>> {
    while (this.#buffer.length < count) {
      if (!await this.#fill()) {
        throw new PeerClosed(`Closed within a body, ${count - this.#buffer.length} bytes early`);
      }
    }
    const taken = this.#buffer.slice(0, count);
    this.#buffer = this.#buffer.slice(count);
    return taken;
  }

  async #rest(): Promise<Uint8Array<ArrayBuffer>> {
    while (await this.#fill());
    return this.#buffer;
  }

  /** Reads once. @returns false at the end */
  async #fill(): Promise<boolean> {
    const chunk = new Uint8Array(16 * 1024);
    let late = false;
    const timer = setTimeout(() => {
      late = true;
      this.close();
    }, this.#deadlineMs);
    try {
      const count = await this.#connection.read(chunk);
      if (count === null) return false;
      this.#buffer = concat([this.#buffer, chunk.subarray(0, count)]);
      return true;
    } catch (error) {
      if (late) throw new Error(`No answer within ${this.#deadlineMs} ms`, { cause: error });
      if (error instanceof Deno.errors.ConnectionReset) return false;
      throw error;
    } finally {
      clearTimeout(timer);
    }
  }
}
