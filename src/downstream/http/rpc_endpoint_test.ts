import { ClientMemory } from "../../base/sharing/client_memory.ts";
import { batchPlaces } from "../../../tests/support/batch_places.ts";
import { assertEquals, assertRejects } from "@std/assert";
import { catalogRows, gatewayRow, serverRow, toolRow } from "../../../tests/support/catalog_rows.ts";
import { dataPlane } from "../../../tests/support/data_plane.ts";
import { FakeUpstream, refusal } from "../../../tests/support/fake_upstream.ts";
import { limiterOf, principal, SERVED, settle } from "../../../tests/support/fakes.ts";
import { notification, request } from "../../../tests/support/mcp_server.ts";
import { SluiceError } from "../../base/errors.ts";
import { readText } from "../../http/body.ts";
import { WatchedCall } from "../../http/client_watch.ts";
import type { RateLimiter } from "../../http/limits/rate_limit.ts";
import { memberText } from "../../mcp/json_rpc.ts";
import type { CallNote } from "../../telemetry/call_note.ts";
import { RpcEndpoint } from "./rpc_endpoint.ts";

const ROWS = catalogRows({
  gateways: [gatewayRow("a")],
  tools: [toolRow("a", "convert_time"), toolRow("a", "slow"), toolRow("a", "broken"), toolRow("a", "own")],
  servers: [serverRow("s", { toolIds: ["a-own"] })],
});

async function setUp(
  { rateLimiter = null, caller }: { rateLimiter?: RateLimiter | null; caller?: string } = {},
) {
  const a = new FakeUpstream((sent) => {
    const { name } = (sent.params ?? {}) as { name?: string };
    if (name === "broken") return refusal(sent.id, 200, { code: -32099, message: "no" });
    return name === "slow" ? new Promise(() => {}) : undefined;
  });
  a.stateful = false;
  const { catalog, dispatcher, errors } = await dataPlane(ROWS, { a });
  const gone = new WatchedCall(new Request("http://gateway/rpc"));
  const watch = { enter: () => gone, leave: () => {} };
  const endpoint = new RpcEndpoint({
    memory: new ClientMemory(Infinity),
    dispatcher,
    catalog: () => catalog,
    clients: watch,
    readBody: (request) => readText(request, 10_000),
    maxJsonDepth: 20,
    errors,
    rateLimiter,
    tokenGate: null,
    batchPlaces: batchPlaces(),
  });
  const send = (body: string | undefined, init: RequestInit = {}, note?: CallNote) =>
    endpoint.serve({
      request: new Request("http://gateway/rpc", {
        method: "POST",
        headers: { "content-type": "application/json" },
        body,
        ...init,
      }),
      path: "/rpc",
      principal: principal(),
      caller,
      note,
      info: SERVED,
    });
  const post = (message: unknown, init?: RequestInit) => send(JSON.stringify(message), init);
  const codeOf = async (body: string) => (await assertRejects(() => send(body), SluiceError)).code;
  return { a, send, post, gone, codeOf };
}

Deno.test("RpcEndpoint.serve() answers with HTTP 200, also a call that failed", async () => {
  const { post } = await setUp();
  const good = await post(request(1, "tools/call", { name: "a-convert_time", arguments: {} }));
  assertEquals([good.status, good.headers.get("content-type")], [200, "application/json"]);
  assertEquals(await good.json(), { jsonrpc: "2.0", id: 1, result: { ok: true } });
  const failed = await post(request(2, "tools/call", { name: "nothing" }));
  assertEquals([failed.status, (await failed.json()).error.code], [200, -32602]);
});

Deno.test("RpcEndpoint.serve() serves the virtual server that server_id names, in a batch too, and nothing else", async () => {
  const { post, a } = await setUp();
  const ask = async (method: string, params: unknown) =>
    await (await post(request(1, method, params))).json();
  const namesIn = ({ result }: { result: { tools: { name: string }[] } }) =>
    result.tools.map(({ name }) => name);
  assertEquals(namesIn(await ask("tools/list", { server_id: "s" })), ["a-own"]);
  for (const params of [{}, { server_id: null }, { server_id: "" }]) {
    assertEquals(namesIn(await ask("tools/list", params)).length > 1, true);
  }
  const inside = await ask("tools/call", { name: "a-own", server_id: "s", arguments: { n: 1 } });
  assertEquals(inside.result, { ok: true });
  // The upstream does not see our member.
  assertEquals(a.received.at(-1)!.params, { name: "own", arguments: { n: 1 } });
  const outside = await ask("tools/call", { name: "a-convert_time", server_id: "s" });
  assertEquals(outside.error.data.code, "TOOL_NOT_FOUND");
  assertEquals((await ask("tools/list", { server_id: "gone" })).error.data.code, "NOT_FOUND");
  assertEquals((await ask("tools/list", { server_id: 7 })).error.data.code, "INVALID_PARAMS");
  const batch = await post([request(1, "tools/list", { server_id: "s" }), request(2, "tools/list")]);
  const [one, all] = await batch.json();
  assertEquals([namesIn(one), namesIn(all).length > 1], [["a-own"], true]);
  // The params of a tool that is called as a method are its arguments.
  await ask("convert_time", { server_id: "s" });
  assertEquals(a.received.at(-1)!.params, { name: "convert_time", arguments: { server_id: "s" } });
});

Deno.test("RpcEndpoint.serve() takes a tool's name for a method", async () => {
  const { post, a } = await setUp();
  const response = await post(request(1, "convert_time", { time: "10:00" }));
  assertEquals((await response.json()).result, { ok: true });
  assertEquals(a.received.at(-1)!.params, { name: "convert_time", arguments: { time: "10:00" } });
});

Deno.test("RpcEndpoint.serve() refuses what is no JSON-RPC with the codes that it has", async () => {
  const { codeOf, send } = await setUp();
  const cases = [
    ["{", "PARSE_ERROR"],
    ["null", "INVALID_REQUEST"],
    ['{"jsonrpc":"1.0","id":1,"method":"ping"}', "INVALID_REQUEST"],
    ['{"jsonrpc":"2.0","id":{},"method":"ping"}', "INVALID_REQUEST"],
    ['{"jsonrpc":"2.0","id":1,"method":1}', "INVALID_REQUEST"],
    ['{"jsonrpc":"2.0","id":1,"method":"ping","params":1}', "INVALID_REQUEST"],
    ["[]", "INVALID_REQUEST"],
    ["[".repeat(21) + "]".repeat(21), "BODY_TOO_DEEP"],
    ["x".repeat(10_001), "BODY_TOO_LARGE"],
  ];
  for (const [body, code] of cases) assertEquals(await codeOf(body!), code, body);
  const error = await assertRejects(() => send(undefined, { method: "GET" }), SluiceError);
  assertEquals([error.code, error.params.allowed], ["METHOD_NOT_ALLOWED", "POST"]);
});

Deno.test("RpcEndpoint.serve() accepts notifications and responses without an answer", async () => {
  const { post, a } = await setUp();
  for (const message of [notification("notifications/initialized"), { jsonrpc: "2.0", id: 1, result: {} }]) {
    const response = await post(message);
    assertEquals([response.status, response.body], [202, null]);
  }
  assertEquals((await post([notification("x")])).status, 202);
  assertEquals(a.received, []);
});

Deno.test("RpcEndpoint.serve() answers each message of a batch by itself, in order", async () => {
  const { post } = await setUp();
  const response = await post([request(1, "ping"), 5, notification("x"), request("b", "nothing"), {}]);
  const answers: { id: unknown; error?: { code: number } }[] = await response.json();
  assertEquals(answers.map(({ id, error }) => [id, error?.code]), [
    [1, undefined],
    [null, -32600],
    ["b", -32601],
    [null, -32600],
  ]);
});

Deno.test("RpcEndpoint.serve() notes the tool as the client called it, and the code of a failure", async () => {
  const { send } = await setUp();
  const noteOf = async (message: unknown) => {
    const note: CallNote = { correlationId: "c" };
    await send(JSON.stringify(message), {}, note);
    return note;
  };
  const seen = ({ rpcMethod, tool, upstream, code }: CallNote) => [rpcMethod, tool, upstream, code];
  for (
    const [method, params, ...noted] of [
      ["tools/call", { name: "convert_time" }, "convert_time", "a", undefined],
      ["convert_time", {}, "convert_time", "a", undefined],
      ["tools/call", { name: "nothing" }, "nothing", undefined, "TOOL_NOT_FOUND"],
      ["tools/call", { name: "broken" }, "broken", "a", -32099],
      ["nothing", {}, undefined, undefined, "METHOD_NOT_FOUND"],
      ["ping", undefined, undefined, undefined, undefined],
    ] as const
  ) {
    assertEquals(seen(await noteOf(request(1, method, params))), [method, ...noted]);
  }
  const batch = await noteOf([
    request(1, "convert_time"),
    notification("x"),
    request(2, "tools/call", { name: "nothing" }),
    5,
  ]);
  assertEquals(seen(batch), ["batch", undefined, undefined, undefined]);
  assertEquals(batch.calls!.map(seen), [
    ["convert_time", "convert_time", "a", undefined],
    ["tools/call", "nothing", undefined, "TOOL_NOT_FOUND"],
    [undefined, undefined, undefined, "INVALID_REQUEST"],
  ]);
});

Deno.test("RpcEndpoint.serve() passes each message of a batch on as it was written", async () => {
  const { send, a } = await setUp();
  const args = '{"n":12345678901234567890,"x":1e400,"y":1.0,"y": "twice"}';
  await send(`[ 5, {"jsonrpc":"2.0","id":1,"method":"convert_time","params":${args}} ]`);
  const { http } = a.received.find(({ method }) => method === "tools/call")!;
  assertEquals(memberText(memberText(http.body!, "params")!, "arguments"), args);
});

Deno.test("RpcEndpoint.serve() bounds a batch", async () => {
  const { post } = await setUp();
  const batch = (length: number) => Array.from({ length }, (_, i) => request(i, "ping"));
  assertEquals((await (await post(batch(100))).json()).length, 100);
  assertEquals((await assertRejects(() => post(batch(101)), SluiceError)).code, "BATCH_TOO_LONG");
});

Deno.test("RpcEndpoint.serve() gives a call up when its client hangs up", async () => {
  const { post, gone } = await setUp();
  const response = post(request(1, "slow"));
  await settle(100);
  gone.cancel(new SluiceError("REQUEST_CANCELLED"));
  assertEquals((await (await response).json()).error.data.code, "REQUEST_CANCELLED");
});

Deno.test("RpcEndpoint.serve() counts every message of a batch, and serves all of them or none", async () => {
  const rateLimiter = limiterOf(5);
  const { post, a, codeOf } = await setUp({ rateLimiter, caller: "ann" });
  const batch = (length: number) =>
    Array.from({ length }, (_, i) => request(i, "tools/call", { name: "a-convert_time" }));
  // The handler has counted each request as one.
  rateLimiter.take("medium", "ann");
  assertEquals((await (await post(batch(3))).json()).length, 3);
  rateLimiter.take("medium", "ann");
  const { length } = a.received;
  assertEquals(await codeOf(JSON.stringify(batch(3))), "RATE_LIMITED");
  assertEquals(await codeOf(JSON.stringify(batch(6))), "BATCH_TOO_LONG");
  assertEquals(a.received.length, length);
  assertEquals((await (await post(batch(2))).json()).length, 2);
});
