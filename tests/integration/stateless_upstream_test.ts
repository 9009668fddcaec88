// A client of the revisions with sessions (the SDK's v1 client) on an upstream that speaks 2026-07-28 alone (the SDK's v2
// server), through the gateway, over each transport that such an upstream may be reached by.
import { assert, assertEquals, assertRejects } from "@std/assert";
// @ts-types="npm:@modelcontextprotocol/sdk@1.32.2/client/index"
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
// @ts-types="npm:@modelcontextprotocol/sdk@1.32.2/client/streamableHttp"
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import {
  CreateMessageRequestSchema,
  ElicitRequestSchema,
  LoggingMessageNotificationSchema,
  ResourceUpdatedNotificationSchema,
  ToolListChangedNotificationSchema,
  // @ts-types="npm:@modelcontextprotocol/sdk@1.32.2/types"
} from "@modelcontextprotocol/sdk/types.js";
import { type GatewayUnderTest, startGateway, startGatewayWith } from "../conformance/gateway.ts";
import type { StartGateway } from "../support/gateway.ts";
import { gatewayTest } from "../support/gateway_tests.ts";
import { serveStatelessSse } from "../support/stateless_sse.ts";
import { serveStatelessWebSocket } from "../support/stateless_websocket.ts";
import { conformanceLaunch } from "../support/stdio_upstream.ts";
import { waitFor } from "../support/wait_for.ts";

const WATCHED = "test://watched-resource";

async function connect({ url }: GatewayUnderTest, capabilities: Record<string, object> = {}) {
  const client = new Client({ name: "older-client", version: "1.0.0" }, { capabilities });
  await client.connect(new StreamableHTTPClientTransport(new URL(url)));
  const call = async (name: string, args: Record<string, unknown> = {}) => {
    const { content, isError } = await client.callTool({ name, arguments: args });
    const [first] = content as { text: string }[];
    return { text: first!.text, isError };
  };
  return { client, call, [Symbol.asyncDispose]: () => client.close() };
}

async function startWithStdio(
  start: StartGateway,
  revisions: "stateless" | "both",
): Promise<GatewayUnderTest> {
  await using stack = new AsyncDisposableStack();
  const state = await Deno.makeTempFile({ prefix: "sluice_state_" });
  stack.defer(() => Deno.remove(state));
  const launch = conformanceLaunch("peer", revisions, ["--state", state]);
  const env = { STDIO_ENABLED: "true" };
  const registration = { transport: "STDIO", protocol: "2026-07-28", ...launch };
  const gateway = stack.use(await startGatewayWith(registration, env, start));
  const owned = stack.move();
  return { ...gateway, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

async function startWith(
  start: StartGateway,
  transport: string,
  serve: () => AsyncDisposable & { readonly url: string },
): Promise<GatewayUnderTest> {
  await using stack = new AsyncDisposableStack();
  const { url } = stack.use(serve());
  const gateway = stack.use(await startGatewayWith({ transport, url }, {}, start));
  const owned = stack.move();
  return { ...gateway, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

const GATEWAYS: Readonly<Record<string, (start: StartGateway) => Promise<GatewayUnderTest>>> = {
  "over HTTP": (start) => startGateway("stateless", start),
  "over stdio": (start) => startWithStdio(start, "stateless"),
  "of all revisions over stdio, by the operator's decision": (start) => startWithStdio(start, "both"),
  "over WebSocket": (start) => startWith(start, "WEBSOCKET", serveStatelessWebSocket),
  "over SSE": (start) => startWith(start, "SSE", serveStatelessSse),
};

for (const [how, startWith] of Object.entries(GATEWAYS)) {
  gatewayTest(
    `An older client and a 2026-07-28 upstream ${how}: calls, questions, subscriptions and changes`,
    (start, t) => meet(t, startWith(start)),
  );
}

async function meet(t: Deno.TestContext, starting: Promise<GatewayUnderTest>): Promise<void> {
  await using gateway = await starting;

  await t.step("The gateway is registered as what it is", async () => {
    const { body } = await gateway.sluice.api("GET", "/gateways");
    assertEquals([body.length, body[0].stateful, body[0].protocolVersion], [1, false, "2026-07-28"]);
    await using one = await connect(gateway);
    // The virtual server has one upstream, and so that one's name.
    assertEquals(one.client.getServerVersion()!.name, "conformance-upstream");
    const { tools } = await one.client.listTools();
    assert(tools.some(({ name }) => name === "test_simple_text"));
    assertEquals((await one.call("test_simple_text")).isError, undefined);
  });

  await t.step("Progress comes on the call's stream under the client's token", async () => {
    await using one = await connect(gateway);
    const seen: number[] = [];
    await one.client.callTool({ name: "test_tool_with_progress", arguments: {} }, undefined, {
      onprogress: ({ progress }) => seen.push(progress),
    });
    assertEquals(seen, [0, 50, 100]);
  });

  await t.step("The session's log level goes with each request", async () => {
    await using one = await connect(gateway);
    const levels: string[] = [];
    one.client.setNotificationHandler(
      LoggingMessageNotificationSchema,
      ({ params }) => void levels.push(params.level),
    );
    await one.call("test_tool_with_logging");
    assertEquals(levels, []);
    await one.client.setLoggingLevel("info");
    await one.call("test_tool_with_logging");
    assertEquals(levels, ["info", "info", "info"]);
  });

  await t.step("Input requests become questions to the client, several at once and in rounds", async () => {
    await using one = await connect(gateway, { elicitation: {}, sampling: {} });
    const asked: string[] = [];
    one.client.setRequestHandler(ElicitRequestSchema, ({ params }) => {
      asked.push(params.message);
      return {
        action: "accept",
        content: { username: "ann", email: "a@x.example", name: "Ann", color: "red" },
      };
    });
    one.client.setRequestHandler(CreateMessageRequestSchema, () => {
      asked.push("sampling");
      return { role: "assistant", model: "m", content: { type: "text", text: "it is so" } };
    });
    const elicited = await one.call("test_elicitation", { message: "Who are you?" });
    assertEquals(asked, ["Who are you?"]);
    assert(elicited.text.includes("ann"), elicited.text);
    assert((await one.call("test_sampling", { prompt: "Is it so?" })).text.includes("it is so"));
    const before = asked.length;
    await one.call("test_input_required_result_multi_round");
    assertEquals(asked.length - before, 2);
  });

  await t.step("A client that cannot be asked is told so", async () => {
    await using one = await connect(gateway);
    const error = await assertRejects(() => one.call("test_elicitation", { message: "?" }), Error);
    assert(/needs input that it cannot get/.test(error.message), error.message);
  });

  await t.step("A resource that is subscribed to tells of its changes, until it is not", async () => {
    await using one = await connect(gateway);
    const updates: string[] = [];
    one.client.setNotificationHandler(
      ResourceUpdatedNotificationSchema,
      ({ params }) => void updates.push(params.uri),
    );
    await one.client.subscribeResource({ uri: WATCHED });
    await one.call("test_update_watched_resource");
    await waitFor(() => updates.length > 0, { what: "the update" });
    assertEquals(updates, [WATCHED]);
    await one.client.unsubscribeResource({ uri: WATCHED });
    await one.call("test_update_watched_resource");
    // Something later has come on the way that the update would have taken.
    await one.client.subscribeResource({ uri: WATCHED });
    await one.call("test_update_watched_resource");
    await waitFor(() => updates.length > 1, { what: "the update after the next subscription" });
    assertEquals(updates.length, 2);
  });

  await t.step("A list that changes upstream changes here, and every session hears of it", async () => {
    await using one = await connect(gateway);
    await using other = await connect(gateway);
    const heard = new Set<string>();
    for (const [name, { client }] of [["one", one], ["other", other]] as const) {
      client.setNotificationHandler(ToolListChangedNotificationSchema, () => void heard.add(name));
    }
    const description = async () =>
      (await other.client.listTools()).tools.find(({ name }) => name === "test_changing_tool")!.description;
    const before = await description();
    await one.call("test_trigger_tool_change");
    await waitFor(() => heard.size === 2, { what: "both sessions to hear of the change" });
    assert(await description() !== before);
  });
}
