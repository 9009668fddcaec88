import { assertEquals, assertRejects } from "@std/assert";
import {
  events,
  type FakeAnswer,
  FakeUpstream,
  headerOf,
  result,
} from "../../../tests/support/fake_upstream.ts";
import { SluiceError } from "../../base/errors.ts";
import { requestText } from "../../mcp/json_rpc.ts";
import type { Reply, RequestOptions } from "../transport/transport.ts";
import { Deadline } from "../resilience/deadline.ts";

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
    [events("{oops"), "is not JSON"],
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

Deno.test("HttpTransport.request() quotes a failure's body short and in one line", async () => {
  const error = await failure({ status: 500, body: `a\n\n b ${"x".repeat(5_000)}` });
  assertEquals(error.params.reason, `a b ${"x".repeat(196)}`);
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
