// An upstream whose very HTTP is broken: it reads a request's head and body, then sends the bytes it was given and closes.

export interface RawUpstream extends AsyncDisposable {
  /** Where it listens; any path will do. */
  readonly url: string;
  /** Connections accepted so far. */
  readonly connections: () => number;
}

/** Replies that break HTTP, by name: bytes as text. "" closes without a word. */
export const BROKEN_REPLIES = {
  silent_close: "",
  not_http: "SSH-2.0-OpenSSH_9.2\r\n",
  half_head: "HTTP/1.1 200 OK\r\ncontent-type: appl",
  short_body:
    'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 1000\r\n\r\n{"jsonrpc":"2.0"',
  two_lengths:
    "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\n{}x",
  length_and_chunked:
    "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
  bad_chunk:
    "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\nZZ\r\n{}\r\n0\r\n\r\n",
  open_chunk:
    "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n10\r\n{}",
  endless_head: `HTTP/1.1 200 OK\r\n${"x-filler: ".padEnd(1_000, "x").concat("\r\n").repeat(1_000)}`,
} as const;

/** Starts one that sends `reply` to every request. */
export function startRawUpstream(reply: string, { port = 0 } = {}): RawUpstream {
  const listener = Deno.listen({ hostname: "127.0.0.1", port });
  const open = new Set<Deno.Conn>();
  const bytes = new TextEncoder().encode(reply);
  let accepted = 0;
  const accepting = (async () => {
    const serving: Promise<void>[] = [];
    for await (const connection of listener) {
      accepted++;
      open.add(connection);
      serving.push(answer(connection, bytes).finally(() => open.delete(connection)));
    }
    await Promise.all(serving);
  })();
  return {
    url: `http://127.0.0.1:${(listener.addr as Deno.NetAddr).port}/mcp`,
    connections: () => accepted,
    [Symbol.asyncDispose]: async () => {
      listener.close();
      for (const connection of open) connection.close();
      await accepting;
    },
  };
}

async function answer(connection: Deno.Conn, reply: Uint8Array): Promise<void> {
  try {
    await readRequest(connection);
    for (let sent = 0; sent < reply.length;) sent += await connection.write(reply.subarray(sent));
  } catch (error) {
    // The caller had enough first, or the test ended.
    if (!isConnectionEnd(error)) throw error;
  }
  try {
    connection.close();
  } catch (error) {
    if (!isConnectionEnd(error)) throw error;
  }
}

async function readRequest(connection: Deno.Conn): Promise<void> {
  const buffer = new Uint8Array(64 * 1024);
  let text = "";
  for (;;) {
    const count = await connection.read(buffer);
    if (count === null) return;
    text += new TextDecoder("latin1").decode(buffer.subarray(0, count));
    const headEnd = text.indexOf("\r\n\r\n");
    if (headEnd < 0) continue;
    const length = Number(/^content-length: *(\d+)/im.exec(text.slice(0, headEnd))?.[1] ?? 0);
    if (text.length >= headEnd + 4 + length) return;
  }
}

function isConnectionEnd(error: unknown): boolean {
  return [
    Deno.errors.BadResource,
    Deno.errors.BrokenPipe,
    Deno.errors.ConnectionReset,
    Deno.errors.ConnectionAborted,
    Deno.errors.Interrupted,
  ].some((kind) => error instanceof kind);
}
