import { assert, assertEquals, assertRejects } from "@std/assert";
import { FakeUpstream, LiveStream, type Received, refusal } from "../../../tests/support/fake_upstream.ts";
import { upstreamDeps, upstreamProfile } from "../../../tests/support/upstream_deps.ts";
import { waitFor } from "../../../tests/support/wait_for.ts";
import { SluiceError } from "../../base/errors.ts";
import { META, STATELESS_REVISION } from "../../mcp/revisions.ts";
import { BoundSessions } from "../bound/bound_sessions.ts";
import { ClientState } from "../client/client_state.ts";
import { ListWatch } from "./list_watch.ts";
import { Upstream } from "../upstream.ts";

const ALL_LISTS = {
  tools: { listChanged: true },
  prompts: { listChanged: true },
  resources: { listChanged: true, subscribe: true },
};
const CALL = { token: null, received: new Headers(), clientCapabilities: '{"roots":{}}' };
const LIMITS = { timeoutMs: 1_000, timeoutSetting: "TOOL_TIMEOUT" };
const OLDER = { token: null, revision: "2025-11-25" } as const;

/** An upstream of 2026-07-28 whose streams a test holds. `refuse` answers instead of a stream. */
function stateless(refuse: (request: Received) => ReturnType<typeof refusal> | undefined = () => undefined) {
  const streams: LiveStream[] = [];
  const fake = new FakeUpstream((request) => {
    if (request.method !== "subscriptions/listen") return undefined;
    const refused = refuse(request);
    if (refused !== undefined) return refused;
    const stream = new LiveStream(request);
    streams.push(stream);
    stream.send(tagged(stream, "notifications/subscriptions/acknowledged"));
    return stream.answer;
  });
  fake.revisions = "stateless";
  const upstream = upstreamOf(fake, STATELESS_REVISION);
  return { fake, upstream, streams };
}

/** An older upstream, whose GET streams a test holds. */
function withSessions(
  script: (request: Received) => ReturnType<typeof refusal> | undefined = () => undefined,
) {
  const streams: LiveStream[] = [];
  const fake = new FakeUpstream((request) => {
    if (request.http.method !== "GET") return script(request);
    const stream = new LiveStream(request);
    streams.push(stream);
    return stream.answer;
  });
  const upstream = upstreamOf(fake, null);
  return { fake, upstream, streams };
}

function upstreamOf(fake: FakeUpstream, statelessRevision: string | null): Upstream {
  const profile = upstreamProfile({ statelessRevision, capabilities: ALL_LISTS });
  return new Upstream(profile, fake.transport(), upstreamDeps());
}

function tagged({ request }: LiveStream, method: string, params: object = {}) {
  return { jsonrpc: "2.0", method, params: { ...params, _meta: { [META.subscriptionId]: request.id } } };
}

function filterOf({ request }: LiveStream): unknown {
  return (request.params as { notifications: unknown }).notifications;
}

const updated = (uri: string) =>
  `{"jsonrpc":"2.0","method":"notifications/resources/updated","params":{"uri":"${uri}"}}`;

Deno.test("Upstream.subscribe() delivers resource updates of a 2026-07-28 upstream without the upstream's subscription id", async () => {
  const { fake, upstream, streams } = stateless();
  const heard: string[] = [];
  const stop = new AbortController();
  const { opened, ended } = upstream.subscribe(
    { resourceSubscriptions: ["a:1", "a:2"] },
    (text) => heard.push(text),
    stop.signal,
    CALL,
  );
  await opened;
  const [stream] = streams;
  assertEquals(filterOf(stream!), { resourceSubscriptions: ["a:1", "a:2"] });
  const { longLived, deadline } = stream!.request.http;
  assertEquals([longLived, deadline], [true, undefined]);
  const claims = (stream!.request.params as { _meta: Record<string, unknown> })._meta;
  assertEquals(claims[META.clientCapabilities], { roots: {} });
  stream!.send(tagged(stream!, "notifications/resources/updated", { uri: "a:1" }));
  await waitFor(() => heard.length > 0, { what: "the update" });
  assertEquals(heard, [updated("a:1")]);
  stop.abort();
  await ended;
  assertEquals([stream!.isGivenUp, fake.methods], [true, ["subscriptions/listen"]]);
});

Deno.test("Upstream.subscribe() opens a stream again that was lost or ended", async () => {
  const { upstream, streams } = stateless();
  const heard: string[] = [];
  const stop = new AbortController();
  const { opened, ended } = upstream.subscribe(
    { resourceSubscriptions: ["a:1"] },
    (text) => heard.push(text),
    stop.signal,
    CALL,
  );
  await opened;
  // One stream ends without a response, the other with one.
  streams[0]!.end();
  await waitFor(() => streams.length === 2, { what: "another stream" });
  streams[1]!.send({ jsonrpc: "2.0", id: streams[1]!.request.id, result: { resultType: "complete" } });
  await waitFor(() => streams.length === 3, { what: "a third stream" });
  streams[2]!.send(tagged(streams[2]!, "notifications/resources/updated", { uri: "a:1" }));
  await waitFor(() => heard.length > 0, { what: "the update" });
  stop.abort();
  await ended;
});

Deno.test("Upstream.subscribe() says when an upstream of 2026-07-28 refuses, and does not ask again", async () => {
  const cases = [
    [(id: unknown) => refusal(id, 404, { code: -32601, message: "Method not found" }), "UPSTREAM_REJECTED"],
    [() => ({ status: 403 }), "UPSTREAM_AUTH_FAILED"],
  ] as const;
  for (const [answer, code] of cases) {
    const { fake, upstream } = stateless(({ id }) => answer(id));
    const { opened, ended } = upstream.subscribe(
      { resourceSubscriptions: ["a:1"] },
      () => {},
      new AbortController().signal,
      CALL,
    );
    assertEquals((await assertRejects(() => opened, SluiceError)).code, code);
    await ended;
    assertEquals(fake.methods.length, 1);
  }
});

Deno.test("Upstream.subscribe() keeps trying an upstream that is in trouble", async () => {
  let failures = 0;
  const { upstream } = stateless(() => failures++ === 0 ? { status: 503 } : undefined);
  const stop = new AbortController();
  const { opened, ended } = upstream.subscribe(
    { resourceSubscriptions: ["a:1"] },
    () => {},
    stop.signal,
    CALL,
  );
  await assertRejects(() => opened, SluiceError, "503");
  await waitFor(() => failures === 2, { what: "another try" });
  stop.abort();
  await ended;
});

Deno.test("Upstream.subscribe() keeps a session for it at an older upstream, and ends it", async () => {
  const { fake, upstream, streams } = withSessions(({ id, method, params }) =>
    method === "resources/subscribe" && (params as { uri: string }).uri === "no:1"
      ? refusal(id, 200, { code: -32602, message: "unknown" })
      : undefined
  );
  const heard: string[] = [];
  const stop = new AbortController();
  const { opened, ended } = upstream.subscribe(
    { resourceSubscriptions: ["a:1", "no:1"] },
    (text) => heard.push(text),
    stop.signal,
    CALL,
  );
  await opened;
  await waitFor(() => streams.length > 0, { what: "the session's stream" });
  const { capabilities } = fake.received[0]!.params as { capabilities: unknown };
  assertEquals([streams[0]!.request.sessionId, capabilities], ["s1", { roots: {} }]);
  streams[0]!.send(JSON.parse(updated("a:1")));
  await waitFor(() => heard.length > 0, { what: "the update" });
  assertEquals(heard, [updated("a:1")]);
  stop.abort();
  await ended;
  await waitFor(() => fake.methods.includes("DELETE"), { what: "the session's end" });
});

Deno.test("Upstream.subscribe() says when an older upstream refuses every resource, or keeps no sessions", async () => {
  const { upstream } = withSessions(({ id, method }) =>
    method === "resources/subscribe" ? refusal(id, 200, { code: -32602, message: "unknown" }) : undefined
  );
  const signal = new AbortController().signal;
  await assertRejects(
    () => upstream.subscribe({ resourceSubscriptions: ["a:1"] }, () => {}, signal, CALL).opened,
    SluiceError,
    "unknown",
  );
  const refusing = withSessions();
  refusing.fake.stateful = false;
  const refused = refusing.upstream.subscribe({ resourceSubscriptions: ["a:1"] }, () => {}, signal, CALL);
  await assertRejects(() => refused.opened, SluiceError, "keeps no sessions");
  await refused.ended;
});

Deno.test("A client that listens gets another session where the upstream has lost its own, with the client's preferences", async () => {
  const forgotten = new Set<string>();
  const streams: LiveStream[] = [];
  const fake = new FakeUpstream((request) => {
    if (forgotten.has(request.sessionId ?? "")) return { status: 404 };
    if (request.http.method !== "GET") return undefined;
    const stream = new LiveStream(request);
    streams.push(stream);
    return stream.answer;
  });
  const upstream = upstreamOf(fake, null);
  const heard: string[] = [];
  const client = new ClientState({ peer: { notify: (text) => void heard.push(text) } });
  const bound = new BoundSessions(client);
  await upstream.request("tools/call", "{}", { ...CALL, ...LIMITS, bound, ...OLDER });
  await client.subscribe(upstream.id, "a:1");
  await upstream.listen(bound);
  await waitFor(() => streams.length === 1, { what: "a stream" });
  forgotten.add("s1");
  streams[0]!.end();
  await waitFor(() => streams.length === 2, { what: "another session's stream" });
  assertEquals(streams[1]!.request.sessionId, "s2");
  await waitFor(() => fake.methods.includes("resources/subscribe"), { what: "the subscription" });
  streams[1]!.send(JSON.parse(updated("a:1")));
  await waitFor(() => heard.length > 0, { what: "the update" });
  await bound.end();
  assertEquals(fake.received.filter(({ method }) => method === "initialize").length, 2);
});

Deno.test("A session's stream moves with it to another worker, also where the upstream has room for one", async () => {
  const streams: LiveStream[] = [];
  let conflicts = 0;
  const fake = new FakeUpstream((request) => {
    if (request.http.method !== "GET") return undefined;
    // The upstream learns late that the first worker has left.
    if (streams.some(({ isGivenUp }) => !isGivenUp) || (streams.length > 0 && conflicts === 0)) {
      conflicts++;
      return { status: 409 };
    }
    const stream = new LiveStream(request);
    streams.push(stream);
    return stream.answer;
  });
  const client = new ClientState();
  client.listening = true;
  const [before, after] = [new BoundSessions(client), new BoundSessions(client)];
  const [one, other] = [upstreamOf(fake, null), upstreamOf(fake, null)];
  await one.request("tools/call", "{}", { ...CALL, ...LIMITS, bound: before, ...OLDER });
  assertEquals(streams.length, 1);
  const [transfer] = await one.transfer(before);
  other.adopt(after, transfer!);
  // A call that ends now must not listen for the departed client.
  await one.listen(before);
  await waitFor(() => streams.length === 2, { what: "the stream in the other worker" });
  assertEquals([streams[0]!.isGivenUp, streams[1]!.request.sessionId, conflicts], [true, "s1", 1]);
  await after.end();
});

Deno.test("A server that answers 404 to GET has no stream, and keeps its session", async () => {
  const fake = new FakeUpstream(({ http }) => http.method === "GET" ? { status: 404 } : undefined);
  const upstream = upstreamOf(fake, null);
  const client = new ClientState({ peer: { notify: () => {} } });
  client.listening = true;
  const bound = new BoundSessions(client);
  for (let i = 0; i < 2; i++) {
    await upstream.request("tools/call", "{}", { ...CALL, ...LIMITS, bound, ...OLDER });
  }
  await bound.end();
  assertEquals(fake.received.filter(({ method }) => method === "initialize").length, 1);
});

Deno.test("An older client's subscriptions at an upstream of 2026-07-28 are one stream, opened anew when they change", async () => {
  const { fake, upstream, streams } = stateless();
  const heard: string[] = [];
  const client = new ClientState({ peer: { notify: (text) => heard.push(text) } });
  const bound = new BoundSessions(client);
  await upstream.listen(bound);
  assertEquals(streams.length, 0);
  for (const uri of ["a:1", "a:2"]) {
    await client.subscribe("u", uri);
    await upstream.listen(bound);
  }
  await upstream.listen(bound);
  assertEquals(streams.map(filterOf), [
    { resourceSubscriptions: ["a:1"] },
    { resourceSubscriptions: ["a:1", "a:2"] },
  ]);
  assertEquals(streams.map(({ isGivenUp }) => isGivenUp), [true, false]);
  streams[1]!.send(tagged(streams[1]!, "notifications/resources/updated", { uri: "a:2" }));
  await waitFor(() => heard.length > 0, { what: "the update" });
  assertEquals(heard, [updated("a:2")]);
  for (const uri of ["a:1", "a:2"]) await client.unsubscribe("u", uri);
  await upstream.listen(bound);
  assertEquals([streams[1]!.isGivenUp, fake.methods.length], [true, 2]);
});

Deno.test("An older client's stream at an upstream of 2026-07-28 ends with its session, and moves with it", async () => {
  for (const over of ["end", "transfer"] as const) {
    const { upstream, streams } = stateless();
    const client = new ClientState({ preferences: { logLevel: null, subscriptions: { u: ["a:1"] } } });
    const bound = new BoundSessions(client);
    await upstream.listen(bound);
    assertEquals(streams[0]!.isGivenUp, false);
    if (over === "end") await bound.end();
    else assertEquals(await upstream.transfer(bound), []);
    assertEquals(streams[0]!.isGivenUp, true);
  }
});

Deno.test("An older client's stream is opened with the headers that its subscription came with", async () => {
  const { upstream, streams } = stateless();
  const bound = new BoundSessions();
  await upstream.request("resources/subscribe", '{"uri":"a:1"}', {
    bound,
    token: null,
    received: new Headers({ "x-upstream-authorization": "Bearer own" }),
    revision: "2025-11-25",
    timeoutMs: 1_000,
    timeoutSetting: "TOOL_TIMEOUT",
  });
  await bound.client.subscribe("u", "a:1");
  await upstream.listen(bound);
  assert(
    streams[0]!.request.http.headers.some(([name, value]) =>
      name === "authorization" && value === "Bearer own"
    ),
  );
  await bound.end();
});

Deno.test("Upstream.watchLists() asks for what the capabilities promise, in all revisions", async () => {
  const stop = new AbortController();
  const heard: string[] = [];
  const one = stateless();
  await one.upstream.watchLists((method) => heard.push(method), stop.signal).opened;
  assertEquals(filterOf(one.streams[0]!), {
    toolsListChanged: true,
    promptsListChanged: true,
    resourcesListChanged: true,
  });
  one.streams[0]!.send(tagged(one.streams[0]!, "notifications/tools/list_changed"));
  const other = withSessions();
  await other.upstream.watchLists((method) => heard.push(method), stop.signal).opened;
  await waitFor(() => other.streams.length > 0, { what: "the session's stream" });
  other.streams[0]!.send({ jsonrpc: "2.0", method: "notifications/prompts/list_changed" });
  await waitFor(() => heard.length === 2, { what: "both changes" });
  assertEquals(heard, ["notifications/tools/list_changed", "notifications/prompts/list_changed"]);
  stop.abort();
  await waitFor(() => other.fake.methods.includes("DELETE"), { what: "the session's end" });
});

Deno.test("Upstream.watchLists() takes every list for changed where an older upstream has forgotten the session", async () => {
  const forgotten = new Set<string>();
  const streams: LiveStream[] = [];
  const fake = new FakeUpstream((request) => {
    if (forgotten.has(request.sessionId ?? "")) return { status: 404 };
    if (request.http.method !== "GET") return undefined;
    const stream = new LiveStream(request);
    streams.push(stream);
    return stream.answer;
  });
  const profile = upstreamProfile({ capabilities: { ...ALL_LISTS, prompts: {} } });
  const upstream = new Upstream(profile, fake.transport(), upstreamDeps());
  const heard: string[] = [];
  const stop = new AbortController();
  const { ended } = upstream.watchLists((method) => void heard.push(method), stop.signal);
  await waitFor(() => streams.length === 1, { what: "a stream" });
  assertEquals(heard, []);
  forgotten.add("s1");
  streams[0]!.end();
  await waitFor(() => streams.length === 2, { what: "another session's stream" });
  assertEquals(streams[1]!.request.sessionId, "s2");
  assertEquals(heard, ["notifications/tools/list_changed", "notifications/resources/list_changed"]);
  stop.abort();
  await ended;
});

Deno.test("ListWatch listens to upstreams that promise to tell, and anew to one that was changed", async () => {
  const heard: unknown[] = [];
  const watch = new ListWatch({ onListChanged: (id, method) => heard.push([id, method]) });
  const [first, second, silent] = [stateless(), stateless(), stateless()];
  silent.upstream.capabilities = { tools: {}, resources: { subscribe: true } };
  watch.update([first.upstream]);
  watch.update([first.upstream]);
  await waitFor(() => first.streams.length === 1, { what: "a stream" });
  first.streams[0]!.send(tagged(first.streams[0]!, "notifications/tools/list_changed"));
  await waitFor(() => heard.length === 1, { what: "the change" });
  assertEquals(heard, [["u", "notifications/tools/list_changed"]]);
  watch.update([second.upstream]);
  await waitFor(() => first.streams[0]!.isGivenUp && second.streams.length === 1, {
    what: "the other stream",
  });
  watch.update([silent.upstream]);
  assertEquals([second.streams[0]!.isGivenUp, watch.size, silent.fake.methods], [true, 0, []]);
  watch.update([first.upstream]);
  await waitFor(() => first.streams.length === 2, { what: "a stream again" });
  await watch.close();
  assertEquals([first.streams[1]!.isGivenUp, watch.size], [true, 0]);
});

Deno.test("Subscriptions end when the upstream is replaced", async () => {
  const { upstream, streams } = stateless();
  const { opened, ended } = upstream.subscribe(
    { resourceSubscriptions: ["a:1"] },
    () => {},
    new AbortController().signal,
    CALL,
  );
  await opened;
  const bound = new BoundSessions(
    new ClientState({ preferences: { logLevel: null, subscriptions: { u: ["a:1"] } } }),
  );
  await upstream.listen(bound);
  upstream.retire();
  await ended;
  assertEquals(streams.map(({ isGivenUp }) => isGivenUp), [true, true]);
  const next = stateless();
  await next.upstream.listen(bound);
  assertEquals(next.streams.length, 1);
  await bound.end();
});
