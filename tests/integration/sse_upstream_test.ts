// Legacy SSE upstreams (MCP 2024-11-05) that behave, and those that do not.
import { assertEquals, assertStringIncludes } from "@std/assert";
import { operatorText } from "../../src/base/seen_answer.ts";
import { answerTo, DuplexPeer, failureOf } from "../support/duplex_peer.ts";
import { waitFor } from "../support/wait_for.ts";

interface Seen {
  readonly method: string;
  readonly path: string;
  readonly headers: Headers;
  readonly body: string;
}

/** A server whose stream the test writes, and whose POSTs it may answer otherwise. */
function serve(
  { onStream = (say) => say("endpoint", "/message?session=1"), onPost = () => undefined, get, redirect }: {
    onStream?: (say: (event: string, data: string) => void, end: () => void) => void;
    onPost?: (
      text: string,
      say: (event: string, data: string) => void,
      end: () => void,
    ) => number | undefined;
    get?: () => Response;
    redirect?: (url: URL) => Response | undefined;
  } = {},
) {
  const seen: Seen[] = [];
  let say: (event: string, data: string) => void = () => {};
  let end = () => {};
  const state = { streams: 0 };
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, async (request) => {
    const url = new URL(request.url);
    const body = await request.text();
    seen.push({ method: request.method, path: url.pathname + url.search, headers: request.headers, body });
    const elsewhere = redirect?.(url);
    if (elsewhere !== undefined) return elsewhere;
    if (request.method === "GET") {
      if (get !== undefined) return get();
      const stream = new ReadableStream<Uint8Array>({
        start(controller) {
          state.streams++;
          say = (event, data) =>
            controller.enqueue(new TextEncoder().encode(`event: ${event}\ndata: ${data}\n\n`));
          end = () => controller.close();
          onStream(say, end);
        },
        cancel: () => void state.streams--,
      });
      return new Response(stream, { headers: { "content-type": "text/event-stream" } });
    }
    const status = onPost(body, say, end);
    if (status !== undefined) return new Response("no", { status });
    const answer = answerTo(body);
    // Before the POST is: the order is not ours to choose.
    if (answer !== undefined) say("message", answer);
    return new Response("Accepted", { status: 202 });
  });
  const url = new URL(`http://127.0.0.1:${server.addr.port}/sse`);
  return { url, seen, state, [Symbol.asyncDispose]: () => server.shutdown() };
}

const CALL = { timeoutMs: 3_000, timeoutSetting: "A_SETTING" };

Deno.test("An SSE upstream that sends something else than messages is quoted, without our secrets", async () => {
  await using peer = new DuplexPeer();
  await using server = serve({
    onPost: (_text, say) => {
      for (const text of ["welcome hush-hush-1 and key-12345", '{"type":"hello"}']) say("message", text);
      return 202;
    },
  });
  server.url.searchParams.set("key", "key-12345");
  const headers = [["authorization", "Bearer hush-hush-1"]] as const;
  const said = await peer.open({ transport: "SSE", url: server.url, headers }, { timeoutMs: 1_500 })
    .then(() => "", operatorText);
  assertStringIncludes(said, '; it sent something else than MCP messages: "welcome *** and ***"');
});

Deno.test("An SSE session POSTs to the endpoint that its stream names, with the stream's headers and query credentials", async () => {
  await using peer = new DuplexPeer();
  await using server = serve();
  server.url.searchParams.set("key", "k");
  const headers: [string, string][] = [["authorization", "Bearer ours"], ["x-tenant-id", "standing"]];
  const session = await peer.open({ transport: "SSE", url: server.url, headers }, {
    passed: [["x-tenant-id", "caller's"]],
  });
  const { text } = await session.request("tools/call", '{\n"a":1}', CALL);
  assertEquals(text, '{"ok":true}');
  assertEquals(server.seen.map(({ method, path }) => `${method} ${path}`), [
    "GET /sse?key=k",
    ...Array(3).fill("POST /message?session=1&key=k"),
  ]);
  for (const { headers } of server.seen) {
    assertEquals([headers.get("authorization"), headers.get("x-tenant-id")], ["Bearer ours", "caller's"]);
  }
  await session.close();
  assertEquals([session.closed, session.transfer()], [true, null]);
  await waitFor(() => server.state.streams === 0, { what: "the stream to be closed" });
});

Deno.test("An SSE session follows redirects of its stream and of its endpoint, and remembers them", async () => {
  await using peer = new DuplexPeer();
  const moved: Record<string, [number, string]> = {
    "/sse": [308, "/events/"],
    "/events/": [301, "/events"],
    "/events/message": [307, "message/"],
  };
  await using server = serve({
    onStream: (say) => say("endpoint", "events/message?session=1"),
    redirect: ({ pathname }) => {
      const [status, location] = moved[pathname] ?? [];
      return location === undefined ? undefined : new Response(null, { status, headers: { location } });
    },
  });
  server.url.searchParams.set("key", "k");
  for (let sessions = 0; sessions < 2; sessions++) {
    const session = await peer.open({ transport: "SSE", url: server.url });
    assertEquals((await session.request("tools/call", "{}", CALL)).text, '{"ok":true}');
    await session.close();
  }
  const paths = server.seen.map(({ method, path }) => `${method} ${path}`);
  const posts = [
    "POST /events/message?session=1&key=k",
    ...Array(3).fill("POST /events/message/?session=1&key=k"),
  ];
  assertEquals(paths, [
    "GET /sse?key=k",
    "GET /events/?key=k",
    "GET /events?key=k",
    ...posts,
    "GET /events?key=k",
    ...posts,
  ]);
  const elsewhere = serve({
    redirect: () => new Response(null, { status: 307, headers: { location: "http://localhost:1/" } }),
  });
  const failure = await failureOf(peer.open({ transport: "SSE", url: elsewhere.url }));
  assertEquals([failure.code, failure.params.status, elsewhere.seen.length], ["UPSTREAM_HTTP_ERROR", 307, 1]);
  await elsewhere[Symbol.asyncDispose]();
});

Deno.test("An SSE upstream that names an endpoint elsewhere gets nothing, and nor does that other place", async () => {
  await using peer = new DuplexPeer();
  await using thief = serve();
  for (const endpoint of [thief.url.href, "//127.0.0.2/x", "file:///etc/passwd", "http://"]) {
    await using server = serve({ onStream: (say) => say("endpoint", endpoint) });
    const { code } = await failureOf(peer.open({ transport: "SSE", url: server.url }));
    assertEquals([endpoint, code], [endpoint, "UPSTREAM_PROTOCOL_ERROR"]);
    assertEquals(server.seen.map(({ method }) => method), ["GET"]);
    await waitFor(() => server.state.streams === 0, { what: "the stream to be closed" });
  }
  assertEquals(thief.seen, []);
});

Deno.test("An SSE upstream names an endpoint of a limited length", async () => {
  await using peer = new DuplexPeer();
  await using server = serve({ onStream: (say) => say("endpoint", `/post?${"a&".repeat(4_094)}`) });
  const { code, params } = await failureOf(peer.open({ transport: "SSE", url: server.url }));
  assertEquals([code, params.reason], [
    "UPSTREAM_PROTOCOL_ERROR",
    "the endpoint is longer than 8192 characters",
  ]);
});

Deno.test("An SSE stream that is none, is refused, is silent or ends says what it was", async () => {
  await using peer = new DuplexPeer();
  const refusals: [get: () => Response, code: string, detail: unknown][] = [
    [() => new Response("who are you", { status: 401 }), "UPSTREAM_AUTH_FAILED", 401],
    [
      () => new Response("gone\nfor good", { status: 410 }),
      "UPSTREAM_HTTP_ERROR",
      "a body of type text/plain",
    ],
    [
      () => Response.json({}),
      "UPSTREAM_PROTOCOL_ERROR",
      "expected an event stream, received a body of type application/json",
    ],
  ];
  for (const [get, code, detail] of refusals) {
    await using server = serve({ get });
    const failure = await failureOf(peer.open({ transport: "SSE", url: server.url }));
    assertEquals([failure.code, failure.params.reason ?? failure.params.status], [code, detail]);
  }
  {
    await using silent = serve({ onStream: () => {} });
    const { code, params } = await failureOf(
      peer.open({ transport: "SSE", url: silent.url }, { timeoutMs: 200 }),
    );
    assertEquals([code, params.phase, params.timeoutMs], ["UPSTREAM_TIMEOUT", "open an event stream", 200]);
    await waitFor(() => silent.state.streams === 0, { what: "the silent stream to be closed" });
  }
  await using short = serve({ onStream: (_say, end) => end() });
  const { code } = await failureOf(peer.open({ transport: "SSE", url: short.url }));
  assertEquals(code, "UPSTREAM_PROTOCOL_ERROR");
});

Deno.test("An SSE session ends with its stream, or when the upstream has forgotten it", async () => {
  await using peer = new DuplexPeer();
  const onCall = (
    what: (say: (event: string, data: string) => void, end: () => void) => number | undefined,
  ) => serve({ onPost: (text, say, end) => text.includes("tools/call") ? what(say, end) : undefined });
  {
    await using server = onCall((_say, end) => (end(), 202));
    const session = await peer.open({ transport: "SSE", url: server.url });
    const { code, params } = await failureOf(session.request("tools/call", "{}", CALL));
    assertEquals([code, params.sent, session.closed], ["UPSTREAM_CLOSED", 1, true]);
  }
  {
    await using server = onCall(() => 404);
    const session = await peer.open({ transport: "SSE", url: server.url });
    const { code } = await failureOf(session.request("tools/call", "{}", CALL));
    assertEquals([code, session.closed], ["UPSTREAM_SESSION_EXPIRED", true]);
  }
  {
    await using server = onCall((say) => (say("message", `"${"x".repeat(20_000)}"`), 202));
    const session = await peer.open({ transport: "SSE", url: server.url });
    const { code } = await failureOf(session.request("tools/call", "{}", CALL));
    assertEquals(code, "UPSTREAM_RESPONSE_TOO_LARGE");
    await session.close();
  }
  await using server = onCall(() => 500);
  const session = await peer.open({ transport: "SSE", url: server.url });
  const { code } = await failureOf(session.request("tools/call", "{}", CALL));
  assertEquals([code, session.closed], ["UPSTREAM_HTTP_ERROR", false]);
  await session.close();
});
