// The least that a gateway in Deno can do: Deno.serve in front of kept connections to an upstream, which read and write bytes. The relay
// checks and counts nothing, and expects each answer in one piece. Arguments: the port of the relay, and the port of the upstream.

const [port, upstreamPort] = Deno.args.map(Number);

interface Connection {
  readonly tcp: Deno.TcpConn;
  readonly bytes: Uint8Array<ArrayBuffer>;
}

const idle: Connection[] = [];
const encoder = new TextEncoder();
const decoder = new TextDecoder();

async function connect(): Promise<Connection> {
  const tcp = await Deno.connect({ hostname: "127.0.0.1", port: upstreamPort! });
  tcp.setNoDelay(true);
  return { tcp, bytes: new Uint8Array(16 * 1024) };
}

async function relay(body: string): Promise<string> {
  const connection = idle.pop() ?? await connect();
  const { tcp, bytes } = connection;
  const head = "POST /mcp HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\n" +
    `accept: application/json, text/event-stream\r\ncontent-length: ${body.length}\r\n\r\n`;
  await tcp.write(encoder.encode(head + body));
  const answer = decoder.decode(bytes.subarray(0, await tcp.read(bytes) ?? 0));
  idle.push(connection);
  return answer.slice(answer.indexOf("\r\n\r\n") + 4);
}

Deno.serve({ hostname: "127.0.0.1", port, onListen: () => {} }, async (request) => {
  if (request.method !== "POST") return new Response(null);
  return new Response(await relay(await request.text()), { headers: { "content-type": "application/json" } });
});
