// A forward proxy of the test's own: CONNECT, and requests with a whole URL. Remembers what it was asked.

export interface ForwardProxyOptions {
  /** `user:password` that it wants. */
  readonly credentials?: string;
  /** The status that it refuses each CONNECT with. */
  readonly refuseTunnels?: number;
  /** It says that it keeps its connections, as squid does; else it keeps them without a word. */
  readonly saysKeepAlive?: boolean;
  /** It is spoken to over TLS. */
  readonly tls?: { readonly cert: string; readonly key: string };
  /** What it takes names for; it knows no others. */
  readonly names?: Readonly<Record<string, string>>;
}

const encoder = new TextEncoder();
const decoder = new TextDecoder();

export class ForwardProxy implements AsyncDisposable {
  /** Request lines, in the order in which they came. */
  readonly seen: string[] = [];
  readonly port: number;
  readonly #options: ForwardProxyOptions;
  readonly #listener: Deno.Listener;
  readonly #open = new Set<Deno.Conn>();
  readonly #serving: Promise<void>;

  constructor(options: ForwardProxyOptions = {}) {
    this.#options = options;
    const at = { hostname: "127.0.0.1", port: 0 };
    this.#listener = options.tls === undefined ? Deno.listen(at) : Deno.listenTls({ ...at, ...options.tls });
    this.port = (this.#listener.addr as Deno.NetAddr).port;
    this.#serving = this.#serve();
  }

  /** With its credentials, if it wants any and they are not given here. */
  url(credentials: string | undefined = this.#options.credentials): string {
    const scheme = this.#options.tls === undefined ? "http" : "https";
    return `${scheme}://${credentials === undefined ? "" : `${credentials}@`}127.0.0.1:${this.port}`;
  }

  /** How many connections are open, its own to upstreams among them. */
  get openConnections(): number {
    return this.#open.size;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener.close();
    for (const conn of [...this.#open]) this.#close(conn);
    await this.#serving;
  }

  async #serve(): Promise<void> {
    const clients: Promise<void>[] = [];
    for await (const conn of this.#listener) {
      this.#open.add(conn);
      // Broken connections are what some tests are about.
      clients.push(this.#serveClient(conn).catch(() => {}).finally(() => this.#close(conn)));
    }
    await Promise.all(clients);
  }

  async #serveClient(client: Deno.Conn): Promise<void> {
    const reader = new HeadReader(client);
    let upstream: Deno.Conn | undefined;
    let answering: Promise<void> = Promise.resolve();
    for (let head = await reader.head(); head !== null; head = await reader.head()) {
      const [requestLine = "", ...fields] = head.split("\r\n");
      this.seen.push(requestLine);
      const [method, target = ""] = requestLine.split(" ");
      const refusal = this.#refusal(method!, fields);
      if (refusal !== null) return await writeAll(client, `HTTP/1.1 ${refusal}\r\ncontent-length: 0\r\n\r\n`);
      const { hostname, port } = addressOf(target);
      upstream ??= await this.#connect(this.#options.names?.[hostname] ?? hostname, port);
      if (upstream === undefined) {
        return await writeAll(client, "HTTP/1.1 502 Bad Gateway\r\ncontent-length: 0\r\n\r\n");
      }
      const own = upstream;
      if (method === "CONNECT") {
        await writeAll(client, "HTTP/1.1 200 Connection established\r\n\r\n");
        await Promise.race([this.#relay(client, own, reader.rest()), this.#relay(own, client)]);
        return this.#close(own);
      }
      const url = new URL(target);
      const kept = fields.filter((field) => !/^proxy-/i.test(field));
      await writeAll(own, [`${method} ${url.pathname}${url.search} HTTP/1.1`, ...kept, "", ""].join("\r\n"));
      const length = Number(/^content-length: *(\d+)$/im.exec(head)?.[1] ?? 0);
      await writeAll(own, await reader.take(length));
      const more = this.#options.saysKeepAlive ? "connection: keep-alive\r\n" : "";
      answering = answering.then(() => this.#relayAnswer(own, client, more));
    }
    if (upstream !== undefined) this.#close(upstream);
    await answering;
  }

  /** A status line's rest; null: the request is welcome. */
  #refusal(method: string, fields: readonly string[]): string | null {
    const { credentials, refuseTunnels } = this.#options;
    const wanted = credentials === undefined ? null : `proxy-authorization: Basic ${btoa(credentials)}`;
    if (wanted !== null && !fields.includes(wanted)) return "407 Proxy Authentication Required";
    return method === "CONNECT" && refuseTunnels !== undefined ? `${refuseTunnels} Refused` : null;
  }

  async #connect(hostname: string, port: number): Promise<Deno.Conn | undefined> {
    try {
      const conn = await Deno.connect({ hostname, port });
      this.#open.add(conn);
      return conn;
    } catch {
      return undefined;
    }
  }

  /** One answer with a length. @param more header lines of the proxy's own */
  async #relayAnswer(from: Deno.Conn, to: Deno.Conn, more: string): Promise<void> {
    const reader = new HeadReader(from);
    const head = await reader.head();
    if (head === null) return;
    const length = Number(/^content-length: *(\d+)$/im.exec(head)?.[1] ?? NaN);
    const [statusLine, ...fields] = head.split("\r\n");
    await writeAll(to, [statusLine, ...fields].join("\r\n") + `\r\n${more}\r\n`);
    if (Number.isNaN(length)) return await this.#relay(from, to, reader.rest());
    await writeAll(to, await reader.take(length));
  }

  async #relay(from: Deno.Conn, to: Deno.Conn, first: Uint8Array = new Uint8Array()): Promise<void> {
    try {
      await writeAll(to, first);
      const buffer = new Uint8Array(16_384);
      for (let count = await from.read(buffer); count !== null; count = await from.read(buffer)) {
        await writeAll(to, buffer.subarray(0, count));
      }
    } catch {
      // One side is gone: so is the tunnel.
    } finally {
      this.#close(to);
    }
  }

  #close(conn: Deno.Conn): void {
    if (this.#open.delete(conn)) conn.close();
  }
}

class HeadReader {
  readonly #conn: Deno.Conn;
  #bytes = new Uint8Array();

  constructor(conn: Deno.Conn) {
    this.#conn = conn;
  }

  /** The next head without its empty line; null at the end. */
  async head(): Promise<string | null> {
    for (;;) {
      const text = decoder.decode(this.#bytes);
      const end = text.indexOf("\r\n\r\n");
      if (end >= 0) {
        this.#bytes = this.#bytes.slice(end + 4);
        return text.slice(0, end);
      }
      if (!await this.#more()) return null;
    }
  }

  async take(length: number): Promise<Uint8Array> {
    while (this.#bytes.length < length && await this.#more());
    const taken = this.#bytes.slice(0, length);
    this.#bytes = this.#bytes.slice(length);
    return taken;
  }

  rest(): Uint8Array {
    return this.#bytes;
  }

  async #more(): Promise<boolean> {
    const buffer = new Uint8Array(16_384);
    const count = await this.#conn.read(buffer);
    if (count === null) return false;
    const all = new Uint8Array(this.#bytes.length + count);
    all.set(this.#bytes);
    all.set(buffer.subarray(0, count), this.#bytes.length);
    this.#bytes = all;
    return true;
  }
}

function addressOf(target: string): { hostname: string; port: number } {
  const url = new URL(target.includes("://") ? target : `http://${target}`);
  return {
    hostname: url.hostname.replace(/^\[(.*)\]$/, "$1"),
    port: url.port === "" ? 80 : Number(url.port),
  };
}

async function writeAll(conn: Deno.Conn, what: string | Uint8Array): Promise<void> {
  const bytes = typeof what === "string" ? encoder.encode(what) : what;
  for (let at = 0; at < bytes.length;) at += await conn.write(bytes.subarray(at));
}
