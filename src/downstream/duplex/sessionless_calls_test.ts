import { assertEquals } from "@std/assert";
import { askingUpstream, FORM } from "../../../tests/support/asking_upstream.ts";
import {
  catalogRows,
  gatewayRow,
  resourceRow,
  serverRow,
  toolRow,
  versionsAt,
} from "../../../tests/support/catalog_rows.ts";
import { duplexServer, type DuplexServerOptions } from "../../../tests/support/duplex_client.ts";
import { FakeUpstream, LiveStream, result } from "../../../tests/support/fake_upstream.ts";
import { principal, settle } from "../../../tests/support/fakes.ts";
import { notification, request } from "../../../tests/support/mcp_server.ts";
import { claimsOf, PENDING_FOR_MS } from "../../../tests/support/sessionless_parts.ts";
import { sessionlessServer } from "../../../tests/support/sessionless_server.ts";
import { waitFor } from "../../../tests/support/wait_for.ts";
import { Catalog } from "../../catalog/snapshot/catalog.ts";
import { MAX_CALLS } from "./duplex_session.ts";
import { announceListChanges } from "../client/list_changes.ts";

const ROWS = catalogRows({
  gateways: [gatewayRow("a", { capabilities: { resources: { subscribe: true } } })],
  tools: [toolRow("a", "echo"), toolRow("a", "other")],
  resources: [resourceRow("a", "x://1")],
  servers: [serverRow("s", { toolIds: ["a-echo"], revisions: "all" })],
});
const ECHO = { name: "a-echo", arguments: {} };
const CAN_ELICIT = { elicitation: {} };
const TOOLS_CHANGED = "notifications/tools/list_changed";
const CHANGED = new Catalog({
  ...ROWS,
  versions: versionsAt(2),
  tools: [...ROWS.tools, toolRow("a", "new")],
});
const LISTEN_TO_TOOLS = { notifications: { toolsListChanged: true } };

type Server = Awaited<ReturnType<typeof duplexServer>>;
type Client = ReturnType<Server["connect"]>;

const cancelled = (requestId: unknown) => notification("notifications/cancelled", { requestId });
const subscription = (id: unknown) => ({ "io.modelcontextprotocol/subscriptionId": id });
const toolsChanged = (id: unknown) => notification(TOOLS_CHANGED, { _meta: subscription(id) });
const ended = (id: unknown) => ({
  jsonrpc: "2.0",
  id,
  result: { resultType: "complete", _meta: subscription(id) },
});
const acknowledged = (id: unknown, notifications: unknown = { toolsListChanged: true }) =>
  notification("notifications/subscriptions/acknowledged", { _meta: subscription(id), notifications });

function start(upstream = new FakeUpstream(), options: DuplexServerOptions = {}) {
  return duplexServer(ROWS, { a: upstream }, options);
}

/** Tells both kinds of clients that the tools have changed, as a worker does. */
function announce({ sessions, listeners, catalog }: Server): void {
  announceListChanges(sessions, [catalog], CHANGED);
  announceListChanges(listeners, [catalog], CHANGED);
}

/** Ask, and wait for the answer: questions are gathered for a moment. */
async function answerTo(client: Client, ...asked: Parameters<Client["ask"]>) {
  const [id] = asked;
  const isAnswer = (message: { id?: unknown }) => message.id === id;
  const from = client.sent.length;
  await client.ask(...asked);
  return await waitFor(() => client.sent.slice(from).find(isAnswer), { what: `the answer to ${id}` });
}

/** An upstream whose tool calls wait for ever. */
function silent(): FakeUpstream {
  return new FakeUpstream(({ method }) => method === "tools/call" ? new Promise(() => {}) : undefined);
}

Deno.test("A channel carries requests with and without a session: each request is judged by what it claims", async () => {
  const { connect } = await start();
  const { ask, tell, initialize } = connect();
  const [discovered] = await ask("d", "server/discover");
  assertEquals(
    [discovered.id, discovered.result.supportedVersions, discovered.result.cacheScope],
    ["d", ["2026-07-28"], "private"],
  );
  const [answer] = await ask(1, "tools/call", ECHO);
  assertEquals([answer.result.ok, answer.result.resultType], [true, "complete"]);
  assertEquals((await tell(request(2, "tools/list")))[0].error.data.code, "INVALID_REQUEST");
  assertEquals((await initialize("2025-06-18")).result.protocolVersion, "2025-06-18");
  const [older] = await tell(request(3, "tools/list"));
  const [newer] = await ask(4, "tools/list");
  assertEquals([older.result.ttlMs, older.result.tools.length], [undefined, 2]);
  assertEquals([newer.result.ttlMs > 0, newer.result.tools.length], [true, 2]);
});

Deno.test("A claim is checked before the upstream hears of the request, and there are no headers to compare it with", async () => {
  const upstream = new FakeUpstream();
  const { connect } = await start(upstream);
  const { ask, tell } = connect();
  const claim = (name: string, value: unknown) => ({ _meta: { [`io.modelcontextprotocol/${name}`]: value } });
  const cases: [method: string, params: Record<string, unknown>, code: number][] = [
    ["tools/list", claim("protocolVersion", "1900-01-01"), -32022],
    ["tools/list", claim("protocolVersion", 7), -32602],
    ["tools/list", claim("clientCapabilities", null), -32602],
    ["tools/list", claim("logLevel", "loud"), -32602],
    ["initialize", { protocolVersion: "2025-11-25" }, -32601],
    ["ping", {}, -32601],
    ["logging/setLevel", { level: "debug" }, -32601],
    ["resources/subscribe", { uri: "x://1" }, -32601],
    ["resources/unsubscribe", { uri: "x://1" }, -32601],
    ["tasks/list", {}, -32601],
    ["tools/call", { ...ECHO, inputResponses: 7 }, -32602],
    ["tasks/get", { taskId: "t" }, -32021],
    ["subscriptions/listen", { notifications: { taskIds: [] } }, -32021],
    ["subscriptions/listen", { notifications: { resourceSubscriptions: ["x://none"] } }, -32602],
  ];
  for (const [i, [method, params, code]] of cases.entries()) {
    const answers = await ask(i, method, params);
    assertEquals(answers.map(({ id, error }) => [id, error?.code]), [[i, code]], method);
  }
  const [unsupported] = await ask("v", "server/discover", claim("protocolVersion", "1900-01-01"));
  assertEquals(unsupported.error.data.supported, ["2026-07-28"]);
  assertEquals(unsupported.error.data.requested, "1900-01-01");
  const [batch] = await tell([request(1, "tools/list", { _meta: claimsOf() })]);
  assertEquals([batch.id, batch.error.code], [null, -32600]);
  assertEquals(upstream.received, []);
});

Deno.test("Arguments that HTTP repeats in headers need none on a channel, and go upstream with them", async () => {
  const upstream = new FakeUpstream();
  upstream.revisions = "stateless";
  const inputSchema = {
    type: "object",
    properties: { region: { type: "string", "x-mcp-header": "Region" } },
  };
  const definition = JSON.stringify({ name: "echo", inputSchema });
  const { connect } = await duplexServer({
    gateways: [gatewayRow("a", { protocolVersion: "2026-07-28" })],
    tools: [{ ...toolRow("a", "echo"), definition }],
  }, { a: upstream });
  const [answer] = await connect().ask(1, "tools/call", { ...ECHO, arguments: { region: "eu" } });
  assertEquals(answer.result?.resultType, "complete", JSON.stringify(answer));
  const { http } = upstream.received.find(({ method }) => method === "tools/call")!;
  assertEquals(http.headers.find(([name]) => name.toLowerCase() === "mcp-param-region")?.[1], "eu");
});

Deno.test("A client is asked by an answer, and comes back on any connection; nobody sends it a request", async () => {
  const progress = notification("notifications/progress", { progress: 1 });
  const server = await start(askingUpstream({ questions: 2, notes: [progress] }));
  const [one, two] = [server.connect(), server.connect()];
  const first = await answerTo(one, 1, "tools/call", ECHO, CAN_ELICIT);
  assertEquals([first.result.resultType, Object.values(first.result.inputRequests)], [
    "input_required",
    [FORM],
  ]);
  const back = ({ result: { inputRequests, requestState } }: typeof first, n: number) => ({
    ...ECHO,
    requestState,
    inputResponses: Object.fromEntries(Object.keys(inputRequests).map((key) => [key, { n }])),
  });
  const second = await answerTo(one, 2, "tools/call", back(first, 1), CAN_ELICIT);
  assertEquals(server.admission.requestsInFlight, 0, "a call that waits for its client holds no place");
  await one.session.end();
  const third = await answerTo(two, 1, "tools/call", back(second, 2), CAN_ELICIT);
  assertEquals(third.result.said, [{ n: 1 }, { n: 2 }]);
  assertEquals(one.sent[0], progress);
  assertEquals([...one.sent, ...two.sent].filter(({ id, method }) => id !== undefined && method), []);
  const used = await answerTo(two, 2, "tools/call", back(second, 2), CAN_ELICIT);
  assertEquals(used.error.code, -32602);
});

Deno.test("A requestState is good for its own caller and address alone, and not for ever", async () => {
  const server = await start(askingUpstream());
  const [ann, bob] = [server.connect(), server.connect({ principal: principal({ subject: "bob" }) })];
  const elsewhere = server.connect({ serverId: "s" });
  const { result: { requestState } } = await answerTo(ann, 1, "tools/call", ECHO, CAN_ELICIT);
  const back = { ...ECHO, requestState, inputResponses: { "input-1": {} } };
  for (const client of [bob, elsewhere]) {
    assertEquals((await answerTo(client, 1, "tools/call", back, CAN_ELICIT)).error.code, -32602);
  }
  await server.clock.tick(PENDING_FOR_MS);
  assertEquals((await answerTo(ann, 2, "tools/call", back, CAN_ELICIT)).error.code, -32602);
});

Deno.test("A request whose call is pending in another worker goes there, and its notifications and answer come from there", async () => {
  const note = notification("notifications/progress", { progress: 1 });
  const there = await sessionlessServer(ROWS, { a: askingUpstream({ questions: 2 }) });
  const asked = JSON.parse(
    await new Response((await there.ask("tools/call", { params: ECHO, capabilities: CAN_ELICIT })).body)
      .text(),
  );
  const seen: string[] = [];
  const server = await start(new FakeUpstream(), {
    pendingElsewhere: () => async (forwarded, signal) => {
      seen.push(forwarded.headers.get("mcp-name")!);
      const reply = (await there.http.serve(forwarded, signal))!;
      // What comes before the answer makes a stream of the reply.
      const text = await new Response(reply.body).text();
      const stream = `data: ${JSON.stringify(note)}\n\n: keepalive\n\ndata: ${text}\n\n`;
      return seen.length === 1 ? { ...reply, body: text } : { ...reply, body: new Response(stream).body };
    },
  });
  const client = server.connect();
  let { requestState } = asked.result;
  for (let n = 1; n <= 2; n++) {
    const params = { ...ECHO, requestState, inputResponses: { [`input-${n}`]: { n } } };
    const answer = await answerTo(client, n, "tools/call", params, CAN_ELICIT);
    requestState = answer.result.requestState;
  }
  assertEquals(client.sent.map(({ method, id }) => method ?? id), [1, "notifications/progress", 2]);
  assertEquals(client.sent[2].result.said, [{ n: 1 }, { n: 2 }]);
  assertEquals(seen, ["a-echo", "a-echo"]);
  const wrong = { ...ECHO, requestState, _meta: { "io.modelcontextprotocol/clientCapabilities": 1 } };
  await client.ask(3, "tools/call", { ...wrong, requestState: asked.result.requestState });
  assertEquals([client.sent.at(-1).error.code, seen.length], [-32602, 2]);
});

Deno.test("A call that goes on in another worker is given up there, and one whose worker breaks off fails", async () => {
  const there = await sessionlessServer(ROWS, { a: askingUpstream() });
  const reply = await there.ask("tools/call", { params: ECHO, capabilities: CAN_ELICIT });
  const { requestState } = JSON.parse(await new Response(reply.body).text()).result;
  let isLeft = false;
  const endless = () => new ReadableStream<Uint8Array>({ cancel: () => void (isLeft = true) });
  const bodies = [endless(), new Response(": keepalive\n\n").body];
  const server = await start(new FakeUpstream(), {
    pendingElsewhere: () => () => Promise.resolve({ status: 200, headers: {}, body: bodies.shift()! }),
  });
  const { ask, tell, sent } = server.connect();
  await ask(1, "tools/call", { ...ECHO, requestState }, CAN_ELICIT);
  assertEquals(await tell(cancelled(1)), []);
  assertEquals([isLeft, server.admission.requestsInFlight], [true, 0]);
  await ask(2, "tools/call", { ...ECHO, requestState }, CAN_ELICIT);
  const answer = await waitFor(() => sent.at(-1), { what: "the answer" });
  assertEquals([answer.id, answer.error.data.code], [2, "WORKER_GONE"]);
});

Deno.test("A cancelled call is ended upstream, and nothing of it reaches the client any more", async () => {
  const progress = notification("notifications/progress", { progress: 1 });
  const calls: LiveStream[] = [];
  const upstream = new FakeUpstream((received) => {
    if (received.method !== "tools/call") return undefined;
    const stream = new LiveStream(received);
    calls.push(stream);
    stream.send(progress);
    return stream.answer;
  });
  const { connect, admission } = await start(upstream);
  const { ask, tell, sent } = connect();
  assertEquals(await ask(1, "tools/call", ECHO), [progress]);
  assertEquals(await ask("1", "tools/call", ECHO), [progress]);
  assertEquals(await tell(cancelled(1)), []);
  await waitFor(() => upstream.methods.includes("notifications/cancelled"), { what: "the upstream to hear" });
  assertEquals([admission.requestsInFlight, calls.map(({ isGivenUp }) => isGivenUp)], [1, [true, false]]);
  for (const call of calls) {
    call.send(progress);
    call.send({ jsonrpc: "2.0", id: call.request.id, result: {} });
  }
  await waitFor(() => sent.at(-1).id === "1", { what: "the other call's answer" });
  assertEquals(sent.slice(2).map(({ id, method }) => id ?? method), ["notifications/progress", "1"]);
});

Deno.test("A call that waits for its client can be cancelled by the id of the request that was answered so", async () => {
  const upstream = askingUpstream();
  const { connect, pendingCalls } = await start(upstream);
  const client = connect();
  const { result: { requestState } } = await answerTo(client, 1, "tools/call", ECHO, CAN_ELICIT);
  await answerTo(client, 2, "tools/call", ECHO, CAN_ELICIT);
  assertEquals(await client.tell(cancelled(1)), []);
  assertEquals(pendingCalls.size, 1, "the other call still waits");
  await waitFor(() => upstream.methods.includes("notifications/cancelled"), { what: "the upstream to hear" });
  const back = { ...ECHO, requestState, inputResponses: { "input-1": {} } };
  assertEquals((await answerTo(client, 3, "tools/call", back, CAN_ELICIT)).error.code, -32602);
});

Deno.test("Log messages come as far as the request asks for them", async () => {
  const log = (level: string) => notification("notifications/message", { level });
  const upstream = new FakeUpstream(({ method, id }) => {
    if (method !== "tools/call") return undefined;
    const messages = [log("debug"), log("error"), { jsonrpc: "2.0", id, result: {} }];
    return {
      headers: { "content-type": "text/event-stream" },
      body: messages.map((message) => `data: ${JSON.stringify(message)}\n\n`).join(""),
    };
  });
  const { connect } = await start(upstream);
  const { ask } = connect();
  const kinds = async (id: number, _meta: Record<string, unknown>) =>
    (await ask(id, "tools/call", { ...ECHO, _meta })).map(({ params }) => params?.level ?? "answer");
  assertEquals(await kinds(1, {}), ["answer"]);
  assertEquals(await kinds(2, { "io.modelcontextprotocol/logLevel": "warning" }), ["error", "answer"]);
});

Deno.test("subscriptions/listen acknowledges first, tells each listener under its id, and holds no place of a request", async () => {
  const server = await start();
  const { connect, admission, listeners } = server;
  const [listening, other, narrow] = [connect(), connect(), connect({ serverId: "s" })];
  assertEquals(await listening.ask("l", "subscriptions/listen", LISTEN_TO_TOOLS), [acknowledged("l")]);
  const nothing = { notifications: { promptsListChanged: true, future: true } };
  assertEquals(await listening.ask(2, "subscriptions/listen", nothing), [
    acknowledged(2, { promptsListChanged: true }),
  ]);
  assertEquals(await narrow.ask(1, "subscriptions/listen", LISTEN_TO_TOOLS), [acknowledged(1)]);
  // It has asked for something, and not to hear of changes.
  await other.ask(1, "tools/list");
  assertEquals([admission.requestsInFlight, admission.streamCount, listeners.size], [0, 3, 3]);
  announce(server);
  assertEquals([listening, other, narrow].map(({ sent }) => sent.slice(1)), [
    [acknowledged(2, { promptsListChanged: true }), toolsChanged("l")],
    [],
    [],
  ]);
  const [again] = await listening.ask("l", "subscriptions/listen", LISTEN_TO_TOOLS);
  assertEquals([again.id, again.error.data.code], ["l", "INVALID_REQUEST"]);
  assertEquals(await listening.tell(cancelled("l")), []);
  announce(server);
  assertEquals([listening.sent.length, admission.streamCount], [4, 2]);
  // Its id is free at once.
  await listening.ask("l", "subscriptions/listen", LISTEN_TO_TOOLS);
  const text = (message: unknown) => JSON.stringify(message);
  const from = { principal: principal(), received: new Headers() };
  listening.session.receive(text(cancelled("l")), from);
  const params = { ...LISTEN_TO_TOOLS, _meta: claimsOf() };
  listening.session.receive(text(request("l", "subscriptions/listen", params)), from);
  await settle();
  assertEquals(listening.sent.slice(4), [acknowledged("l"), acknowledged("l")]);
  assertEquals([listeners.size, admission.streamCount], [3, 3]);
});

Deno.test("A client that uses both kinds of requests hears of a change in both forms", async () => {
  const server = await start();
  const { initialize, ask, sent } = server.connect();
  await initialize();
  await ask(1, "subscriptions/listen", LISTEN_TO_TOOLS);
  announce(server);
  assertEquals(sent.slice(2), [{ jsonrpc: "2.0", method: TOOLS_CHANGED }, toolsChanged(1)]);
});

Deno.test("A listener hears of the resources that it has named, until it is cancelled", async () => {
  const streams: LiveStream[] = [];
  const upstream = new FakeUpstream((received) => {
    if (received.http.method === "GET") {
      const stream = new LiveStream(received);
      streams.push(stream);
      return stream.answer;
    }
    if (received.method.startsWith("resources/")) return result(received.id, "{}");
    return undefined;
  });
  upstream.capabilities = { resources: { subscribe: true } };
  const { connect } = await start(upstream);
  const { ask, tell, sent } = connect();
  const notifications = { resourceSubscriptions: ["x://1"] };
  assertEquals(await ask(5, "subscriptions/listen", { notifications }), [acknowledged(5, notifications)]);
  await waitFor(() => streams.length > 0 && upstream.methods.includes("resources/subscribe"), {
    what: "the subscription upstream",
  });
  // A session hears more than its listener has asked for.
  streams[0]!.send(notification("notifications/message", { level: "info", data: "of the session" }));
  streams[0]!.send(notification("notifications/resources/updated", { uri: "x://1" }));
  await waitFor(() => sent.length === 2, { what: "the update" });
  assertEquals(
    sent[1],
    notification("notifications/resources/updated", { _meta: subscription(5), uri: "x://1" }),
  );
  await tell(cancelled(5));
  await waitFor(() => streams[0]!.isGivenUp, { what: "the upstream's stream to be given up" });
  assertEquals(sent.length, 2);
});

Deno.test("Listeners end with a result and a word to the client when the gateway ends them, and do not hold up a drain", async () => {
  const upstream = silent();
  const { connect, sessions, listeners } = await start(upstream);
  const [idle, busy] = [connect(), connect()];
  await idle.ask("l", "subscriptions/listen", LISTEN_TO_TOOLS);
  await busy.ask(7, "subscriptions/listen", LISTEN_TO_TOOLS);
  await busy.ask(8, "tools/call", ECHO);
  let drained = false;
  void sessions.drain().then(() => drained = true);
  await settle();
  assertEquals(idle.sent.slice(1), [ended("l"), cancelled("l")]);
  assertEquals(busy.sent.slice(1), [ended(7), cancelled(7)]);
  assertEquals([idle.closeReasons, busy.closeReasons, listeners.size, drained], [["restart"], [], 0, false]);
  const [refused] = await busy.ask(9, "subscriptions/listen", LISTEN_TO_TOOLS);
  assertEquals(refused.error.data.code, "SHUTTING_DOWN");
  await busy.tell(cancelled(8));
  assertEquals([busy.closeReasons, drained], [["restart"], true]);
});

Deno.test("Listeners end with their connection, without a word", async () => {
  const server = await start();
  const { session, ask, sent } = server.connect();
  await ask(1, "subscriptions/listen", LISTEN_TO_TOOLS);
  await session.end();
  announce(server);
  await settle();
  assertEquals([sent.length, server.listeners.size, server.admission.streamCount], [1, 0, 0]);
});

Deno.test("Listeners end with the token that has opened them, revoked or expired", async () => {
  const server = await start();
  const { clock, connect, sessions, listeners, replaceCatalog } = server;
  const [bad, good] = [
    connect({ principal: principal({ jti: "bad" }) }),
    connect({ principal: principal({ jti: "good", expiresAt: clock.now() + 1_000 }) }),
  ];
  for (const client of [bad, good]) await client.ask("l", "subscriptions/listen", LISTEN_TO_TOOLS);
  replaceCatalog(new Catalog({ ...ROWS, revokedTokens: ["bad"] }));
  listeners.endOf(({ jti }) => jti === "bad");
  sessions.endLapsed();
  assertEquals([bad.sent.slice(1), bad.closeReasons], [[ended("l"), cancelled("l")], ["expired"]]);
  assertEquals([good.sent.length, good.closeReasons], [1, []]);
  await clock.tick(999);
  assertEquals(good.sent.length, 1);
  await clock.tick(1);
  assertEquals([good.sent.slice(1), good.closeReasons], [[ended("l"), cancelled("l")], ["expired"]]);
});

Deno.test("Listeners are counted among the streams of the worker and the requests of their connection", async () => {
  const { connect, admission, refused } = await start();
  const clients = Array.from({ length: admission.streamLimit }, () => connect());
  for (const client of clients) await client.ask(1, "subscriptions/listen", LISTEN_TO_TOOLS);
  const late = connect();
  const [full] = await late.ask(1, "subscriptions/listen", LISTEN_TO_TOOLS);
  assertEquals([full.error.data.code, admission.requestsInFlight], ["TOO_MANY_STREAMS", 0]);
  await clients[0]!.tell(cancelled(1));
  assertEquals(await late.ask(2, "subscriptions/listen", LISTEN_TO_TOOLS), [acknowledged(2)]);

  for (let id = 0; id < MAX_CALLS - 1; id++) await late.ask(`c${id}`, "tools/list");
  assertEquals(refused, [], "what is answered takes no place");
  const stuck = await start(silent());
  const crowded = stuck.connect();
  await crowded.ask("l", "subscriptions/listen", LISTEN_TO_TOOLS);
  for (let id = 1; id < MAX_CALLS; id++) await crowded.ask(id, "tools/call", ECHO);
  const [tooMany] = await crowded.ask("more", "tools/list");
  assertEquals(tooMany.error.data.code, "TOO_MANY_CALLS");
  // What takes a place away is heard all the same.
  await crowded.tell(cancelled("l"));
  assertEquals((await crowded.ask("more", "tools/list"))[0].result.resultType, "complete");
});
