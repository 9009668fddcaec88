// A keep-alive connection of a load run: one request at a time, answers with a Content-Length, as cheap as JavaScript makes it.

export interface LaneAnswer {
  readonly status: number;
  /** Status line and headers. */
  readonly head: string;
  readonly body: string;
}

const encoder = new TextEncoder();
const decoder = new TextDecoder("latin1");

export class Lane {
  readonly #connection: Deno.TcpConn;
  readonly #chunk = new Uint8Array(2 * 1024);

  private constructor(connection: Deno.TcpConn) {
    this.#connection = connection;
  }

  static async open(port: number): Promise<Lane> {
    const connection = await Deno.connect({ hostname: "127.0.0.1", port });
    connection.setNoDelay(true);
    return new Lane(connection);
  }

  async write(bytes: Uint8Array): Promise<void> {
    for (let sent = 0; sent < bytes.length;) sent += await this.#connection.write(bytes.subarray(sent));
  }

  /** @throws {Error} where the peer closes early or asks for the end of the connection; the lane is then of no more use */
  async request(bytes: Uint8Array): Promise<LaneAnswer> {
    await this.write(bytes);
    let text = "";
    let head = -1;
    while (head < 0) {
      text += await this.#read();
      head = text.indexOf("\r\n\r\n");
    }
    const lines = text.slice(0, head + 2);
    const length = Number(/\r\ncontent-length: (\d+)/i.exec(lines)?.[1] ?? 0);
    const pieces = [text.slice(head + 4)];
    for (let missing = length - pieces[0]!.length; missing > 0;) {
      const piece = await this.#read();
      pieces.push(piece);
      missing -= piece.length;
    }
    if (/\r\nconnection: close/i.test(lines)) throw new Error("the connection is to be closed");
    return { status: Number(text.slice(9, 12)), head: lines, body: pieces.join("") };
  }

  /** Sends a request whose answer is a stream. @returns its status, and a promise of its end */
  async openStream(bytes: Uint8Array): Promise<{ readonly status: number; readonly ended: Promise<void> }> {
    await this.write(bytes);
    let text = "";
    while (!text.includes("\r\n\r\n")) text += await this.#read();
    const ended = (async () => {
      // Until the peer ends it, or we do.
      while (await this.#connection.read(this.#chunk).catch(() => null) !== null);
    })();
    return { status: Number(text.slice(9, 12)), ended };
  }

  close(): void {
    try {
      this.#connection.close();
    } catch {
      // The peer was first.
    }
  }

  async #read(): Promise<string> {
    const count = await this.#connection.read(this.#chunk);
    if (count === null) throw new Error("the peer has closed the connection");
    return decoder.decode(this.#chunk.subarray(0, count));
  }
}

/** A request's bytes. `body`: JSON text; without one it is a GET. */
export function requestBytes(
  path: string,
  headers: Readonly<Record<string, string>>,
  body?: string,
): Uint8Array {
  const content = body === undefined
    ? ""
    : `content-type: application/json\r\ncontent-length: ${encoder.encode(body).length}\r\n`;
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`).join("");
  const method = body === undefined ? "GET" : "POST";
  return encoder.encode(
    `${method} ${path} HTTP/1.1\r\nhost: 127.0.0.1\r\n${lines}${content}\r\n${body ?? ""}`,
  );
}

/** The value below which `share` of the values lie; they are sorted by this. NaN where there are none. */
export function percentile(values: number[], share: number): number {
  values.sort((a, b) => a - b);
  return values[Math.min(values.length - 1, Math.floor(values.length * share))] ?? NaN;
}
