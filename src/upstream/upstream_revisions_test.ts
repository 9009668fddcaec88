// Clients and upstreams of different revisions, and upstreams whose revision changes.
import { assert, assertEquals, assertRejects } from "@std/assert";
import { events, FakeUpstream, headerOf, type Received, refusal } from "../../tests/support/fake_upstream.ts";
import { settle } from "../../tests/support/fakes.ts";
import { call, type Given, setUp as setUpPooled } from "../../tests/support/pooled_upstream.ts";
import { upstreamDeps, upstreamProfile } from "../../tests/support/upstream_deps.ts";
import { SluiceError } from "../base/errors.ts";
import { META, STATELESS_REVISION } from "../mcp/revisions.ts";
import { BoundSessions } from "./bound/bound_sessions.ts";
import { ClientState } from "./client/client_state.ts";
import { Upstream, type UpstreamCall } from "./upstream.ts";

const CLAIMS = `"${META.protocolVersion}":"2026-07-28","${META.clientCapabilities}":{}`;
const PARAMS = `{"name":"t","_meta":{${CLAIMS},"progressToken":7}}`;
const SAMPLING = '{"sampling":{}}';

/** An upstream whose row names this revision. */
function setUp(rowSays: string | null, script?: ConstructorParameters<typeof FakeUpstream>[0]) {
  const fake = new FakeUpstream(script);
  const upstream = new Upstream(
    upstreamProfile({ statelessRevision: rowSays }),
    fake.transport(),
    upstreamDeps(),
  );
  return { fake, upstream };
}

const sessionlessCall = (more: Partial<UpstreamCall> = {}) =>
  call({ revision: STATELESS_REVISION, clientCapabilities: "{}", ...more });

const pooled = (given: Given = {}) => setUpPooled(given);

Deno.test("Upstream.request() calls a stateless upstream at once, for clients with and without sessions", async () => {
  const { fake, upstream } = setUp(STATELESS_REVISION);
  fake.revisions = "stateless";
  const bound = new BoundSessions(new ClientState({ capabilities: '{"roots":{}}' }));
  for (const one of [call(), call({ bound }), sessionlessCall()]) {
    assertEquals((await upstream.request("tools/call", PARAMS, one)).failed, false);
  }
  assertEquals([fake.methods, bound.size], [["tools/call", "tools/call", "tools/call"], 0]);
  const declared = fake.received.map(({ params }) =>
    (params as { _meta: Record<string, unknown> })._meta[META.clientCapabilities]
  );
  assertEquals(declared, [{}, { roots: {} }, {}]);
});

Deno.test("Upstream.request() finds out that an upstream no longer knows initialize", async () => {
  for (const bound of [null, new BoundSessions()]) {
    const { fake, upstream } = setUp(null);
    fake.revisions = "stateless";
    for (let i = 0; i < 2; i++) {
      const answer = await upstream.request("tools/call", '{"name":"t"}', call({ bound }));
      assertEquals(answer, { text: '{"resultType":"complete","ok":true}', failed: false });
    }
    assertEquals(fake.methods, ["initialize", "server/discover", "tools/call", "tools/call"]);
  }
});

Deno.test("Upstream.request() finds out in the pool, too, that an upstream no longer knows initialize", async () => {
  const { fake, upstream } = pooled();
  fake.revisions = "stateless";
  for (let i = 0; i < 2; i++) await upstream.request("tools/call", '{"name":"t"}', call());
  assertEquals(fake.methods, ["initialize", "server/discover", "tools/call", "tools/call"]);
});

Deno.test("Upstream.learn() keeps sessions and channels whose way is still spoken, and closes the others after their calls", async () => {
  const goOn = Promise.withResolvers<void>();
  const { fake, upstream } = setUp(null, async ({ params }) => {
    if ((params as { name?: string } | undefined)?.name === "slow") await goOn.promise;
    return undefined;
  });
  fake.revisions = "both";
  const bound = new BoundSessions();
  const ask = (name = "t") => upstream.request("tools/call", `{"name":"${name}"}`, call({ bound }));
  await ask();
  upstream.learn({ revisions: { sessions: true, stateless: true }, plainRevision: null });
  assertEquals(bound.review(() => null), []);
  await ask();
  await upstream.request("tools/call", PARAMS, sessionlessCall());
  assertEquals(fake.methods, [
    "initialize",
    "notifications/initialized",
    "tools/call",
    "tools/call",
    "tools/call",
  ]);
  assertEquals(fake.received.map(({ sessionId }) => sessionId), [null, "s1", "s1", "s1", null]);

  const slow = ask("slow");
  await settle();
  upstream.learn({ revisions: { sessions: false, stateless: true }, plainRevision: null });
  bound.review(() => null);
  await ask();
  assertEquals([fake.received.at(-1)!.sessionId, bound.size, fake.methods.includes("DELETE")], [
    null,
    0,
    false,
  ]);
  goOn.resolve();
  assertEquals((await slow).failed, false);
  await settle();
  assertEquals(fake.methods.at(-1), "DELETE");
});

Deno.test("Upstream.learn() subscribes again what listens in another way from now on", async () => {
  const { fake, upstream } = setUp(STATELESS_REVISION);
  fake.revisions = "both";
  const before = upstream.subscribed;
  const { ended } = upstream.subscribe(
    { resourceSubscriptions: ["a:1"] },
    () => {},
    new AbortController().signal,
    {
      token: null,
      received: new Headers(),
    },
  );
  upstream.learn({ revisions: { sessions: true, stateless: false }, plainRevision: null });
  await ended;
  assertEquals(upstream.subscribed === before, false);
});

Deno.test("Upstream.request() finds out that a stateless upstream speaks an older revision again", async () => {
  const refusals = [
    (id: unknown) => refusal(id, 400, { code: -32000, message: "Bad Request: Server not initialized" }),
    () => refusal(null, 400, { code: -32000, message: "Bad Request: No valid session ID provided" }),
    (id: unknown) => refusal(id, 400, { code: -32022, message: "Unsupported", data: {} }),
    () => ({ status: 400, body: "Bad request" }),
  ];
  for (const refuse of refusals) {
    const { fake, upstream } = setUp(
      STATELESS_REVISION,
      ({ method, id, sessionId }) => method === "tools/call" && sessionId === null ? refuse(id) : undefined,
    );
    const bound = new BoundSessions();
    assertEquals((await upstream.request("tools/call", PARAMS, call({ bound }))).text, '{"ok":true}');
    assertEquals((await upstream.request("tools/call", PARAMS, call({ bound }))).text, '{"ok":true}');
    assertEquals(
      fake.methods,
      [
        "tools/call",
        "server/discover",
        "initialize",
        "notifications/initialized",
        "tools/call",
        "tools/call",
      ],
      refuse.toString(),
    );
  }
});

Deno.test("Upstream.request() makes no call again that a stateless upstream has refused as an older server does", async () => {
  for (const [status, code] of [[400, -32000], [404, -32001]] as const) {
    const { fake, upstream } = setUp(
      STATELESS_REVISION,
      ({ method, id }) => method === "tools/call" ? refusal(id, status, { code, message: "no" }) : undefined,
    );
    fake.revisions = "stateless";
    const error = await assertRejects(
      () => upstream.request("tools/call", PARAMS, sessionlessCall()),
      SluiceError,
    );
    assertEquals([error.code, error.params.reason], ["UPSTREAM_HTTP_ERROR", "no"]);
    assertEquals(fake.methods, ["tools/call", "server/discover"]);
  }
});

Deno.test("Upstream.request() keeps a sessionless client's claims from an upstream that would take them at their word", async () => {
  const { fake, upstream } = setUp(null);
  await upstream.request("tools/call", PARAMS, sessionlessCall());
  assertEquals(fake.received.find(({ method }) => method === "tools/call")!.params, {
    name: "t",
    _meta: { progressToken: 7 },
  });
});

Deno.test("Upstream.request() opens a session with what the client of the call can do, and lends it to no other kind", async () => {
  const { fake, upstream } = pooled();
  const session = () => fake.received.filter(({ method }) => method === "tools/call").at(-1)!.sessionId;
  const seen: (string | null)[] = [];
  for (const clientCapabilities of [SAMPLING, "{}", undefined, "{ }", SAMPLING, '{"roots":{}}']) {
    await upstream.request("tools/call", PARAMS, sessionlessCall({ clientCapabilities }));
    seen.push(session());
  }
  assertEquals(seen, ["s1", "s2", "s2", "s2", "s1", "s3"]);
  const declared = fake.received.filter(({ method }) => method === "initialize")
    .map(({ params }) => (params as { capabilities: unknown }).capabilities);
  assertEquals(declared, [{ sampling: {} }, {}, { roots: {} }]);
});

Deno.test("Upstream.request() keeps no session of a client that declares a book", async () => {
  const { fake, upstream } = pooled();
  const clientCapabilities = JSON.stringify({ experimental: { book: "x".repeat(2_000) } });
  for (let i = 0; i < 2; i++) {
    await upstream.request("tools/call", PARAMS, sessionlessCall({ clientCapabilities }));
  }
  await settle();
  assertEquals(fake.methods.filter((method) => method === "DELETE").length, 2);
});

Deno.test("Upstream.request() puts a question of an older upstream to the sessionless client of that call", async () => {
  const question = { jsonrpc: "2.0", id: "q", method: "sampling/createMessage", params: { n: 1 } };
  const answered = Promise.withResolvers<unknown>();
  const { upstream } = pooled({
    script: ({ method, id, http }: Received) => {
      if (method === "response") answered.resolve(JSON.parse(http.body!));
      if (method !== "tools/call") return undefined;
      return {
        headers: { "content-type": "text/event-stream" },
        body: (async function* () {
          yield `data: ${JSON.stringify(question)}\n\n`;
          await answered.promise;
          yield `data: {"jsonrpc":"2.0","id":${id},"result":{"done":true}}\n\n`;
        })(),
      };
    },
  });
  const asked: unknown[] = [];
  const client = {
    notify: () => {},
    request: (method: string, params?: string) => {
      asked.push([method, params]);
      return Promise.resolve({ text: '{"text":"hi"}', failed: false });
    },
  };
  const answer = await upstream.request(
    "tools/call",
    PARAMS,
    sessionlessCall({ client, clientCapabilities: SAMPLING }),
  );
  assertEquals([answer.text, asked], ['{"done":true}', [["sampling/createMessage", '{"n":1}']]]);
  assertEquals(await answered.promise, { jsonrpc: "2.0", id: "q", result: { text: "hi" } });
});

Deno.test("Upstream.request() gives a caller's session the most talkative log level that its requests have asked for", async () => {
  const { fake, upstream } = pooled({ profile: { capabilities: { logging: {} } } });
  const loud = `{"name":"t","_meta":{${CLAIMS},"${META.logLevel}":"debug"}}`;
  const quiet = loud.replace("debug", "error");
  for (const params of [quiet, loud, quiet, PARAMS]) {
    await upstream.request("tools/call", params, sessionlessCall());
  }
  const levels = fake.received.filter(({ method }) => method === "logging/setLevel");
  assertEquals(levels.map(({ params, sessionId }) => [params, sessionId]), [
    [{ level: "error" }, "s1"],
    [{ level: "debug" }, "s1"],
  ]);
  assertEquals(fake.methods.filter((method) => method === "initialize").length, 1);
});

Deno.test("Upstream.request() with an open circuit asks a stateless upstream server/discover first", async () => {
  let isDown = true;
  const { fake, upstream, clock } = pooled({
    profile: { statelessRevision: STATELESS_REVISION },
    script: () => {
      if (isDown) throw new SluiceError("UPSTREAM_CONNECT_FAILED", { upstream: "fake", reason: "refused" });
      return undefined;
    },
  });
  fake.revisions = "stateless";
  while (!upstream.isDown) {
    await assertRejects(() => upstream.request("tools/call", PARAMS, sessionlessCall()), SluiceError);
  }
  isDown = false;
  await clock.tick(60_000);
  const before = fake.methods.length;
  await upstream.request("tools/call", PARAMS, sessionlessCall());
  assertEquals(fake.methods.slice(before), ["server/discover", "tools/call"]);
});

Deno.test("Upstream.request() passes the caller's headers to a stateless upstream, found late or early", async () => {
  for (const rowSays of [null, STATELESS_REVISION]) {
    const { fake, upstream } = setUp(rowSays);
    fake.revisions = "stateless";
    const received = new Headers({ "x-upstream-authorization": "Bearer own" });
    await upstream.request("tools/call", '{"name":"t"}', call({ received }));
    const last = fake.received.at(-1)!;
    assertEquals([last.method, headerOf(last.http, "authorization")], ["tools/call", "Bearer own"]);
  }
});

Deno.test("A stateless upstream's notifications reach the client of the call", async () => {
  const progress = '{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":7}}';
  const { fake, upstream } = setUp(
    STATELESS_REVISION,
    ({ id }) => events(progress, `{"jsonrpc":"2.0","id":${id},"result":{}}`),
  );
  fake.revisions = "stateless";
  const heard: string[] = [];
  await upstream.request("tools/call", PARAMS, call({ client: { notify: (text) => heard.push(text) } }));
  assert(heard.length === 1 && heard[0] === progress);
});
