import { assertEquals } from "@std/assert";
import { FakeClock } from "../../../tests/support/fake_clock.ts";
import { settle } from "../../../tests/support/fakes.ts";
import { claimsOf } from "../../../tests/support/sessionless_parts.ts";
import { Relay } from "./bridge.ts";
import { GatewayLink } from "./gateway_link.ts";

interface Sent {
  readonly method: string;
  readonly headers: Headers;
  readonly body: string;
}

const HELLO = '{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25"}}';

const json = (body: string, headers: Record<string, string> = {}) => () =>
  new Response(body, { headers: { "content-type": "application/json", ...headers } });
const stream = (...events: string[]) => () =>
  new Response(events.join(""), { headers: { "content-type": "text/event-stream" } });
const error = (status: number, code: string) => () =>
  Response.json({ jsonrpc: "2.0", id: null, error: { code: -1, message: code, data: { code } } }, { status });
const opened = (id: string) =>
  json(
    '{"jsonrpc":"2.0","id":0,"result":{"protocolVersion":"2025-11-25","capabilities":{"tools":{"listChanged":true}}}}',
    {
      "mcp-session-id": id,
    },
  );
const accepted = () => new Response(null, { status: 202 });

/** @param answer to each request; undefined: it hangs until it is aborted */
function setUp(answer: (sent: Sent) => (() => Response) | undefined) {
  const clock = new FakeClock();
  const sent: Sent[] = [];
  const delivered: string[] = [];
  const ending = new AbortController();
  const gateway = new GatewayLink({
    url: new URL("http://gateway.example/mcp"),
    readToken: () => null,
    clock,
    fetch: (_url, init) => {
      const request = {
        method: init!.method!,
        headers: new Headers(init!.headers),
        body: String(init!.body ?? ""),
      };
      sent.push(request);
      const respond = answer(request);
      if (respond !== undefined) return Promise.resolve(respond());
      return new Promise((_, reject) =>
        init!.signal!.addEventListener("abort", () => reject(init!.signal!.reason))
      );
    },
  });
  const relay = new Relay({
    gateway,
    clock,
    deliver: (text) => delivered.push(text),
    report: () => {},
    ending: ending.signal,
  });
  return { relay, sent, delivered, clock, end: () => ending.abort() };
}

Deno.test("Relay.take() passes messages on as they are, in both directions", async () => {
  const call =
    '{"jsonrpc":"2.0", "id":12345678901234567890,"method":"tools/call","params":{"n":1.0,"x":"\\u00e9"}}';
  const result =
    '{"jsonrpc":"2.0","id":12345678901234567890,"result":{"n":1e400,"unknown":[1.10]},"extra":1}';
  const { relay, sent, delivered } = setUp(() => json(result));
  await relay.take(call);
  await settle(60);
  assertEquals([sent[0]!.body, delivered], [call, [result]]);
});

Deno.test("Relay.take() sends the session and its revision, and reads the stream of what belongs to no call", async () => {
  const note = '{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}';
  const { relay, sent, delivered, end } = setUp(({ method, body }) =>
    method === "GET" ? stream(`id: 7\ndata: ${note}\n\n`) : body === HELLO ? opened("s1") : accepted
  );
  await relay.take(HELLO);
  await relay.take('{"jsonrpc":"2.0","method":"notifications/initialized"}');
  await settle(60);
  const get = sent.find(({ method }) => method === "GET")!;
  assertEquals([get.headers.get("mcp-session-id"), get.headers.get("mcp-protocol-version")], [
    "s1",
    "2025-11-25",
  ]);
  assertEquals(delivered.at(-1), note);
  end();
});

Deno.test("Relay.take() resumes the stream of a call that breaks, and says so where it cannot", async () => {
  const call = '{"jsonrpc":"2.0","id":1,"method":"tools/call"}';
  const result = '{"jsonrpc":"2.0","id":1,"result":{}}';
  const resumed = setUp(({ method }) =>
    method === "GET" ? stream(`id: 3\ndata: ${result}\n\n`) : stream("id: 2\nretry: 10\ndata: \n\n")
  );
  await resumed.relay.take(call);
  await resumed.clock.tick(10);
  assertEquals(resumed.delivered, [result]);
  assertEquals(resumed.sent[1]!.headers.get("last-event-id"), "2");

  const lost = setUp(() => stream(": nothing to resume from\n\n"));
  await lost.relay.take(call);
  await settle(60);
  const { id, error } = JSON.parse(lost.delivered[0]!);
  assertEquals([id, /the connection broke before the response/.test(error.message)], [1, true]);
});

Deno.test("Relay.take() opens a lost session anew, once for all calls, with what the client had set up", async () => {
  let session = "s1";
  const lostOnes = error(404, "SESSION_NOT_FOUND");
  const { relay, sent, delivered } = setUp(({ headers, body, method }) => {
    if (method === "GET") return undefined;
    if (body === HELLO) return opened(session);
    if (headers.get("mcp-session-id") !== session) return lostOnes;
    const id = JSON.parse(body).id;
    return id === undefined ? accepted : json(JSON.stringify({ jsonrpc: "2.0", id, result: {} }));
  });
  const subscribe = '{"jsonrpc":"2.0","id":1,"method":"resources/subscribe","params":{"uri":"x:1"}}';
  await relay.take(HELLO);
  await relay.take(subscribe);
  await settle(60);
  session = "s2";
  for (const id of [2, 3]) await relay.take(`{"jsonrpc":"2.0","id":${id},"method":"ping"}`);
  await settle(200);
  assertEquals(sent.filter(({ body }) => body === HELLO).length, 2);
  const again = sent.filter(({ body }) => body.includes("resources/subscribe")).map(({ body }) =>
    JSON.parse(body)
  );
  assertEquals(again.map(({ params }) => params.uri), ["x:1", "x:1"]);
  assertEquals(again[1].id !== 1, true);
  const ids = delivered.map((text) => JSON.parse(text)).map(({ id, method }) => method ?? id);
  assertEquals(ids.toSorted(), [0, 1, 2, 3, "notifications/tools/list_changed"]);
});

Deno.test("Relay.take() gives a cancelled request up and answers it no more", async () => {
  const { relay, sent, delivered } = setUp(({ body }) => body.includes("cancelled") ? accepted : undefined);
  await relay.take('{"jsonrpc":"2.0","id":1,"method":"tools/call"}');
  await relay.take('{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}');
  await settle(60);
  assertEquals([sent.length, delivered], [2, []]);
  await relay.answered();
});

Deno.test("Relay.take() repeats in headers what a request of 2026-07-28 says, as the tools' schemas want it", async () => {
  const _meta = claimsOf();
  const inputSchema = {
    type: "object",
    properties: { region: { type: "string", "x-mcp-header": "Region" } },
  };
  const list = JSON.stringify({ jsonrpc: "2.0", id: 1, result: { tools: [{ name: "t", inputSchema }] } });
  const done = '{"jsonrpc":"2.0","id":2,"result":{}}';
  const { relay, sent, delivered } = setUp(({ headers, body }) => {
    if (body.includes("tools/list")) return json(list);
    return headers.has("mcp-param-region") ? json(done) : error(400, "HEADER_MISMATCH");
  });
  const params = { name: "t", arguments: { region: "eu" }, _meta };
  // It has not listed the tools: the bridge does.
  await relay.take(JSON.stringify({ jsonrpc: "2.0", id: 2, method: "tools/call", params }));
  await settle(100);
  assertEquals(delivered, [done]);
  const { headers } = sent.at(-1)!;
  assertEquals(
    ["mcp-protocol-version", "mcp-method", "mcp-name", "mcp-param-region"].map((name) => headers.get(name)),
    ["2026-07-28", "tools/call", "t", "eu"],
  );
});
