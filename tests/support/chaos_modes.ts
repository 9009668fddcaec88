// The ways in which the chaos upstream misbehaves in HTTP that is itself well formed.

/** One request to answer badly. */
export interface ChaosRequest {
  readonly id: string | number | null;
  /** `params._meta.progressToken`, where the request has one. */
  readonly progressToken: string | number | undefined;
  readonly request: Request;
  /** Resolves when the caller went away or the upstream is stopped. */
  readonly gone: Promise<void>;
  /** Tells that the caller went away: a caller that leaves while a body is being written is seen by its stream alone. */
  readonly left: () => void;
}

const JSON_TYPE = { "content-type": "application/json" };
const SSE_TYPE = { "content-type": "text/event-stream" };
const HUGE_BYTES = 64 * 1024 * 1024;
const TRICKLE_MS = 5;

/** By name: how a request is answered. Those that answer rightly say "done". */
export const CHAOS_MODES = {
  json: ({ id }: ChaosRequest) => new Response(done(id), { headers: JSON_TYPE }),
  sse: ({ id }: ChaosRequest) => new Response(event(done(id)), { headers: SSE_TYPE }),
  sse_with_notifications: ({ id, progressToken, left }: ChaosRequest) =>
    stream(left, async function* () {
      yield event(notification("notifications/message", { level: "info", logger: "chaos", data: "working" }));
      for (const progress of progressToken === undefined ? [] : [1, 2, 3]) {
        yield event(notification("notifications/progress", { progressToken, progress, total: 3 }));
      }
      yield event(done(id));
    }),
  /** Comments, CRLF line ends, an unnamed id-only event and data in several lines: all legal. */
  sse_unusual: ({ id }: ChaosRequest) => {
    const data = JSON.stringify(JSON.parse(done(id)), null, 1).split("\n").map((line) => `data: ${line}\r\n`);
    const body = `\uFEFF: hello\r\n\r\nid: 1\r\ndata:\r\n\r\nretry: 10\r\nevent: message\r\n${
      data.join("")
    }\r\n`;
    return new Response(body, { headers: SSE_TYPE });
  },
  /** The result byte by byte. */
  slow_sse: ({ id, left }: ChaosRequest) =>
    stream(left, async function* () {
      for (const byte of event(done(id))) {
        await new Promise((resolve) => setTimeout(resolve, TRICKLE_MS));
        yield byte;
      }
    }),
  /** The stream ends properly, without a result. */
  sse_without_result: () =>
    new Response(event(notification("notifications/message", { level: "info", data: 1 })), {
      headers: SSE_TYPE,
    }),
  hang: async ({ gone }: ChaosRequest) => {
    await gone;
    return new Response(null, { status: 503 });
  },
  /** The head comes, the result never does. */
  hang_in_sse: ({ gone, left }: ChaosRequest) =>
    stream(left, async function* () {
      yield ": waiting\n\n";
      await gone;
    }),
  disconnect_in_sse: ({ left }: ChaosRequest) =>
    stream(left, async function* () {
      yield 'data: {"jsonrpc":"2.0",';
      throw new Error("chaos: disconnect");
    }),
  disconnect_in_json: ({ left }: ChaosRequest) =>
    stream(left, async function* () {
      yield '{"jsonrpc":"2.0",';
      throw new Error("chaos: disconnect");
    }, JSON_TYPE),
  session_lost: () => new Response("Session not found", { status: 404 }),
  unauthorized: () => new Response(null, { status: 401, headers: { "www-authenticate": "Bearer" } }),
  http_500: () => new Response("Internal Server Error", { status: 500 }),
  http_503: () => new Response("busy", { status: 503, headers: { "retry-after": "1" } }),
  /** To another origin. */
  redirect: ({ request }: ChaosRequest) => {
    const { port } = new URL(request.url);
    return new Response(null, { status: 307, headers: { location: `http://localhost:${port}/json/mcp` } });
  },
  /** Accepted, as if it were a notification. */
  accepted: () => new Response(null, { status: 202 }),
  empty: () => new Response("", { headers: JSON_TYPE }),
  malformed_json: () => new Response('{"jsonrpc":"2.0","id":1,"result":{', { headers: JSON_TYPE }),
  malformed_sse: () => new Response("data: {not json\n\n", { headers: SSE_TYPE }),
  not_rpc: () => new Response('{"hello":"world"}', { headers: JSON_TYPE }),
  html: () => new Response("<html>Sign in</html>", { headers: { "content-type": "text/html" } }),
  wrong_id: () => new Response(done("nobody-asked"), { headers: JSON_TYPE }),
  wrong_id_in_sse: () => new Response(event(done("nobody-asked")), { headers: SSE_TYPE }),
  rpc_error: ({ id }: ChaosRequest) =>
    new Response(
      JSON.stringify({ jsonrpc: "2.0", id, error: { code: -32050, message: "chaos", data: { kept: true } } }),
      { headers: JSON_TYPE },
    ),
  /** 64 MiB of text in one result. */
  huge: ({ id, left }: ChaosRequest) => {
    const [head, tail] = done(id).split("done");
    return stream(left, async function* () {
      yield head;
      const piece = "x".repeat(64 * 1024);
      for (let sent = 0; sent < HUGE_BYTES; sent += piece.length) yield piece;
      yield tail;
    }, JSON_TYPE);
  },
  /** An event that never ends. */
  endless_sse: ({ left }: ChaosRequest) =>
    stream(left, async function* () {
      yield "data: ";
      const piece = "x".repeat(64 * 1024);
      for (;;) yield piece;
    }),
} satisfies Record<string, (request: ChaosRequest) => Response | Promise<Response>>;

/** A name of CHAOS_MODES. */
export type ChaosMode = keyof typeof CHAOS_MODES;

/** Is `name` a mode? */
export function isChaosMode(name: unknown): name is ChaosMode {
  return typeof name === "string" && Object.hasOwn(CHAOS_MODES, name);
}

function done(id: string | number | null): string {
  return JSON.stringify({ jsonrpc: "2.0", id, result: { content: [{ type: "text", text: "done" }] } });
}

function notification(method: string, params: Record<string, unknown>): string {
  return JSON.stringify({ jsonrpc: "2.0", method, params });
}

function event(data: string): string {
  return `event: message\ndata: ${data}\n\n`;
}

function stream(
  left: () => void,
  chunks: () => AsyncGenerator<string>,
  headers: Record<string, string> = SSE_TYPE,
): Response {
  const encoder = new TextEncoder();
  const generator = chunks();
  const body = new ReadableStream<Uint8Array>({
    async pull(controller) {
      const { done, value } = await generator.next();
      if (done) controller.close();
      else controller.enqueue(encoder.encode(value));
    },
    // Not awaited: a generator that waits for `gone` ends when the caller is gone, which is now.
    cancel: () => {
      left();
      void generator.return(undefined);
    },
  });
  return new Response(body, { headers });
}
