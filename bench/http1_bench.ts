// The upstream HTTP/1.1 client: reading a head, writing a request, and a whole request over loopback against `fetch`.

import { Http1Client } from "../src/upstream/http_client/http1_client.ts";
import { encodeHead, RequestBuffer, RequestHeads } from "../src/upstream/http1/request_head.ts";
import { HeadScanner, parseResponseHead } from "../src/upstream/http1/response_head.ts";
import { targetOf } from "../src/upstream/dial/target.ts";
import type { HttpRequest } from "../src/upstream/http_client/http_client.ts";

const head = new TextEncoder().encode(
  "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nmcp-session-id: 6f1d0a52-8e5a-4c67-9d0b-2a8a4f4c3b1e\r\n" +
    "vary: Accept-Encoding\r\ncontent-length: 164\r\ndate: Sat, 22 Aug 2026 10:00:00 GMT\r\n\r\n",
);
const body = JSON.stringify({
  jsonrpc: "2.0",
  id: 7,
  method: "tools/call",
  params: { name: "get_time", arguments: { timezone: "Europe/Paris" } },
});
const answer = JSON.stringify({
  jsonrpc: "2.0",
  id: 7,
  result: { content: [{ type: "text", text: "2026-08-22T12:00:00+02:00" }], isError: false },
});
const headers = Object.freeze<[string, string][]>([
  ["content-type", "application/json"],
  ["accept", "application/json, text/event-stream"],
  ["mcp-session-id", "6f1d0a52-8e5a-4c67-9d0b-2a8a4f4c3b1e"],
  ["mcp-protocol-version", "2025-11-25"],
]);

Deno.bench("scan and parse a head of 200 bytes", { group: "response head", baseline: true }, () => {
  const length = new HeadScanner().scan(head, 0, head.length);
  if (parseResponseHead(head, 0, length).status !== 200) throw new Error("not parsed");
});

Deno.bench("the same, and two headers read", { group: "response head" }, () => {
  const parsed = parseResponseHead(head, 0, new HeadScanner().scan(head, 0, head.length));
  if (parsed.header("content-type") === null || parsed.header("mcp-session-id") === null) throw new Error();
});

const target = targetOf(new URL("http://127.0.0.1:8080/mcp"));
const buffer = new RequestBuffer();
const heads = new RequestHeads();

Deno.bench("encode a request, known header list", { group: "request", baseline: true }, () => {
  buffer.encode(heads.get(target, "POST", headers), "POST", body);
});

Deno.bench("encode a request, new header list", { group: "request" }, () => {
  buffer.encode(encodeHead(target, "POST", headers), "POST", body);
});

/** A server in a thread of its own, so that its work is not counted with the client's. */
function startServer(): Promise<{ url: URL; stop: () => void }> {
  const source = `const answer = ${JSON.stringify(answer)};
    const init = { headers: { "content-type": "application/json" } };
    Deno.serve({ port: 0, hostname: "127.0.0.1", onListen: ({ port }) => postMessage(port) },
      async (request) => { await request.text(); return new Response(answer, init); });`;
  const code = URL.createObjectURL(new Blob([source], { type: "text/javascript" }));
  const worker = new Worker(code, { type: "module" });
  return new Promise((resolve) => {
    worker.onmessage = ({ data }) => {
      resolve({ url: new URL(`http://127.0.0.1:${data}/mcp`), stop: () => worker.terminate() });
    };
  });
}

const server = await startServer();
globalThis.addEventListener("unload", server.stop);
const client = new Http1Client({
  maxConnections: 100,
  maxKeepaliveConnections: 20,
  keepaliveExpiryMs: 60_000,
  connectTimeoutMs: 5_000,
  readTimeoutMs: 30_000,
  writeTimeoutMs: 30_000,
  poolTimeoutMs: 5_000,
  maxHeadBytes: 65_536,
  checkAddress: () => {},
});
const request: HttpRequest = { method: "POST", url: server.url, headers, body, upstream: "bench" };
const fetchHeaders: Record<string, string> = Object.fromEntries(headers);

async function throughClient(): Promise<void> {
  const response = await client.send(request);
  if ((await response.text(1_000_000)).length !== answer.length) throw new Error("another answer");
}

async function throughFetch(): Promise<void> {
  const response = await fetch(server.url, { method: "POST", headers: fetchHeaders, body });
  if ((await response.text()).length !== answer.length) throw new Error("another answer");
}

// `Deno.bench` awaits only what is declared `async`: a plain function that returns a promise is timed up to its start.
async function sixteenThroughClient(): Promise<void> {
  await Promise.all(Array.from({ length: 16 }, throughClient));
}

async function sixteenThroughFetch(): Promise<void> {
  await Promise.all(Array.from({ length: 16 }, throughFetch));
}

Deno.bench("fetch", { group: "one request", baseline: true }, throughFetch);
Deno.bench("Http1Client", { group: "one request" }, throughClient);
Deno.bench("fetch", { group: "16 requests at once", baseline: true }, sixteenThroughFetch);
Deno.bench("Http1Client", { group: "16 requests at once" }, sixteenThroughClient);
