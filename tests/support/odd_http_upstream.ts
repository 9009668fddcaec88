// Upstreams whose HTTP is unusual: each kind has a path of its own, /<kind>/mcp. They are sound MCP servers otherwise, without sessions.
import { brotliCompressSync, deflateRawSync, deflateSync, gzipSync } from "node:zlib";
import { serveOnLoopback } from "./loopback_server.ts";

/** A request as the upstream sees it; `answer` is what a sound server says, null for a notification. */
export interface OddRequest {
  readonly request: Request;
  readonly url: URL;
  // deno-lint-ignore no-explicit-any -- messages of every shape
  readonly message: any;
  readonly answer: Record<string, unknown> | null;
}

export type OddAnswer = (asked: OddRequest) => Response | Promise<Response>;

const JSON_TYPE = { "content-type": "application/json" };
const EVENTS_TYPE = { "content-type": "text/event-stream" };
const PAGE_TYPE = { "content-type": "text/html" };
const METHOD_NOT_FOUND = { jsonrpc: "2.0", id: null, error: { code: -32601, message: "Method not found" } };

/** An answer to requests alone; notifications are accepted. */
export function toRequests(render: (text: string, asked: OddRequest) => Response): OddAnswer {
  return (asked) =>
    asked.answer === null ? new Response(null, { status: 202 }) : render(JSON.stringify(asked.answer), asked);
}

export const sound = toRequests((text) => new Response(text, { headers: JSON_TYPE }));

/** The answer as an event stream, which comes in these pieces. */
export function eventStream(pieces: (text: string) => readonly string[]): OddAnswer {
  return toRequests((text) => {
    const encoder = new TextEncoder();
    return new Response(ReadableStream.from(pieces(text).map((piece) => encoder.encode(piece))), {
      headers: EVENTS_TYPE,
    });
  });
}

/** The answer, or an event with it, in a content coding. */
export function coded(coding: string, encode: (text: string) => Uint8Array, type = "json"): OddAnswer {
  return toRequests((text) =>
    new Response(encode(type === "json" ? text : `data: ${text}\n\n`) as Uint8Array<ArrayBuffer>, {
      headers: { ...(type === "json" ? JSON_TYPE : EVENTS_TYPE), "content-encoding": coding },
    })
  );
}

/** A redirect of everything at the registered path; other paths are served. */
export function redirecting(status: number, location: (asked: OddRequest) => string): OddAnswer {
  return (asked) =>
    asked.url.pathname.endsWith("/mcp")
      ? new Response(null, { status, headers: { location: location(asked) } })
      : sound(asked);
}

/** The same answer to every request. */
export function always(status: number, headers: Record<string, string>, body: string): OddAnswer {
  return () => new Response(body, { status, headers });
}

const ODD: Readonly<Record<string, OddAnswer>> = {
  gzip: coded("gzip", gzipSync),
  deflate: coded("deflate", deflateSync),
  bare_deflate: coded("deflate", deflateRawSync),
  brotli: coded("br", brotliCompressSync),
  gzip_events: coded("gzip", gzipSync, "events"),
  brotli_events: coded("br", brotliCompressSync, "events"),
  zstd: coded("zstd", (text) => new TextEncoder().encode(text)),
  bomb: coded("gzip", () => gzipSync(new Uint8Array(64 * 1024 * 1024).fill(32), { level: 9 })),
  bomb_event: coded(
    "gzip",
    () => gzipSync(new Uint8Array(64 * 1024 * 1024).fill(97), { level: 9 }),
    "events",
  ),
  // It compresses unless Accept-Encoding forbids it.
  unasked: (asked) => {
    const accepted = asked.request.headers.get("accept-encoding");
    return (accepted === null || accepted.includes("gzip") ? ODD.gzip! : sound)(asked);
  },
  cr: eventStream((text) => [`event: message\rdata: ${text}\r\r`]),
  cr_split: eventStream((text) => [`event: message\r`, `data: ${text}\r`, `\r`]),
  noise_event: eventStream((text) => ["data: hello\n\n", `data: ${text}\n\n`]),
  noise_json: eventStream((text) => ["data: 5\n\n", "event: message\ndata: [DONE]\n\n", `data: ${text}\n\n`]),
  only_noise: eventStream(() => ["data: hello\n\n"]),
  r307: redirecting(307, () => "/r307/mcp/"),
  r308: redirecting(308, ({ url }) => `${url.origin}/r308/elsewhere`),
  r307_relative: redirecting(307, () => "mcp/"),
  r301: redirecting(301, () => "/r301/mcp/"),
  r302: redirecting(302, ({ url }) => `${url.origin}/r302/mcp/`),
  r302_login: redirecting(302, () => "/login?next=/mcp"),
  r307_host: redirecting(307, ({ url }) => `http://localhost:${url.port}/r307_host/mcp/`),
  r307_https: redirecting(307, ({ url }) => `https://${url.host}/r307_https/mcp/`),
  r307_loop: redirecting(307, () => "/r307_loop/mcp"),
  waf: (asked) =>
    /^sluice\/\d/.test(asked.request.headers.get("user-agent") ?? "")
      ? sound(asked)
      : always(403, { "content-type": "text/html" }, "blocked")(asked),
  waf_403: always(
    403,
    { "content-type": "text/html; charset=UTF-8" },
    "<html><title>Attention Required! | Firewall</title>error code: 1010</html>",
  ),
  login_page: always(
    200,
    { "content-type": "text/html" },
    "<html><body><h1>Please log in</h1></body></html>",
  ),
  basic_401: always(
    401,
    { "content-type": "text/html", "www-authenticate": 'Basic realm="ops"' },
    "<h1>401 Authorization Required</h1>",
  ),
  echo_401: ({ request }) =>
    new Response(`bad token ${request.headers.get("authorization")}`, {
      status: 401,
      headers: { "content-type": "text/plain" },
    }),
  busy_503: always(503, { "content-type": "text/html" }, "<title>503</title><h1>Backend fetch failed</h1>"),
  // They declare no capability, and have a tool.
  undeclared: declaring({}),
  undeclared_others: declaring({ experimental: {}, logging: {} }),
  undeclared_null: declaring(null),
  undeclared_missing: declaring(undefined),
  notified_400: refusingNotifications(() => new Response("oops", { status: 400 })),
  notified_404: refusingNotifications(() => new Response("oops", { status: 404 })),
  notified_500: refusingNotifications(() => new Response("oops", { status: 500 })),
  notified_401: refusingNotifications(() => new Response(null, { status: 401 })),
  notified_redirect: refusingNotifications(() =>
    new Response(null, { status: 302, headers: { location: "/login" } })
  ),
  notified_error: refusingNotifications(() => Response.json(METHOD_NOT_FOUND)),
  notified_page: refusingNotifications(() => new Response("<h1>Welcome</h1>", { headers: PAGE_TYPE })),
};

function declaring(capabilities: unknown): OddAnswer {
  return (asked) => {
    const { message: { method }, answer } = asked;
    if (method !== "initialize") return sound(asked);
    const result = { ...answer!.result as Record<string, unknown>, capabilities };
    return sound({ ...asked, answer: { ...answer, result } });
  };
}

function refusingNotifications(refuse: () => Response): OddAnswer {
  return (asked) => asked.answer === null ? refuse() : sound(asked);
}

export class OddHttpUpstream implements AsyncDisposable {
  /** Requests by kind, in order: method, path and query. */
  readonly seen = new Map<string, string[]>();
  /** The headers of the last request of each kind. */
  readonly headers = new Map<string, Headers>();
  readonly #kinds: Readonly<Record<string, OddAnswer>>;
  readonly #server: Deno.HttpServer<Deno.NetAddr>;

  constructor(more: Readonly<Record<string, OddAnswer>> = {}) {
    this.#kinds = { ...ODD, ...more };
    this.#server = serveOnLoopback((request) => this.#serve(request));
  }

  url(kind: string): string {
    return `http://127.0.0.1:${this.#server.addr.port}/${kind}/mcp`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server.shutdown();
  }

  async #serve(request: Request): Promise<Response> {
    const url = new URL(request.url);
    const kind = url.pathname.split("/")[1]!;
    const { method, headers } = request;
    const seen = this.seen.get(kind) ?? [];
    seen.push(`${method} ${url.pathname}${url.search}`);
    this.seen.set(kind, seen);
    this.headers.set(kind, headers);
    const text = await request.text();
    if (method !== "POST") return new Response(null, { status: 405 });
    const message = JSON.parse(text);
    return await this.#kinds[kind]!({ request, url, message, answer: answerTo(message) });
  }
}

// deno-lint-ignore no-explicit-any -- messages of every shape
function answerTo({ id, method, params }: any): Record<string, unknown> | null {
  if (id === undefined || method === undefined) return null;
  const answer = { jsonrpc: "2.0", id };
  switch (method) {
    case "initialize": {
      const { protocolVersion } = params;
      const serverInfo = { name: "odd", version: "1" };
      return { ...answer, result: { protocolVersion, capabilities: { tools: {} }, serverInfo } };
    }
    case "tools/list":
      return { ...answer, result: { tools: [{ name: "echo", inputSchema: { type: "object" } }] } };
    case "tools/call":
      return {
        ...answer,
        result: { content: [{ type: "text", text: JSON.stringify(params.arguments ?? {}) }] },
      };
    case "ping":
      return { ...answer, result: {} };
    default:
      return { ...answer, error: { code: -32601, message: "Method not found" } };
  }
}
