import { assertEquals } from "@std/assert";
import { askingUpstream, FORM } from "../../../tests/support/asking_upstream.ts";
import {
  catalogRows,
  gatewayRow,
  resourceRow,
  toolRow,
  versionsAt,
} from "../../../tests/support/catalog_rows.ts";
import { FakeUpstream, result } from "../../../tests/support/fake_upstream.ts";
import { principal, settle } from "../../../tests/support/fakes.ts";
import { messagesOf, textOf } from "../../../tests/support/mcp_server.ts";
import { PENDING_FOR_MS } from "../../../tests/support/sessionless_parts.ts";
import { type SessionlessAsk, sessionlessServer } from "../../../tests/support/sessionless_server.ts";
import { announceListChanges } from "../client/list_changes.ts";
import { Catalog } from "../../catalog/snapshot/catalog.ts";
import type { McpReply } from "../exchange/mcp_exchange.ts";

const ROWS = catalogRows({
  gateways: [gatewayRow("a")],
  tools: [toolRow("a", "echo")],
  resources: [resourceRow("a", "x://1")],
});
const ECHO = { name: "a-echo", arguments: {} };

const bodyOf = async (reply: McpReply) => JSON.parse(await textOf(reply));

const CAN_ELICIT: SessionlessAsk = { params: ECHO, capabilities: { elicitation: {} } };

Deno.test("SessionlessHttp serves without a session what the headers and the body agree on", async () => {
  const { ask } = await sessionlessServer(ROWS, { a: new FakeUpstream() });
  const called = await ask("tools/call", { params: ECHO });
  const { result } = await bodyOf(called);
  assertEquals([called.status, result.ok, result.resultType], [200, true, "complete"]);
  const discovered = (await bodyOf(await ask("server/discover"))).result;
  assertEquals([discovered.supportedVersions, discovered.cacheScope], [["2026-07-28"], "private"]);
  const encoded = await ask("tools/call", { params: ECHO, headers: { "mcp-name": "=?base64?YS1lY2hv?=" } });
  assertEquals(encoded.status, 200);
});

Deno.test("SessionlessHttp refuses under the request's id what does not fit, before the upstream hears of it", async () => {
  const upstream = new FakeUpstream();
  const { ask } = await sessionlessServer(ROWS, { a: upstream });
  const cases: [string, SessionlessAsk, number, number][] = [
    ["tools/call", { params: ECHO, headers: { "mcp-name": "other" } }, 400, -32020],
    ["tools/call", { params: ECHO, headers: { "mcp-name": null } }, 400, -32020],
    ["tools/call", { params: ECHO, headers: { "mcp-name": "=?base64?!?=" } }, 400, -32020],
    ["tools/call", { params: ECHO, headers: { "mcp-method": "tools/list" } }, 400, -32020],
    // Only names are encoded so.
    ["tools/call", { params: ECHO, headers: { "mcp-method": "=?base64?dG9vbHMvY2FsbA==?=" } }, 400, -32020],
    ["tools/call", { params: ECHO, headers: { "mcp-protocol-version": null } }, 400, -32020],
    ["tools/list", { claims: { "io.modelcontextprotocol/clientCapabilities": 1 } }, 400, -32602],
    [
      "tools/list",
      {
        claims: { "io.modelcontextprotocol/protocolVersion": "1900-01-01" },
        headers: { "mcp-protocol-version": "1900-01-01" },
      },
      400,
      -32022,
    ],
    [
      "future/method",
      {
        claims: { "io.modelcontextprotocol/protocolVersion": "2027-01-01" },
        headers: { "mcp-protocol-version": "2027-01-01" },
      },
      400,
      -32022,
    ],
    ["tools/list", { claims: { "io.modelcontextprotocol/logLevel": "loud" } }, 400, -32602],
    [
      "subscriptions/listen",
      { params: { notifications: { resourceSubscriptions: ["x://none"] } } },
      400,
      -32602,
    ],
    ["tools/list", { given: { serverId: "none" } }, 404, -31404],
    ["ping", {}, 404, -32601],
    ["initialize", {}, 404, -32601],
    ["logging/setLevel", {}, 404, -32601],
    ["resources/subscribe", {}, 404, -32601],
    ["tools/call", { params: { ...ECHO, inputResponses: 7 } }, 400, -32602],
    ["tools/call", { params: { ...ECHO, inputResponses: { a: null } } }, 400, -32602],
  ];
  for (const [method, given, status, code] of cases) {
    const reply = await ask(method, given);
    const { id, error } = await bodyOf(reply);
    assertEquals([reply.status, error.code, id], [status, code, 1], `${method} ${JSON.stringify(given)}`);
  }
  assertEquals(upstream.received, []);
});

Deno.test("SessionlessHttp leaves to the older rules what claims no revision, and takes notifications", async () => {
  const { send } = await sessionlessServer(ROWS);
  const text =
    '{"jsonrpc":"2.0","id":1,"method":"ping","params":{"x":"io.modelcontextprotocol/protocolVersion"}}';
  assertEquals(await send(text), null);
  const notification = '{"jsonrpc":"2.0","method":"notifications/cancelled"}';
  assertEquals((await send(notification, { protocolVersion: "2026-07-28" }))!.status, 202);
});

Deno.test("SessionlessHttp asks the client by its reply, and goes on with the call when the client comes back", async () => {
  const { ask, pendingCalls } = await sessionlessServer(ROWS, { a: askingUpstream({ questions: 2 }) });
  const seen: string[] = [];
  let { result } = await bodyOf(await ask("tools/call", CAN_ELICIT));
  assertEquals(result._meta, { "io.modelcontextprotocol/serverInfo": { name: "sluice", version: "1.2.3" } });
  for (let n = 1; n <= 2; n++) {
    assertEquals([result.resultType, pendingCalls.size], ["input_required", 1]);
    const [[key, request]] = Object.entries(result.inputRequests);
    assertEquals(request, FORM);
    seen.push(result.requestState);
    const params = {
      ...ECHO,
      requestState: result.requestState,
      inputResponses: { [key]: { n }, more: { unasked: 1 } },
    };
    result = (await bodyOf(await ask("tools/call", { ...CAN_ELICIT, params }))).result;
  }
  assertEquals([result.said, pendingCalls.size, new Set(seen).size], [[{ n: 1 }, { n: 2 }], 0, 2]);
});

Deno.test("SessionlessHttp.serve() sends a client that comes back to the worker that keeps its call: this one, or its predecessor", async () => {
  const before = await sessionlessServer(ROWS, { a: askingUpstream() });
  let asked = 0;
  const successor = await sessionlessServer(ROWS, { a: askingUpstream({ questions: 2 }) }, {
    predecessor: () => async (request, signal) => {
      asked++;
      return (await before.http.serve(request, signal))!;
    },
  });
  for (const [first, questions] of [[before, 1], [successor, 2]] as const) {
    let { result } = await bodyOf(await first.ask("tools/call", CAN_ELICIT));
    for (let n = 0; n < questions; n++) {
      const { inputRequests, requestState } = result;
      const inputResponses = { [Object.keys(inputRequests)[0]!]: { n } };
      const params = { ...ECHO, requestState, inputResponses };
      result = (await bodyOf(await successor.ask("tools/call", { ...CAN_ELICIT, params }))).result;
    }
    assertEquals([result.resultType, asked], ["complete", 1]);
  }
});

Deno.test("SessionlessHttp passes a question without parameters on with empty ones, which every client can read", async () => {
  const question = { method: "roots/list" };
  const { ask } = await sessionlessServer(ROWS, { a: askingUpstream({ question }) });
  const { result } = await bodyOf(await ask("tools/call", { params: ECHO, capabilities: { roots: {} } }));
  assertEquals(Object.values(result.inputRequests), [{ ...question, params: {} }]);
});

Deno.test("SessionlessHttp asks a client for nothing that it has not declared: the upstream hears so", async () => {
  const { ask, pendingCalls } = await sessionlessServer(ROWS, { a: askingUpstream() });
  const { result } = await bodyOf(await ask("tools/call", { params: ECHO, capabilities: { sampling: {} } }));
  // The answer was an error, so it had no result.
  assertEquals([result.resultType, result.said, pendingCalls.size], ["complete", [null], 0]);
});

Deno.test("SessionlessHttp keeps no more calls for their clients than it may, and ends the one above", async () => {
  const { ask, pendingCalls } = await sessionlessServer(ROWS, { a: askingUpstream() }, { maxPending: 1 });
  const first = await bodyOf(await ask("tools/call", CAN_ELICIT));
  const { error } = await bodyOf(await ask("tools/call", CAN_ELICIT));
  assertEquals([first.result.resultType, error.code, pendingCalls.size], ["input_required", -31550, 1]);
});

Deno.test("SessionlessHttp bounds the pending calls of a caller, in number and in characters; others may have theirs", async () => {
  for (const [limits, code] of [[{ maxPendingOfCaller: 1 }, -31434], [{ maxMemory: 900 }, -31435]] as const) {
    const { ask, pendingCalls } = await sessionlessServer(ROWS, { a: askingUpstream() }, limits);
    const first = await bodyOf(await ask("tools/call", CAN_ELICIT));
    const { error } = await bodyOf(await ask("tools/call", CAN_ELICIT));
    assertEquals([first.result.resultType, error.code, pendingCalls.size], ["input_required", code, 1]);
    const bob = { given: { principal: principal({ subject: "bob" }) } };
    const { result } = await bodyOf(await ask("tools/call", { ...CAN_ELICIT, ...bob }));
    assertEquals([result?.resultType, pendingCalls.size], ["input_required", 2]);
    const params = { ...ECHO, requestState: first.result.requestState, inputResponses: {} };
    pendingCalls.giveUp(params.requestState);
    const again = await bodyOf(await ask("tools/call", CAN_ELICIT));
    assertEquals(again.result?.resultType, "input_required");
    pendingCalls.close();
  }
});

Deno.test("SessionlessHttp ends a call above what may wait on its stream, where that has begun", async () => {
  const progress = { jsonrpc: "2.0", method: "notifications/progress", params: { progress: 1 } };
  const { ask } = await sessionlessServer(ROWS, { a: askingUpstream({ notes: [progress] }) }, {
    maxPending: 0,
  });
  const [note, { id, error }] = await messagesOf(await ask("tools/call", CAN_ELICIT));
  assertEquals([note, id, error.code], [progress, 1, -31550]);
});

Deno.test("SessionlessHttp keeps a call for its client whose reply was a stream, and has ended", async () => {
  const progress = { jsonrpc: "2.0", method: "notifications/progress", params: { progress: 1 } };
  const { ask, pendingCalls } = await sessionlessServer(ROWS, { a: askingUpstream({ notes: [progress] }) });
  const [note, { result }] = await messagesOf(await ask("tools/call", CAN_ELICIT));
  assertEquals([note, result.resultType, pendingCalls.size], [progress, "input_required", 1]);
  const params = { ...ECHO, requestState: result.requestState, inputResponses: { "input-1": { n: 1 } } };
  const back = await bodyOf(await ask("tools/call", { ...CAN_ELICIT, params }));
  assertEquals(back.result?.said, [{ n: 1 }], JSON.stringify(back));
});

Deno.test("SessionlessHttp reports the progress of a call under the token of the request that is open", async () => {
  const progress = (progressToken: unknown, progress: number) => ({
    jsonrpc: "2.0",
    method: "notifications/progress",
    params: { progressToken, progress },
  });
  const upstream = askingUpstream({ notes: [progress("first", 1)], lastNotes: [progress("first", 2)] });
  const { ask } = await sessionlessServer(ROWS, { a: upstream });
  const exchange = async (params: Record<string, unknown>, claims: Record<string, unknown>) => {
    const messages = await messagesOf(await ask("tools/call", { ...CAN_ELICIT, params, claims }));
    return { notes: messages.slice(0, -1), last: messages.at(-1).result };
  };
  for (const token of ["second", 7]) {
    const { notes, last: { requestState } } = await exchange(ECHO, { progressToken: "first" });
    assertEquals(notes, [progress("first", 1)]);
    const back = { ...ECHO, requestState, inputResponses: { "input-1": {} } };
    assertEquals((await exchange(back, { progressToken: token })).notes, [progress(token, 2)]);
  }
  const { last: { requestState } } = await exchange(ECHO, { progressToken: "first" });
  const back = { ...ECHO, requestState, inputResponses: { "input-1": {} } };
  // Without a token it wants to hear of none, and the answer is all there is to say.
  assertEquals(
    (await ask("tools/call", { ...CAN_ELICIT, params: back })).headers["content-type"],
    "application/json",
  );
});

Deno.test("SessionlessHttp asks again for what the client has left out", async () => {
  const { ask } = await sessionlessServer(ROWS, { a: askingUpstream() });
  const first = (await bodyOf(await ask("tools/call", CAN_ELICIT))).result;
  const params = { ...ECHO, requestState: first.requestState, inputResponses: {} };
  const again = (await bodyOf(await ask("tools/call", { ...CAN_ELICIT, params }))).result;
  assertEquals(again.inputRequests, first.inputRequests);
});

Deno.test("SessionlessHttp takes a requestState once, from its own caller, for its own call, and not for ever", async () => {
  const { ask, clock, pendingCalls } = await sessionlessServer(ROWS, { a: askingUpstream() });
  const askAndWait = async () =>
    (await bodyOf(await ask("tools/call", CAN_ELICIT))).result.requestState as string;
  const codeWith = async (requestState: string, given: SessionlessAsk = {}) => {
    const params = { ...ECHO, requestState, inputResponses: { "input-1": {} } };
    return (await bodyOf(await ask("tools/call", { ...CAN_ELICIT, params, ...given }))).error?.code;
  };
  const state = await askAndWait();
  assertEquals(await codeWith(state, { given: { principal: principal({ subject: "bob" }) } }), -32602);
  assertEquals(await codeWith(state, { params: { name: "a-other", requestState: state } }), -32602);
  const others = { ...ECHO, arguments: { other: true }, requestState: state };
  assertEquals(await codeWith(state, { params: others }), -32602, "other arguments");
  assertEquals(await codeWith(state), undefined);
  assertEquals(await codeWith(state), -32602, "used");
  const late = await askAndWait();
  await clock.tick(PENDING_FOR_MS);
  assertEquals([await codeWith(late), pendingCalls.size], [-32602, 0]);
});

/** A stateless upstream that keeps what it asks in `given`, and answers with what comes back; `heard` are the states that reach it. */
async function statefulServer(given: string) {
  const heard: unknown[] = [];
  const upstream = new FakeUpstream(({ method, id, params }) => {
    if (method !== "tools/call") return undefined;
    const { requestState: state } = params as { requestState?: string };
    if (state !== undefined) heard.push(state);
    const asks = { resultType: "input_required", requestState: given };
    return result(id, JSON.stringify(state === undefined ? asks : { resultType: "complete", state }));
  });
  upstream.revisions = "stateless";
  const gateways = [gatewayRow("a", { protocolVersion: "2026-07-28", stateful: false })];
  return { heard, ...await sessionlessServer({ ...ROWS, gateways }, { a: upstream }) };
}

Deno.test("SessionlessHttp brings an upstream's requestState back as it was, that of another gateway too", async () => {
  for (const given of ["any text", "sluice.aaaa", "\u0000\ud800 ä", ""]) {
    const { ask, heard } = await statefulServer(given);
    const params = { ...ECHO, arguments: { b: [{ d: 1, c: 2 }], a: 1 } };
    const { requestState } = (await bodyOf(await ask("tools/call", { params }))).result;
    assertEquals(/^[\w-]+$/.test(requestState), true, requestState);
    // As another library writes the same, and with an answer of its own.
    const again = { ...ECHO, arguments: { a: 1, b: [{ c: 2, d: 1 }] }, inputResponses: { x: {} } };
    const back = await bodyOf(await ask("tools/call", { params: { ...again, requestState } }));
    assertEquals(back.result?.state, given, JSON.stringify(back));
    assertEquals(heard, [given]);
  }
});

Deno.test("SessionlessHttp lets no requestState reach an upstream but its own caller's, for the same request, in time", async () => {
  const { ask, clock, heard } = await statefulServer("state");
  const { requestState } = (await bodyOf(await ask("tools/call", { params: ECHO }))).result;
  const codeWith = async (params: Record<string, unknown>, given: SessionlessAsk = {}) =>
    (await bodyOf(await ask("tools/call", { params: { ...ECHO, requestState, ...params }, ...given }))).error
      ?.code;
  assertEquals(await codeWith({}, { given: { principal: principal({ subject: "bob" }) } }), -32602);
  assertEquals(await codeWith({ arguments: { other: true } }), -32602);
  for (const made of ["state", `${requestState}x`, requestState.replace(/./, "_"), "", 1, null, {}]) {
    assertEquals(await codeWith({ requestState: made }), -32602, String(made));
  }
  assertEquals([await codeWith({ arguments: undefined }), heard.length], [undefined, 1], "none, and {}");
  await clock.tick(PENDING_FOR_MS);
  assertEquals([await codeWith({}), heard.length], [-32602, 1]);
});

Deno.test("SessionlessHttp ends a call whose client leaves while it is served", async () => {
  const upstream = new FakeUpstream(({ method }) =>
    method === "tools/call" ? new Promise(() => {}) : undefined
  );
  const { ask } = await sessionlessServer(ROWS, { a: upstream });
  const gone = new AbortController();
  const reply = ask("tools/call", { params: ECHO, gone: gone.signal });
  await settle();
  gone.abort();
  assertEquals((await bodyOf(await reply)).error.data.code, "REQUEST_CANCELLED");
  await settle();
  assertEquals(upstream.methods.includes("notifications/cancelled"), true);
});

Deno.test("SessionlessHttp sends log messages only as far as the request wants them", async () => {
  const log = (level: string) => ({ jsonrpc: "2.0", method: "notifications/message", params: { level } });
  const progress = { jsonrpc: "2.0", method: "notifications/progress", params: { progress: 1 } };
  const upstream = new FakeUpstream(({ method, id }) => {
    if (method !== "tools/call") return undefined;
    const events = [log("debug"), progress, log("error"), { jsonrpc: "2.0", id, result: {} }];
    return {
      headers: { "content-type": "text/event-stream" },
      body: events.map((event) => `data: ${JSON.stringify(event)}\n\n`).join(""),
    };
  });
  const { ask } = await sessionlessServer(ROWS, { a: upstream });
  const kinds = async (claims: Record<string, unknown>) => {
    const messages = await messagesOf(await ask("tools/call", { params: ECHO, claims }));
    return messages.map(({ method, params }) => params?.level ?? method ?? "response");
  };
  const key = "io.modelcontextprotocol/logLevel";
  assertEquals(await kinds({}), ["notifications/progress", "response"]);
  assertEquals(await kinds({ [key]: "warning" }), ["notifications/progress", "error", "response"]);
});

Deno.test("SessionlessHttp knows a log message by its method, however that is written", async () => {
  const upstream = new FakeUpstream(({ method, id }) =>
    method !== "tools/call" ? undefined : {
      headers: { "content-type": "text/event-stream" },
      body: 'data: {"jsonrpc":"2.0","method":"notifications\\/message","params":{"level":"error"}}\n\n' +
        `data: {"jsonrpc":"2.0","id":${id},"result":{}}\n\n`,
    }
  );
  const { ask } = await sessionlessServer(ROWS, { a: upstream });
  const reply = await ask("tools/call", { params: ECHO });
  assertEquals(reply.headers["content-type"], "application/json");
});

Deno.test("SessionlessHttp keeps off a call's stream what belongs to no call", async () => {
  const notes = [
    "notifications/resources/updated",
    "notifications/elicitation/complete",
    "notifications/vendor/news",
  ].map((method) => ({ jsonrpc: "2.0", method, params: {} }));
  const { ask } = await sessionlessServer(ROWS, { a: askingUpstream({ questions: 0, notes }) });
  const messages = await messagesOf(await ask("tools/call", { params: ECHO }));
  assertEquals(messages.slice(0, -1).map(({ method }) => method), ["notifications/vendor/news"]);
});

Deno.test("subscriptions/listen acknowledges no resources of an upstream that does not tell of their changes", async () => {
  const gateways = [gatewayRow("a", { capabilities: { resources: { subscribe: true } } }), gatewayRow("b")];
  const resources = [resourceRow("a", "x://1"), resourceRow("b", "y://1")];
  const rows = catalogRows({ gateways, resources });
  const { ask, listeners } = await sessionlessServer(rows, { a: new FakeUpstream(), b: new FakeUpstream() });
  const notifications = { resourceSubscriptions: ["x://1", "y://1"], promptsListChanged: true };
  const listening = await ask("subscriptions/listen", { params: { notifications } });
  listeners.end();
  const [acknowledged] = await messagesOf(listening);
  const honoured = { promptsListChanged: true, resourceSubscriptions: ["x://1"] };
  assertEquals(acknowledged.params.notifications, honoured);
});

Deno.test("subscriptions/listen acknowledges first, tells what it was asked for, and ends with a result", async () => {
  const { ask, listeners, catalog, fillStreams } = await sessionlessServer(ROWS, { a: new FakeUpstream() });
  const notifications = { toolsListChanged: true, future: true };
  const listening = await ask("subscriptions/listen", { params: { notifications } });
  const changed = new Catalog({
    ...ROWS,
    versions: versionsAt(2),
    tools: [...ROWS.tools, toolRow("a", "new")],
    resources: [],
  });
  announceListChanges(listeners, [catalog], changed);
  announceListChanges(listeners, [changed], changed);
  assertEquals([...listeners].map(({ since }) => since), [catalog.version]);
  listeners.end();
  const _meta = { "io.modelcontextprotocol/subscriptionId": 1 };
  const tools = { jsonrpc: "2.0", method: "notifications/tools/list_changed", params: { _meta } };
  assertEquals(await messagesOf(listening), [
    {
      jsonrpc: "2.0",
      method: "notifications/subscriptions/acknowledged",
      params: { _meta, notifications: { toolsListChanged: true } },
    },
    tools,
    { jsonrpc: "2.0", id: 1, result: { resultType: "complete", _meta } },
  ]);
  assertEquals(listeners.size, 0);
  fillStreams();
  const refused = await ask("subscriptions/listen", { params: { notifications } });
  assertEquals([refused.status, (await bodyOf(refused)).error.data.code], [503, "TOO_MANY_STREAMS"]);
});
