import { peopleOf, userOf } from "../../../tests/support/people_rows.ts";
import { assert, assertEquals, assertThrows } from "@std/assert";
import {
  catalogRows,
  gatewayRow,
  serverRow,
  toolRow,
  versionsAt,
} from "../../../tests/support/catalog_rows.ts";
import { duplexServer } from "../../../tests/support/duplex_client.ts";
import { type FakeAnswer, FakeUpstream, result } from "../../../tests/support/fake_upstream.ts";
import { limiterOf, principal, settle } from "../../../tests/support/fakes.ts";
import { notification, request } from "../../../tests/support/mcp_server.ts";
import { waitFor } from "../../../tests/support/wait_for.ts";
import { SluiceError } from "../../base/errors.ts";
import { NO_TOKEN_CHANGES } from "../../auth/token_changes.ts";
import { Catalog } from "../../catalog/snapshot/catalog.ts";
import { MAX_CALLS } from "./duplex_session.ts";
import { announceListChanges } from "../client/list_changes.ts";

const ROWS = catalogRows({
  gateways: [gatewayRow("a")],
  tools: [toolRow("a", "echo"), toolRow("a", "other")],
  servers: [serverRow("s", { toolIds: ["a-echo"] })],
});
const call = (id: unknown, name = "a-echo") => request(id, "tools/call", { name, arguments: {} });
const codeOf = ({ error }: { error?: { data: { code: string } } }) => error?.data.code;
const idsOf = (messages: readonly { id: unknown }[]) => messages.map(({ id }) => id);

/** An upstream that answers tool calls when it is told to. */
function slow() {
  const go: ((answer?: FakeAnswer) => void)[] = [];
  const upstream = new FakeUpstream(({ method, id }) => {
    if (method !== "tools/call") return undefined;
    const { promise, resolve } = Promise.withResolvers<FakeAnswer>();
    go.push((answer = result(id, '{"late":true}')) => resolve(answer));
    return promise;
  });
  return { upstream, go };
}

Deno.test("DuplexSession wants initialize first, once, and answers ping before it", async () => {
  const { connect, sessions } = await duplexServer(ROWS, { a: new FakeUpstream() });
  const { tell, initialize } = connect();
  assertEquals((await tell(request(1, "tools/list"))).map(codeOf), ["INVALID_REQUEST"]);
  assertEquals(await tell(request("p", "ping")), [{ jsonrpc: "2.0", id: "p", result: {} }]);
  assertEquals((await tell(request(2, "initialize", { protocolVersion: 5 }))).map(codeOf), [
    "INVALID_PARAMS",
  ]);
  assertEquals([...sessions].map((session) => session.hears()), [false]);
  assertEquals((await initialize("2024-11-05")).result.protocolVersion, "2024-11-05");
  assertEquals((await tell(request(3, "initialize", { protocolVersion: "x" }))).map(codeOf), [
    "INVALID_REQUEST",
  ]);
  const [listed] = await tell(request(4, "tools/list"));
  assertEquals(listed.result.tools.map(({ name }: { name: string }) => name), ["a-echo", "a-other"]);
});

Deno.test("DuplexSession serves what follows initialize without a pause, in its order", async () => {
  const { connect } = await duplexServer(ROWS, { a: new FakeUpstream() });
  const { session, sent } = connect();
  const sender = { principal: principal(), received: new Headers() };
  const first = request(0, "initialize", { protocolVersion: "2025-11-25", capabilities: {} });
  for (const message of [first, notification("notifications/initialized"), request(1, "tools/list")]) {
    session.receive(JSON.stringify(message), sender);
  }
  await settle();
  assertEquals(idsOf(sent), [0, 1]);
});

Deno.test("DuplexSession declares the client's capabilities to its upstreams as it wrote them, and listens there", async () => {
  const upstream = new FakeUpstream();
  const { connect } = await duplexServer(ROWS, { a: upstream });
  const { say, tell } = connect();
  const capabilities = '{ "sampling":{}, "future":{"x":1.0} }';
  await say(
    `{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":${capabilities}}}`,
  );
  await tell(call(1));
  assert(upstream.received[0]!.http.body!.includes(`"capabilities":${capabilities}`));
  assert(upstream.received.some(({ http }) => http.method === "GET"), "a stream for what belongs to no call");
});

Deno.test("DuplexSession relays notifications and questions of a call, and the client's answers", async () => {
  const answered = Promise.withResolvers<string>();
  const upstream = new FakeUpstream(({ method, id, http }) => {
    // A GET, by which the gateway listens, has no body.
    if (method === "response" && http.body !== undefined) {
      return (answered.resolve(http.body), { status: 202 });
    }
    if (method !== "tools/call") return undefined;
    async function* body() {
      yield `data: ${JSON.stringify(notification("notifications/message", { data: "x" }))}\n\n`;
      yield `data: ${JSON.stringify(request("q", "sampling/createMessage", { max: 1.0 }))}\n\n`;
      const said = JSON.parse(await answered.promise).result;
      yield `data: ${JSON.stringify({ jsonrpc: "2.0", id, result: { said } })}\n\n`;
    }
    return { headers: { "content-type": "text/event-stream" }, body: body() };
  });
  const { connect } = await duplexServer(ROWS, { a: upstream });
  const { initialize, tell, sent } = connect();
  const stranger = connect();
  await initialize("2025-11-25", { sampling: {} });
  await stranger.initialize();
  const [note, question] = await tell(call(7));
  assertEquals(note, notification("notifications/message", { data: "x" }));
  assertEquals([question.method, question.params], ["sampling/createMessage", { max: 1 }]);
  // Another client's answer to it is nobody's.
  await stranger.tell({ jsonrpc: "2.0", id: question.id, result: { by: "a stranger" } });
  await tell({ jsonrpc: "2.0", id: question.id, result: { by: "me" } });
  const last = await waitFor(() => sent.at(-1).id === 7 && sent.at(-1), { what: "the answer" });
  assertEquals(last, { jsonrpc: "2.0", id: 7, result: { said: { by: "me" } } });
});

Deno.test("DuplexSession cancels exactly the call that the client cancels, and does not answer it", async () => {
  const { upstream, go } = slow();
  const { connect, admission } = await duplexServer(ROWS, { a: upstream });
  const { initialize, tell, sent } = connect();
  await initialize();
  await tell(call(1));
  await tell(call("1"));
  assertEquals(await tell(notification("notifications/cancelled", { requestId: "1" })), []);
  assertEquals(admission.requestsInFlight, 1);
  assert(upstream.methods.includes("notifications/cancelled"));
  go[0]!();
  await settle();
  assertEquals(idsOf(sent), [0, 1]);
  assertEquals(admission.requestsInFlight, 0);
});

Deno.test("DuplexSession passes the client's other notifications on to its upstreams, byte for byte", async () => {
  const upstream = new FakeUpstream();
  const { connect } = await duplexServer(ROWS, { a: upstream });
  const { initialize, tell, say } = connect();
  await initialize();
  await tell(notification("notifications/initialized"));
  await tell(call(1));
  const text = '{"jsonrpc":"2.0", "method":"notifications/roots/list_changed","x":1.0}';
  await say(text);
  const notes = upstream.received.filter(({ method }) => method.startsWith("notifications/"));
  assertEquals(notes.map(({ http }) => http.body), [
    '{"jsonrpc":"2.0","method":"notifications/initialized"}',
    text,
  ]);
});

Deno.test("DuplexSession hears of changed lists from initialize on, those of its virtual server", async () => {
  const { connect, sessions, catalog } = await duplexServer(ROWS, { a: new FakeUpstream() });
  const [all, narrowed, early] = [
    connect(),
    connect({ principal: principal({ serverId: "s" }) }),
    connect(),
  ];
  await all.initialize();
  await narrowed.initialize();
  announceListChanges(
    sessions,
    [catalog],
    new Catalog({ ...ROWS, versions: versionsAt(2), tools: [...ROWS.tools, toolRow("a", "new")] }),
  );
  assertEquals([...sessions].map(({ since }) => since), [catalog.version, catalog.version, null]);
  const methods = (client: typeof all) => client.sent.flatMap(({ method }) => method ?? []);
  assertEquals([methods(all), methods(narrowed), methods(early)], [
    ["notifications/tools/list_changed"],
    [],
    [],
  ]);
});

Deno.test("DuplexSession shows what its address and the token allow", async () => {
  const { connect } = await duplexServer(ROWS, { a: new FakeUpstream() });
  const narrow = connect({ serverId: "s" });
  await narrow.initialize();
  const [listed] = await narrow.tell(request(1, "tools/list"));
  assertEquals(listed.result.tools.map(({ name }: { name: string }) => name), ["a-echo"]);
  const wrong = connect({ serverId: "s", principal: principal({ serverId: "other" }) });
  assertEquals(codeOf(await wrong.initialize()), "FORBIDDEN");
});

Deno.test("DuplexSession says what is wrong with a text, and goes on", async () => {
  const { connect } = await duplexServer(ROWS, { a: new FakeUpstream() });
  const { initialize, say, sent, tell } = connect();
  await initialize();
  const cases = [
    ["", "PARSE_ERROR"],
    ["{", "PARSE_ERROR"],
    ["1", "INVALID_REQUEST"],
    ['{"jsonrpc":"2.0","id":null,"method":"ping"}', "INVALID_REQUEST"],
    ['{"jsonrpc":"2.0","id":{},"result":{}}', "INVALID_REQUEST"],
    [`${"[".repeat(30)}${"]".repeat(30)}`, "BODY_TOO_DEEP"],
    ['[{"jsonrpc":"2.0","id":1,"method":"ping"}]', "INVALID_REQUEST"],
  ] as const;
  for (const [text, code] of cases) {
    await say(text);
    assertEquals([text, sent.at(-1).id, codeOf(sent.at(-1))], [text, null, code]);
  }
  // What answers no question of ours is nobody's, and no fault.
  assertEquals(await tell({ jsonrpc: "2.0", id: 99, result: {} }), []);
  assertEquals(await tell(request(1, "ping")), [{ jsonrpc: "2.0", id: 1, result: {} }]);
});

Deno.test("DuplexSession takes batches in revision 2025-03-26, and answers each as one", async () => {
  const { connect } = await duplexServer(ROWS, { a: new FakeUpstream() });
  const { initialize, tell } = connect();
  await initialize("2025-03-26");
  const [answers, ...rest] = await tell([
    request(1, "ping"),
    notification("notifications/x"),
    call(2),
    request(3, "nothing"),
  ]);
  assertEquals([idsOf(answers), codeOf(answers[2]), rest], [[1, 2, 3], "METHOD_NOT_FOUND", []]);
  assertEquals(await tell([notification("notifications/x")]), []);
  assertEquals((await tell([])).map(codeOf), ["INVALID_REQUEST"]);
});

Deno.test("DuplexSession takes a place of the worker's for each request, and refuses at once where there is none", async () => {
  const { upstream, go } = slow();
  const { connect, admission, refused } = await duplexServer(ROWS, { a: upstream }, { requests: 2 });
  const [one, two] = [connect(), connect()];
  await one.initialize();
  await two.initialize();
  await one.tell(call(1));
  await two.tell(call(1));
  assertEquals(admission.requestsInFlight, 2);
  assertEquals((await two.tell(call(2))).map(({ id, error }) => [id, error.data.code]), [[2, "OVERLOADED"]]);
  assertEquals(refused, ["OVERLOADED"]);
  go[0]!();
  await settle();
  assertEquals(admission.requestsInFlight, 1);
  assertEquals(await two.tell(request(3, "ping")), [{ jsonrpc: "2.0", id: 3, result: {} }]);
});

Deno.test("DuplexSession bounds the calls of one connection, whatever place there is", async () => {
  const { upstream, go } = slow();
  const { connect, admission } = await duplexServer(ROWS, { a: upstream });
  const { initialize, tell, sent } = connect();
  await initialize();
  for (let id = 1; id <= MAX_CALLS; id++) await tell(call(id));
  assertEquals((await tell(call("more"))).map(codeOf), ["TOO_MANY_CALLS"]);
  assertEquals(admission.requestsInFlight, MAX_CALLS);
  // What takes a place away is heard all the same.
  await tell(notification("notifications/cancelled", { requestId: 1 }));
  assertEquals(admission.requestsInFlight, MAX_CALLS - 1);
  for (const answer of go) answer();
  await settle();
  assertEquals([sent.length, admission.requestsInFlight], [MAX_CALLS + 1, 0]);
  assertEquals(await tell(request("next", "ping")), [{ jsonrpc: "2.0", id: "next", result: {} }]);
});

Deno.test("DuplexSession.end() cancels its calls and closes its upstream sessions", async () => {
  const { upstream } = slow();
  const { connect, sessions, admission } = await duplexServer(ROWS, { a: upstream });
  const { initialize, tell, session, sent } = connect();
  await initialize();
  await tell(call(1));
  await session.end();
  await settle();
  assertEquals([sessions.size, admission.requestsInFlight], [0, 0]);
  assert(upstream.methods.includes("DELETE"));
  // A message that was on its way is nobody's.
  await tell(call(2));
  assertEquals(idsOf(sent), [0]);
});

Deno.test("DuplexSessions.drain() lets calls end, refuses new ones, and closes", async () => {
  const { upstream, go } = slow();
  const { connect, sessions } = await duplexServer(ROWS, { a: upstream });
  const [busy, idle] = [connect(), connect()];
  await busy.initialize();
  await busy.tell(call(1));
  let drained = false;
  void sessions.drain().then(() => drained = true);
  assertEquals([idle.closeReasons, busy.closeReasons], [["restart"], []]);
  assertThrows(() => connect(), SluiceError, "shutting down");
  assertEquals((await busy.tell(call(2))).map(codeOf), ["SHUTTING_DOWN"]);
  assertEquals(drained, false);
  go[0]!();
  await settle();
  assertEquals(busy.sent.at(-1).result, { late: true });
  assertEquals([busy.closeReasons, drained], [["restart"], true]);
});

Deno.test("DuplexSession ends with its token, unless a message brings a newer one", async () => {
  const { connect, clock } = await duplexServer(ROWS, { a: new FakeUpstream() });
  const expiring = (ms: number) => principal({ expiresAt: clock.now() + ms });
  const [silent, busy, renewed] = [
    connect({ principal: expiring(1_000) }),
    connect({ principal: expiring(1_000) }),
    connect({ principal: expiring(1_000) }),
  ];
  for (const client of [silent, busy, renewed]) await client.initialize();
  await renewed.tell(request(1, "ping"), expiring(60_000));
  await clock.tick(999);
  assertEquals((await busy.tell(request(1, "ping")))[0].result, {});
  assertEquals([silent, busy, renewed].map(({ closeReasons }) => closeReasons), [[], [], []]);
  await clock.tick(1);
  assertEquals([silent, busy, renewed].map(({ closeReasons }) => closeReasons), [
    ["expired"],
    ["expired"],
    [],
  ]);
  assertEquals((await renewed.tell(request(2, "ping")))[0].result, {});
});

Deno.test("DuplexSession ends with its token's revocation, unless a message has brought another", async () => {
  const { connect, sessions, replaceCatalog } = await duplexServer(ROWS, { a: new FakeUpstream() });
  const mine = (jti: string) => principal({ jti });
  const [silent, busy, renewed, other] = ["bad", "bad", "bad", "good"].map((jti) =>
    connect({ principal: mine(jti) })
  ) as [ReturnType<typeof connect>, ...ReturnType<typeof connect>[]];
  for (const client of [silent, busy, renewed, other]) await client!.initialize();
  replaceCatalog(new Catalog({ ...ROWS, revokedTokens: ["bad"] }));
  assertEquals((await busy!.tell(request(1, "ping"))).map(codeOf), ["UNAUTHENTICATED"]);
  assertEquals((await renewed!.tell(request(1, "ping"), mine("new")))[0].result, {});
  sessions.endLapsed();
  assertEquals([silent, busy, renewed, other].map((client) => client!.closeReasons), [
    ["expired"],
    ["expired"],
    [],
    [],
  ]);
});

Deno.test("DuplexSession begins with an API token that was read from later writes than the catalog", async () => {
  const { connect, sessions, replaceCatalog } = await duplexServer(ROWS, { a: new FakeUpstream() });
  const tokenChanges = NO_TOKEN_CHANGES.with({ versions: versionsAt(1), tokenChanges: [] });
  replaceCatalog(new Catalog(ROWS, { tokenChanges }));
  const apiToken = {
    ...{ id: "t", ownerId: "u", teamId: null, refusal: null },
    readAt: versionsAt(2, { tokens: 1 }),
  };
  const client = connect({ principal: principal({ apiToken }) });
  await client.initialize();
  assertEquals((await client.tell(request(1, "ping")))[0].result, {});
  sessions.endLapsed();
  assertEquals(client.closeReasons, []);
});

Deno.test("DuplexSession ends when the record of its user changes, comes or goes, and no other", async () => {
  const { connect, sessions, replaceCatalog } = await duplexServer(ROWS, { a: new FakeUpstream() });
  const withPeople = (rows: Parameters<typeof peopleOf>[0]) => new Catalog(ROWS, { people: peopleOf(rows) });
  const first = withPeople({ users: [userOf("ann"), userOf("bob")] });
  replaceCatalog(first);
  const clients = ["ann", "bob", "cid"].map((email) =>
    connect({ principal: first.people.resolve(principal({ subject: email, email })) })
  );
  for (const client of clients) await client.initialize();
  replaceCatalog(withPeople({ users: [userOf("ann"), userOf("bob", { isActive: false })] }));
  sessions.endLapsed();
  assertEquals(clients.map(({ closeReasons }) => closeReasons), [[], ["expired"], []]);
  replaceCatalog(withPeople({ users: [userOf("ann"), userOf("cid")] }));
  assertEquals((await clients[2].tell(request(1, "ping"))).map(codeOf), ["UNAUTHENTICATED"]);
  sessions.endLapsed();
  assertEquals(clients.map(({ closeReasons }) => closeReasons), [[], ["expired"], ["expired"]]);
});

Deno.test("DuplexSession counts requests one by one among their caller's, and says which are too many", async () => {
  const upstream = new FakeUpstream();
  const rateLimiter = limiterOf(4);
  const { connect, refused, admission } = await duplexServer(ROWS, { a: upstream }, { rateLimiter });
  const { initialize, tell, sent } = connect({ caller: "ann" });
  const stranger = connect({ caller: "bob" });
  const operator = connect();
  await initialize();
  assertEquals((await tell(call(1))).map(codeOf), [undefined]);
  assertEquals((await tell([call(2), call(3), call(4)])).map(codeOf), ["INVALID_REQUEST"]);
  assertEquals((await tell(call(5))).map(codeOf), [undefined]);
  assertEquals((await tell(call(6))).map(codeOf), [undefined]);
  const [late] = await tell(call("late"));
  assertEquals([late.id, late.error.code, codeOf(late)], ["late", -31430, "RATE_LIMITED"]);
  assertEquals(upstream.methods.filter((method) => method === "tools/call").length, 3);
  assertEquals([sent.length, refused, admission.requestsInFlight], [6, [], 0]);
  for (const { initialize, tell } of [stranger, operator]) {
    await initialize();
    assertEquals((await tell(call(1))).map(codeOf), [undefined]);
  }
  for (let i = 0; i < 10; i++) assertEquals((await operator.tell(call(i))).map(codeOf), [undefined]);
});

Deno.test("DuplexSession lets in a batch as a whole, or refuses each of its requests", async () => {
  const { connect } = await duplexServer(ROWS, { a: new FakeUpstream() }, { rateLimiter: limiterOf(5) });
  const { initialize, tell } = connect({ caller: "ann" });
  await initialize("2025-03-26");
  const answers = async (...ids: number[]) => (await tell(ids.map((id) => call(id)))).flat();
  assertEquals((await answers(1, 2)).map(codeOf), [undefined, undefined]);
  assertEquals((await answers(3, 4, 5)).map(({ id, error }) => [id, error.data.code]), [
    [3, "RATE_LIMITED"],
    [4, "RATE_LIMITED"],
    [5, "RATE_LIMITED"],
  ]);
  assertEquals((await answers(6, 7)).map(codeOf), [undefined, undefined]);
});

Deno.test("DuplexSession drops notifications for upstreams above the rate, and takes what cancels and answers", async () => {
  const { upstream, go } = slow();
  const { connect, admission } = await duplexServer(ROWS, { a: upstream }, { rateLimiter: limiterOf(3) });
  const { initialize, tell, sent } = connect({ caller: "ann" });
  await initialize();
  await tell(call(1));
  for (let i = 0; i < 3; i++) await tell(notification("notifications/roots/list_changed"));
  assertEquals(upstream.methods.filter((method) => method.endsWith("roots/list_changed")).length, 1);
  assertEquals(admission.requestsInFlight, 1);
  await tell(notification("notifications/cancelled", { requestId: 1 }));
  assertEquals([admission.requestsInFlight, idsOf(sent), go.length], [0, [0], 1]);
});
