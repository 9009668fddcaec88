import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import {
  events,
  type FakeAnswer,
  FakeUpstream,
  headerOf,
  result,
} from "../../../tests/support/fake_upstream.ts";
import { SluiceError } from "../../base/errors.ts";
import { operatorText, publicPart } from "../../base/seen_answer.ts";
import { requestText } from "../../mcp/json_rpc.ts";
import type { Reply, RequestOptions } from "../transport/transport.ts";
import { Deadline } from "../resilience/deadline.ts";
import { HttpTransport } from "./http_transport.ts";

interface Given {
  readonly sessionId?: string | null;
  readonly more?: Partial<RequestOptions>;
}

/** Send one request, id 7, to an upstream that gives `answer`. */
function ask(answer: FakeAnswer, { sessionId = null, more = {} }: Given = {}): Promise<Reply> {
  const transport = new FakeUpstream(() => answer).transport();
  const headers = transport.headersFor(sessionId, null);
  const options = { deadline: new Deadline(1_000, "TOOL_TIMEOUT"), ...more };
  return transport.request(7, requestText(7, "tools/call", "{}"), headers, options);
}

async function failure(answer: FakeAnswer, given: Given = {}): Promise<SluiceError> {
  return await assertRejects(() => ask(answer, given), SluiceError);
}

const json = (body: string, status = 200): FakeAnswer => ({
  status,
  headers: { "content-type": "application/json" },
  body,
});

Deno.test("HttpTransport.request() gives a JSON answer's text untouched, and the session id", async () => {
  const body = '{ "id":7, "result":{"n":1.0}, "jsonrpc":"2.0" }';
  const reply = await ask({ body, headers: { "content-type": "application/json", "mcp-session-id": "s" } });
  assertEquals([reply.text, reply.sessionId], [body, "s"]);
});

Deno.test("HttpTransport.request() takes the response from an event stream, and what comes before it as messages", async () => {
  const seen: string[] = [];
  const progress = '{"jsonrpc":"2.0","method":"notifications/progress","params":{"progress":1.0}}';
  const response = '{"jsonrpc":"2.0","id":7,"result":{"n":1.0}}';
  const answer = events(progress, '{"jsonrpc":"2.0","id":6,"result":{}}', response, progress);
  const reply = await ask(answer, { more: { onMessage: (_, text) => seen.push(text) } });
  assertEquals([reply.text, seen], [response, [progress]]);
});

Deno.test("HttpTransport.request() takes batches, in JSON and on a stream, message by message as they were written", async () => {
  const progress = '{"jsonrpc":"2.0","method":"notifications/progress","params":{"progress":1.0}}';
  const response = '{"jsonrpc":"2.0","id":7, "result":{"n":1.0}}';
  for (const answer of [json(`[ ${response}, ${progress} ]`), events(`[${progress},${response}]`)]) {
    const seen: string[] = [];
    const reply = await ask(answer, { more: { onMessage: (_, text) => seen.push(text) } });
    assertEquals([reply.text, reply.value.result, seen], [response, { n: 1 }, [progress]]);
  }
  for (const body of [`[${progress}]`, `[${response},5]`]) {
    assertEquals((await failure(json(body))).code, "UPSTREAM_PROTOCOL_ERROR", body);
  }
});

Deno.test("HttpTransport.request() knows an event stream by its type in any case, and skips priming events", async () => {
  const body = 'id: 1\nretry: 100\ndata: \n\nevent: other\ndata: {"x"\n\ndata: {"id":7,"result":{}}\n\n';
  const reply = await ask({ headers: { "content-type": "Text/Event-Stream; charset=utf-8" }, body });
  assertEquals(reply.value.id, 7);
});

Deno.test("HttpTransport.request() stops reading an event stream at the response", async () => {
  let left = false;
  async function* stream() {
    try {
      yield 'data: {"id":7,"result":{}}\n\n';
      yield await new Promise<never>(() => {});
    } finally {
      left = true;
    }
  }
  await ask({ headers: { "content-type": "text/event-stream" }, body: stream() });
  assertEquals(left, true);
});

Deno.test("HttpTransport.request() says what is wrong with an answer that is none", async () => {
  const cases: [FakeAnswer, string][] = [
    [json("<html>"), "is not JSON"],
    [json("[]"), "no JSON-RPC message"],
    [json('{"id":8,"result":{}}'), "no response to the request"],
    [json('{"id":"7","result":{}}'), "no response to the request"],
    [json('{"id":7}'), "no response to the request"],
    [json('{"id":7,"method":"ping","result":{}}'), "no response to the request"],
    [{ status: 202 }, "HTTP 202"],
    [events("{oops"), "no JSON-RPC message"],
    [{ headers: { "content-type": "text/html" }, body: "<p>hi" }, "not JSON, but an HTML page"],
  ];
  for (const [answer, words] of cases) {
    const error = await failure(answer);
    assertEquals(
      [error.code, error.message.includes(words)],
      ["UPSTREAM_PROTOCOL_ERROR", true],
      error.message,
    );
  }
});

Deno.test("HttpTransport.request() tells a stream that ends early, and an event that is too large", async () => {
  assertEquals((await failure(events('{"method":"notifications/message"}'))).code, "UPSTREAM_CLOSED");
  const endless = { headers: { "content-type": "text/event-stream" }, body: `data: ${"x".repeat(20_000)}` };
  assertEquals((await failure(endless)).code, "UPSTREAM_RESPONSE_TOO_LARGE");
});

Deno.test("HttpTransport.request() asks for no rest of a stream of 2026-07-28, whatever ids its events have", async () => {
  const upstream = new FakeUpstream(() => ({
    headers: { "content-type": "text/event-stream" },
    body: 'id: 1\nretry: 1\ndata: {"method":"notifications/message"}\n\n',
  }));
  const options = {
    deadline: new Deadline(1_000, "TOOL_TIMEOUT"),
    mirrored: [["mcp-method", "tools/call"]] as const,
  };
  const asked = upstream.transport().request(7, requestText(7, "tools/call", "{}"), [], options);
  assertEquals((await assertRejects(() => asked, SluiceError)).code, "UPSTREAM_CLOSED");
  assertEquals(upstream.received.map(({ http }) => http.method), ["POST"]);
});

Deno.test("HttpTransport.request() reads an HTTP failure by status and session", async () => {
  const error = (id: unknown, message: string) =>
    `{"jsonrpc":"2.0","id":${JSON.stringify(id)},"error":{"code":-32001,"message":"${message}"}}`;
  const cases: [FakeAnswer, string | null, string][] = [
    [{ status: 401 }, "s", "UPSTREAM_AUTH_FAILED"],
    [{ status: 403 }, null, "UPSTREAM_AUTH_FAILED"],
    [{ status: 404 }, "s", "UPSTREAM_SESSION_EXPIRED"],
    [{ status: 404 }, null, "UPSTREAM_HTTP_ERROR"],
    [json(error(null, "No valid session ID"), 400), "s", "UPSTREAM_SESSION_EXPIRED"],
    [json(error(null, "No valid session ID"), 400), null, "UPSTREAM_HTTP_ERROR"],
    [json("{}", 400), "s", "UPSTREAM_HTTP_ERROR"],
    [{ status: 500, body: "boom" }, "s", "UPSTREAM_HTTP_ERROR"],
    [{ status: 302 }, null, "UPSTREAM_HTTP_ERROR"],
  ];
  for (const [answer, sessionId, code] of cases) {
    assertEquals((await failure(answer, { sessionId })).code, code, JSON.stringify([answer, sessionId]));
  }
});

Deno.test("HttpTransport.request() takes a JSON-RPC error with an HTTP status as the answer that it is", async () => {
  const body = '{"jsonrpc":"2.0","id":7,"error":{"code":-32602,"message":"bad params"}}';
  assertEquals((await ask(json(body, 400))).text, body);
});

Deno.test("HttpTransport.request() reads on after an event that is no message", async () => {
  const response = '{"jsonrpc":"2.0","id":7,"result":{}}';
  for (const noise of ["hello", "[DONE]", '{"a":', "5", "[1]"]) {
    assertEquals((await ask(events(noise, response))).text, response, noise);
  }
});

Deno.test("HttpTransport.request() tells everybody the kind of a failure, and operators what was seen", async () => {
  const page = (status: number, headers: Record<string, string>, body: string): FakeAnswer => ({
    status,
    headers: { "content-type": "text/html; charset=utf-8", ...headers },
    body,
  });
  const rpcError = '{"jsonrpc":"2.0","id":null,"error":{"code":-32000,"message":"no  way"}}';
  const cases: [FakeAnswer, string, string][] = [
    [
      events("token hush-hush", "5"),
      "an event is no JSON-RPC message, and no other came",
      'HTTP 200, text/event-stream: "token ***"',
    ],
    [
      { status: 500, body: "a\n\n b" },
      "answered HTTP 500: a body without a type",
      'HTTP 500, no content type: "a b"',
    ],
    [{ status: 503 }, "answered HTTP 503: no body", "HTTP 503, no content type, no body"],
    [
      page(
        403,
        {},
        "<html><script>x()</script><title>Attention</title><p>error code: <b>1010</b>\u202e\u0007</p>",
      ),
      "answered HTTP 403: an HTML page",
      'HTTP 403, text/html: "Attention error code: 1010"',
    ],
    [
      page(401, { "www-authenticate": 'Basic realm="x"' }, "<h1>Authorization Required</h1>"),
      "refused our credentials (HTTP 401)",
      'HTTP 401, text/html, www-authenticate: Basic realm="x": "Authorization Required"',
    ],
    [
      { status: 307, headers: { location: "https://other.example/mcp?key=hush-hush" } },
      "answered HTTP 307: a redirect that the gateway does not follow",
      "HTTP 307, no content type, location: https://other.example/mcp?key=***, no body",
    ],
    [
      {
        status: 403,
        headers: { "content-type": "application/json" },
        body: '{"error":"token hush-hush is bad"}',
      },
      "refused our credentials (HTTP 403)",
      'HTTP 403, application/json: "{"error":"token *** is bad"}"',
    ],
    [
      json(rpcError, 400),
      "answered HTTP 400: no way",
      `HTTP 400, application/json: "${rpcError.replace("  ", " ")}"`,
    ],
    [
      page(200, {}, "<p>Please log in"),
      "the body is not JSON, but an HTML page",
      'HTTP 200, text/html: "Please log in"',
    ],
  ];
  for (const [answer, words, seen] of cases) {
    const transport = new FakeUpstream(() => answer).transport([["authorization", "Bearer hush-hush"]]);
    const deadline = new Deadline(1_000, "TOOL_TIMEOUT");
    const asked = transport.request(7, requestText(7, "tools/call", "{}"), transport.headersFor(null, null), {
      deadline,
    });
    const error = await assertRejects(() => asked, SluiceError);
    assertStringIncludes(error.message, words);
    assertEquals(operatorText(error), `${error.message}; it answered: ${seen}`);
    assertEquals(publicPart(operatorText(error)), error.message);
  }
});

Deno.test("HttpTransport.request() quotes no more than the first words of a failure", async () => {
  const error = await failure({ status: 500, body: "x".repeat(5_000) });
  assertEquals(operatorText(error).length < 350, true);
});

Deno.test("HttpTransport.request() follows redirects within the origin with its method and body, and remembers where they lead", async () => {
  const cases: [number, string, boolean][] = [
    [307, "/mcp/", true],
    [308, "http://fake.example/other", true],
    [307, "mcp/", true],
    [301, "/mcp/", true],
    [302, "http://fake.example/mcp/", true],
    [302, "/login", false],
    [301, "/other", false],
    [303, "/mcp/", false],
    [307, "https://fake.example/mcp/", false],
    [307, "http://fake.example:81/mcp/", false],
    [308, "http://other.example/mcp", false],
    [307, "http://user:pw@fake.example/mcp/", false],
    [307, "http://", false],
    [307, "/mcp", false],
  ];
  for (const [status, location, isFollowed] of cases) {
    const upstream = new FakeUpstream(({ http }) =>
      http.url.pathname === "/mcp" ? { status, headers: { location } } : undefined
    );
    const transport = upstream.transport();
    const call = () =>
      transport.request(7, requestText(7, "tools/call", "{}"), [], { deadline: new Deadline(1_000, "X") });
    for (let calls = 0; calls < 2; calls++) {
      if (isFollowed) assertEquals((await call()).value.id, 7, location);
      else assertEquals((await assertRejects(call, SluiceError)).params.status, status, location);
    }
    const isLoop = location === "/mcp";
    assertEquals(upstream.received.length, isFollowed ? 3 : isLoop ? 12 : 2, location);
    for (const { http, method } of upstream.received) {
      assertEquals([http.method, method, http.url.origin], ["POST", "tools/call", "http://fake.example"]);
    }
  }
});

Deno.test("HttpTransport.request() resolves a redirect against the address that it asked, though others have moved on", async () => {
  const upstream = new FakeUpstream(({ http }) => {
    const { pathname } = http.url;
    if (pathname === "/mcp") return { status: 307, headers: { location: "mcp/" } };
    return pathname === "/mcp/" ? undefined : { status: 404 };
  });
  const transport = upstream.transport();
  const call = (id: number) =>
    transport.request(id, requestText(id, "ping", undefined), [], { deadline: new Deadline(1_000, "X") });
  const replies = await Promise.all([1, 2, 3].map(call));
  assertEquals(replies.map(({ value }) => value.id), [1, 2, 3]);
});

Deno.test("HttpTransport.request() asks the registered address again when the remembered one is gone", async () => {
  let at = "/one";
  const upstream = new FakeUpstream(({ http }) => {
    const { pathname, search } = http.url;
    if (pathname === "/mcp") return { status: 307, headers: { location: at } };
    return pathname === at && search === "?key=k" ? undefined : { status: 404 };
  });
  const target = { upstream: "fake", url: new URL("http://fake.example/mcp?key=k"), headers: [] };
  const transport = new HttpTransport({ client: upstream, target, maxResponseBytes: 1_000 });
  const call = () =>
    transport.request(7, requestText(7, "ping", undefined), [], { deadline: new Deadline(1_000, "X") });
  await call();
  at = "/two";
  assertEquals((await assertRejects(call, SluiceError)).params.status, 404);
  await call();
  await call();
  const paths = upstream.received.map(({ http }) => http.url.pathname);
  assertEquals(paths, ["/mcp", "/one", "/one", "/mcp", "/two", "/two"]);
});

Deno.test("HttpTransport sends the standing headers, the deadline and its setting", async () => {
  const upstream = new FakeUpstream(({ id }) => result(id, "{}"));
  const transport = upstream.transport([["authorization", "Bearer x"]]);
  const before = Date.now();
  const headers = transport.headersFor("s", "2025-11-25");
  const deadline = new Deadline(5_000, "TOOL_TIMEOUT");
  await transport.request(7, requestText(7, "ping", undefined), headers, { deadline });
  const { http } = upstream.received[0]!;
  const names = ["content-type", "accept", "mcp-session-id", "mcp-protocol-version", "authorization"];
  assertEquals(names.map((name) => headerOf(http, name)), [
    "application/json",
    "application/json, text/event-stream",
    "s",
    "2025-11-25",
    "Bearer x",
  ]);
  const { ms, setting, at } = http.deadline!;
  assertEquals([http.readTimeoutMs, ms, setting], [5_000, 5_000, "TOOL_TIMEOUT"]);
  assertEquals(at >= before + 5_000 && at <= Date.now() + 5_000, true);
});
