import { assertEquals, assertRejects } from "@std/assert";
import FakeTimers from "@sinonjs/fake-timers";
import {
  events,
  FakeUpstream,
  headerOf,
  LiveStream,
  refusal,
  result,
} from "../../../tests/support/fake_upstream.ts";
import { settle, turned } from "../../../tests/support/fakes.ts";
import { SluiceError } from "../../base/errors.ts";
import { UpstreamSession } from "./upstream_session.ts";

const OPEN = { clientInfo: { name: "sluice", version: "1" }, timeoutMs: 1_000, timeoutSetting: "X" };
const CALL = { timeoutMs: 1_000, timeoutSetting: "TOOL_TIMEOUT" };

Deno.test("UpstreamSession.open() initializes with the newest revision that has sessions, then says that it is initialized", async () => {
  const upstream = new FakeUpstream();
  const session = await UpstreamSession.open(upstream.transport(), OPEN);
  assertEquals(upstream.methods, ["initialize", "notifications/initialized"]);
  const [initialize, initialized] = upstream.received;
  assertEquals(initialize!.params, {
    protocolVersion: "2025-11-25",
    capabilities: {},
    clientInfo: { name: "sluice", version: "1" },
  });
  assertEquals([initialize!.sessionId, headerOf(initialize!.http, "mcp-protocol-version")], [null, null]);
  assertEquals([initialized!.sessionId, headerOf(initialized!.http, "mcp-protocol-version")], [
    "s1",
    "2025-11-25",
  ]);
  assertEquals([session.sessionId, session.protocolVersion], ["s1", "2025-11-25"]);
});

Deno.test("UpstreamSession.open() goes along with an older revision", async () => {
  const upstream = new FakeUpstream();
  upstream.protocolVersion = "2025-03-26";
  const session = await UpstreamSession.open(upstream.transport(), OPEN);
  await session.request("tools/list", undefined, CALL);
  assertEquals(headerOf(upstream.received[2]!.http, "mcp-protocol-version"), "2025-03-26");
});

Deno.test("UpstreamSession.open() ends the session of an upstream whose revision it does not speak", async () => {
  const upstream = new FakeUpstream();
  upstream.protocolVersion = "1999-01-01";
  const error = await assertRejects(() => UpstreamSession.open(upstream.transport(), OPEN), SluiceError);
  assertEquals(error.code, "UPSTREAM_PROTOCOL_ERROR");
  assertEquals(upstream.methods, ["initialize", "DELETE"]);
});

Deno.test("UpstreamSession.open() ends a session that cannot be initialized to the end", async () => {
  const upstream = new FakeUpstream(({ method }) =>
    method === "notifications/initialized" || method === "ping" ? { status: 500 } : undefined
  );
  await assertRejects(() => UpstreamSession.open(upstream.transport(), OPEN), SluiceError, "HTTP 500");
  await settle();
  assertEquals(upstream.methods.at(-1), "DELETE");
});

Deno.test("UpstreamSession.open() tolerates a refused notification where the session works", async () => {
  for (const status of [400, 401, 403, 404, 500]) {
    const upstream = new FakeUpstream(({ method, id }) =>
      method === "notifications/initialized"
        ? { status, body: "oops" }
        : method === "ping"
        ? refusal(id, 200, { code: -32601, message: "no ping here" })
        : undefined
    );
    const told: string[] = [];
    const transport = Object.assign(upstream.transport(), { tolerated: (what: string) => told.push(what) });
    const session = await UpstreamSession.open(transport, OPEN);
    assertEquals((await session.request("tools/call", "{}", OPEN)).text, '{"ok":true}');
    assertEquals([told.length, told[0]!.includes(`HTTP ${status}`)], [1, true]);
    assertEquals(upstream.methods, ["initialize", "notifications/initialized", "ping", "tools/call"]);
  }
});

Deno.test("UpstreamSession.listen() finds a lost session when its stream is refused, unless it answers a ping", async () => {
  for (
    const [status, isAlive, isExpired] of [[404, false, true], [401, false, true], [401, true, false], [
      405,
      false,
      false,
    ]] as const
  ) {
    const timers = FakeTimers.install({ toFake: ["setTimeout", "clearTimeout", "Date"] });
    try {
      let streams = 0;
      const upstream = new FakeUpstream(({ http, method }) => {
        if (http.method === "GET") {
          return streams++ === 0
            ? { headers: { "content-type": "text/event-stream" }, body: "data: {}\n\n" }
            : { status };
        }
        return method === "ping" && !isAlive ? { status } : undefined;
      });
      let expired = 0;
      const session = await UpstreamSession.open(upstream.transport(), {
        ...OPEN,
        onExpired: () => expired++,
      });
      void session.listen();
      await timers.tickAsync(60_000);
      assertEquals([streams, expired, session.closed], [2, +isExpired, isExpired], `${status} ${isAlive}`);
      assertEquals(upstream.methods.includes("ping"), status === 401);
    } finally {
      timers.uninstall();
    }
  }
});

Deno.test("UpstreamSession.retire() lets the upstream ask outside the stream of a running call, and say no more", async () => {
  const answered = Promise.withResolvers<void>();
  let stream: LiveStream | undefined;
  const upstream = new FakeUpstream(async (received) => {
    if (received.http.method === "GET") return (stream = new LiveStream(received)).answer;
    if (received.method === "tools/call") await answered.promise;
    return undefined;
  });
  const heard: string[] = [];
  const session = await UpstreamSession.open(upstream.transport(), {
    ...OPEN,
    client: {
      notify: (text) => void heard.push(JSON.parse(text).method),
      request: (method) => {
        heard.push(method);
        return Promise.resolve({ text: "{}", failed: false });
      },
    },
  });
  void session.listen();
  const called = session.request("tools/call", "{}", CALL);
  await settle();
  session.retire();
  await turned();
  const jsonrpc = "2.0";
  stream!.send({ jsonrpc, method: "notifications/message" });
  stream!.send({ jsonrpc, id: 7, method: "sampling/createMessage" });
  await turned();
  assertEquals([heard, upstream.methods.at(-1)], [["sampling/createMessage"], "response"]);
  answered.resolve();
  await called;
  await turned();
  assertEquals([upstream.methods.at(-1), stream!.isGivenUp], ["DELETE", true]);
});

Deno.test("UpstreamSession.open() passes on why the upstream refuses", async () => {
  const noRoom = { body: '{"id":0,"error":{"code":-1,"message":"no room"}}' };
  const upstream = new FakeUpstream(() => noRoom);
  const error = await assertRejects(() => UpstreamSession.open(upstream.transport(), OPEN), SluiceError);
  assertEquals([error.code, error.params.reason], ["UPSTREAM_REJECTED", "no room"]);
});

Deno.test("UpstreamSession.request() sends params and gives results byte for byte", async () => {
  const text = '{ "n":1.0, "big":12345678901234567890, "s":"\\u00e9" }';
  const upstream = new FakeUpstream(({ method, id }) =>
    method === "tools/call" ? result(id, text) : undefined
  );
  const session = await UpstreamSession.open(upstream.transport(), OPEN);
  assertEquals(await session.request("tools/call", text, CALL), { text, failed: false });
  assertEquals(upstream.received[2]!.http.body!.endsWith(`"params":${text}}`), true);
});

Deno.test("UpstreamSession.request() gives a JSON-RPC error as an answer", async () => {
  const error = '{"code":-32602,"message":"no","data":{"x":1.0}}';
  const upstream = new FakeUpstream(({ method, id }) =>
    method === "tools/call" ? { body: `{"jsonrpc":"2.0","id":${id},"error":${error}}` } : undefined
  );
  const session = await UpstreamSession.open(upstream.transport(), OPEN);
  assertEquals(await session.request("tools/call", "{}", CALL), { text: error, failed: true });
});

Deno.test("UpstreamSession.request() gives every request an id of its own", async () => {
  const upstream = new FakeUpstream();
  const session = await UpstreamSession.open(upstream.transport(), OPEN);
  await Promise.all([1, 2, 3].map(() => session.request("ping", undefined, CALL)));
  const ids = upstream.received.map(({ id }) => id).filter((id) => id !== undefined);
  assertEquals(new Set(ids).size, 4);
});

Deno.test("UpstreamSession.request() passes notifications on, answers ping, and refuses other requests of the server", async () => {
  const progress = '{"jsonrpc":"2.0","method":"notifications/progress","params":{"n":1.0}}';
  const upstream = new FakeUpstream(({ method, id }) =>
    method === "tools/call"
      ? events(
        progress,
        '{"jsonrpc":"2.0","id":"p1","method":"ping"}',
        '{"jsonrpc":"2.0","id":9,"method":"sampling/createMessage"}',
        `{"jsonrpc":"2.0","id":${id},"result":{}}`,
      )
      : undefined
  );
  const session = await UpstreamSession.open(upstream.transport(), OPEN);
  const seen: string[] = [];
  await session.request("tools/call", "{}", { ...CALL, client: { notify: (text) => seen.push(text) } });
  assertEquals(seen, [progress]);
  const answers = upstream.received.filter(({ method }) => method === "response");
  assertEquals(answers.map(({ http }) => http.body), [
    '{"jsonrpc":"2.0","id":"p1","result":{}}',
    '{"jsonrpc":"2.0","id":9,"error":{"code":-32601,"message":"Method not found"}}',
  ]);
});

Deno.test("UpstreamSession.request() answers the upstream's requests beyond those that a client may have to answer", async () => {
  const question = (id: number) => `{"jsonrpc":"2.0","id":${id},"method":"sampling/createMessage"}`;
  const upstream = new FakeUpstream(({ method, id }) =>
    method === "tools/call"
      ? events(
        ...Array.from({ length: 101 }, (_, i) => question(i)),
        `{"jsonrpc":"2.0","id":${id},"result":{}}`,
      )
      : undefined
  );
  const session = await UpstreamSession.open(upstream.transport(), OPEN);
  let asked = 0;
  const request = () => {
    asked++;
    return new Promise<never>(() => {});
  };
  await session.request("tools/call", "{}", { ...CALL, client: { notify: () => {}, request } });
  const answers = upstream.received.filter(({ method }) => method === "response");
  assertEquals([asked, answers.length], [100, 1]);
  assertEquals(JSON.parse(answers[0]!.http.body!), {
    jsonrpc: "2.0",
    id: 100,
    error: {
      code: -32603,
      message: "The client has 100 requests of this session to answer; wait for their responses",
    },
  });
});

Deno.test("UpstreamSession.request() tells the upstream of a call that is given up, by its id", async () => {
  const upstream = new FakeUpstream(({ method }) =>
    method === "tools/call" ? new Promise(() => {}) : undefined
  );
  const session = await UpstreamSession.open(upstream.transport(), OPEN);
  const abort = new AbortController();
  const call = session.request("tools/call", "{}", { ...CALL, signal: abort.signal });
  await settle();
  abort.abort(new SluiceError("REQUEST_CANCELLED"));
  await assertRejects(() => call, SluiceError, "cancelled");
  await settle();
  const { id } = upstream.received[2]!;
  const { method, params } = upstream.received[3]!;
  assertEquals([method, params], [
    "notifications/cancelled",
    { requestId: id, reason: "the client cancelled the call" },
  ]);
});

Deno.test("UpstreamSession.request() tells the upstream of a call that took too long, not of one that failed", async () => {
  const failures = [
    new SluiceError("UPSTREAM_TIMEOUT", { upstream: "x", phase: "answer", timeoutMs: 1, setting: "X" }),
    new SluiceError("UPSTREAM_CLOSED", { upstream: "x" }),
  ];
  const told = [];
  for (const failure of failures) {
    const upstream = new FakeUpstream(({ method }) =>
      method === "tools/call" ? Promise.reject(failure) : undefined
    );
    const session = await UpstreamSession.open(upstream.transport(), OPEN);
    await assertRejects(() => session.request("tools/call", "{}", CALL), SluiceError);
    await settle();
    told.push(upstream.methods.includes("notifications/cancelled"));
  }
  assertEquals(told, [true, false]);
});

Deno.test("UpstreamSession.close() sends DELETE once, to a session that has not ended by itself, and never throws", async () => {
  const upstream = new FakeUpstream(({ method }) =>
    method === "DELETE" ? Promise.reject(new Error("gone")) : undefined
  );
  const session = await UpstreamSession.open(upstream.transport(), OPEN);
  await session.close();
  await session.close();
  assertEquals(upstream.methods.filter((method) => method === "DELETE").length, 1);

  const expired = new FakeUpstream(({ method }) => method === "ping" ? { status: 404 } : undefined);
  const ended = await UpstreamSession.open(expired.transport(), OPEN);
  await assertRejects(() => ended.request("ping", undefined, CALL), SluiceError, "ended the session");
  assertEquals(ended.closed, true);
  await ended.close();

  const stateless = new FakeUpstream();
  stateless.stateful = false;
  await (await UpstreamSession.open(stateless.transport(), OPEN)).close();
  assertEquals([...expired.methods, ...stateless.methods].includes("DELETE"), false);
});
