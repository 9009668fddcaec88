// What an operator switches off, deletes or hides is cut at once: calls, questions, sessions, streams and processes end.
import { assertEquals } from "@std/assert";
import { EventStreamClient } from "../support/event_stream_client.ts";
import type { Gateway } from "../support/gateway.ts";
import { gatewayTest } from "../support/gateway_tests.ts";
import { INITIALIZE, inSession, post, toolCall } from "../support/mcp_post.ts";
import { metric } from "../support/metric.ts";
import { SessionlessSocket } from "../support/sessionless_socket.ts";
import { counterLaunch, processesWith } from "../support/stdio_upstream.ts";
import { TalkingUpstream } from "../support/talking_upstream.ts";
import { waitFor } from "../support/wait_for.ts";

const SAMPLING = { method: "sampling/createMessage", params: { messages: [], maxTokens: 1 } };
const LOG = { method: "notifications/message", params: { level: "error", data: "of the upstream" } };

type Cut = (gateway: Gateway, upstreamId: string) => Promise<{ readonly status: number }>;

const CUTS: Readonly<Record<string, Cut>> = {
  "switched off": (gateway, id) => gateway.api("POST", `/gateways/${id}/state?activate=false`),
  deleted: (gateway, id) => gateway.api("DELETE", `/gateways/${id}`),
  private: (gateway, id) => gateway.api("PUT", `/gateways/${id}`, { visibility: "private" }),
  "of another team": (gateway, id) =>
    gateway.api("PUT", `/gateways/${id}`, { visibility: "team", team_id: "others" }),
};

/** A non-administrator with a session in which the upstream was called, and a GET stream. */
async function bobsSession(gateway: Gateway, path: string, tool: string) {
  const token = await gateway.token({
    username: "bob@example.com",
    admin: false,
    claims: { teams: ["ours"] },
  });
  const initialize = structuredClone(INITIALIZE) as { params: { capabilities: unknown } };
  initialize.params.capabilities = { sampling: {} };
  const { sessionId } = await post(gateway, initialize, { token, path });
  const headers = inSession(sessionId!);
  const say = (body: unknown) => post(gateway, body, { token, headers, path });
  const { body } = await say(toolCall(tool));
  assertEquals(body.error, undefined, JSON.stringify(body));
  const listen = () =>
    EventStreamClient.open(gateway, path, { headers: { authorization: `Bearer ${token}`, ...headers } });
  return { say, listen, stream: await listen(), token };
}

for (const [how, cut] of Object.entries(CUTS)) {
  gatewayTest(
    `an upstream that is ${how} is cut off from calls, questions, sessions and streams`,
    async (start) => {
      await using upstream = new TalkingUpstream();
      upstream.tools = ["hold", "act"];
      upstream.resources = ["x:1"];
      await using gateway = await start({ MCP_REVISIONS: "all" });
      const { id } = await gateway.registerUpstream("up", upstream.url);
      const bob = await bobsSession(gateway, "/mcp", "up-act");
      await using stream = bob.stream;
      await bob.say({ jsonrpc: "2.0", id: 2, method: "resources/subscribe", params: { uri: "x:1" } });
      await waitFor(() => upstream.streams === 1, { what: "the gateway to listen" });
      const held = bob.say(toolCall("up-hold", {}, 3));
      const heldOutside = gateway.rpc("tools/call", { name: "up-hold", arguments: {} }, bob.token);
      await waitFor(() => upstream.held === 2, { what: "the calls" });
      upstream.say({ id: "outside", ...SAMPLING });
      upstream.sayDuringCalls({ id: "during", ...SAMPLING });
      const questions = await waitFor(() => {
        const asked = stream.messages.filter(({ method }) => method === SAMPLING.method);
        return asked.length > 0 ? asked : undefined;
      }, { what: "the question" });

      // The upstream talks on and on.
      const talking = setInterval(() => {
        upstream.say({ id: crypto.randomUUID(), ...SAMPLING });
        upstream.say(LOG);
        upstream.say({ method: "notifications/resources/updated", params: { uri: "x:1" } });
        upstream.sayDuringCalls(LOG);
      }, 5);
      try {
        await waitFor(() => stream.messages.length > 20, { what: "messages of the upstream" });
        assertEquals(Math.trunc((await cut(gateway, id)).status / 100), 2);
        const errors = [(await held).body.error, (await heldOutside).body.error];
        assertEquals(errors.map(({ data }) => data.code), ["UPSTREAM_DISABLED", "UPSTREAM_DISABLED"]);
        await waitFor(() => upstream.streams === 0 && upstream.held === 0, { what: "the streams to end" });
      } finally {
        clearInterval(talking);
      }
      await waitFor(() => upstream.sessions === 0, { what: "the sessions to end" });

      // Nothing more reaches the client, and its answers do not reach the upstream.
      const areCancelled = () => {
        const cancelled = stream.messages.filter(({ method }) => method === "notifications/cancelled")
          .map(({ params }) => params.requestId);
        return stream.messages.every(({ method, id }) =>
          method !== SAMPLING.method || cancelled.includes(id)
        );
      };
      await waitFor(areCancelled, { what: "all questions to be taken back" });
      const heard = stream.messages.length;
      for (const { id } of questions) await bob.say({ jsonrpc: "2.0", id, result: { role: "user" } });
      const { body } = await bob.say(toolCall("up-act", {}, 4));
      assertEquals(body.error.data.code, "TOOL_NOT_FOUND");
      const later = stream.messages.slice(heard).filter(({ method }) => !method.endsWith("/list_changed"));
      // The question that `/rpc` cannot ask was refused.
      const answers = upstream.answers.filter(({ result }) => result !== undefined);
      assertEquals([later, answers], [[], []]);
    },
  );
}

gatewayTest("what waits for a client's next stream goes with its upstream", async (start) => {
  await using gateway = await start({ MCP_REVISIONS: "all" });
  for (const [n, cut] of [null, ...Object.values(CUTS)].entries()) {
    await using upstream = new TalkingUpstream();
    upstream.tools = ["act"];
    const { id } = await gateway.registerUpstream(`up${n}`, upstream.url);
    const bob = await bobsSession(gateway, "/mcp", `up${n}-act`);
    await waitFor(() => upstream.streams > 0, { what: "the gateway to listen" });
    await bob.stream[Symbol.asyncDispose]();
    const streams = () => metric(gateway, "sluice_downstream_streams ");
    await waitFor(async () => await streams() === 0, { what: "the gateway to notice" });
    const answers = upstream.answers.length;
    upstream.say(LOG);
    upstream.say({ id: "later", ...SAMPLING });
    upstream.say({ id: "read", method: "ping" });
    await waitFor(() => upstream.answers.length > answers, { what: "the gateway to have read all" });
    if (cut !== null) assertEquals(Math.trunc((await cut(gateway, id)).status / 100), 2);
    await using next = await bob.listen();
    const isTaken = () => next.messages.some(({ method }) => method === "notifications/cancelled");
    if (cut !== null) await waitFor(isTaken, { what: "the question to be taken back" });
    else await waitFor(() => next.messages.length >= 2, { what: "what has waited" });
    const ofUpstream = next.messages.map(({ method }) => method)
      .filter((method) => [LOG.method, SAMPLING.method].includes(method));
    assertEquals(ofUpstream, cut === null ? [LOG.method, SAMPLING.method] : []);
  }
}, { inCluster: false });

gatewayTest("the sessions of a deleted virtual server end, on every transport", async (start) => {
  await using upstream = new TalkingUpstream();
  upstream.tools = ["hold", "act"];
  await using gateway = await start({ MCP_REVISIONS: "all" });
  await gateway.registerUpstream("up", upstream.url);
  const { body: tools } = await gateway.api("GET", "/tools");
  const associated_tools = tools.map(({ id }: { id: string }) => id);
  const { body: server } = await gateway.api("POST", "/servers", {
    server: { name: "s", associated_tools, revisions: "all" },
  });
  const path = `/servers/${server.id}/mcp`;
  const bob = await bobsSession(gateway, path, "up-act");
  await using stream = bob.stream;
  await using listening = await EventStreamClient.open(gateway, `/servers/${server.id}/sse`, {
    headers: { authorization: `Bearer ${bob.token}` },
  });
  await using socket = await SessionlessSocket.connect(gateway.url, bob.token, `/servers/${server.id}/ws`);
  let closedWith: number | undefined;
  void socket.closed.then((code) => closedWith = code);
  await socket.listen({ toolsListChanged: true });
  const held = bob.say(toolCall("up-hold", {}, 3));
  await waitFor(() => upstream.held === 1 && upstream.streams === 1, { what: "the call" });

  assertEquals((await gateway.api("DELETE", `/servers/${server.id}`)).status, 200);
  const { body } = await held;
  assertEquals(body.error.data.code, "NOT_FOUND", JSON.stringify(body));
  await waitFor(() => !stream.isOpen && !listening.isOpen, { what: "the streams to end" });
  assertEquals(await waitFor(() => closedWith, { what: "the socket to be closed" }), 1008);
  await waitFor(() => upstream.streams + upstream.sessions + upstream.held === 0, {
    what: "the upstream's end",
  });
  assertEquals((await bob.say(toolCall("up-act", {}, 4))).status, 404);
});

gatewayTest(
  "a listener without a session hears of a resource only while its caller may see it",
  async (start) => {
    await using upstream = new TalkingUpstream();
    upstream.resources = ["x:1"];
    await using gateway = await start({ MCP_REVISIONS: "all" });
    const { id } = await gateway.registerUpstream("up", upstream.url);
    const token = await gateway.token({ username: "bob@example.com", admin: false });
    await using socket = await SessionlessSocket.connect(gateway.url, token);
    const listener = await socket.listen({ resourceSubscriptions: ["x:1"], toolsListChanged: true });
    const updates = () =>
      socket.heard(listener).filter((method) => method === "notifications/resources/updated").length;
    const hears = async () => {
      const before = updates();
      await waitFor(() => {
        upstream.say({ method: "notifications/resources/updated", params: { uri: "x:1" } });
        return updates() > before;
      }, { what: "an update" });
    };
    await hears();
    for (const visibility of ["private", "public"]) {
      await gateway.api("PUT", `/gateways/${id}`, { visibility });
      if (visibility === "public") await hears();
      else await waitFor(() => upstream.sessions === 0, { what: "the subscription to end" });
    }
    await gateway.api("POST", `/gateways/${id}/state?activate=false`);
    await waitFor(() => upstream.sessions === 0, { what: "the subscription to end" });
    await gateway.api("POST", `/gateways/${id}/state?activate=true`);
    await hears();
  },
);

gatewayTest(
  "a session that listens hears an upstream again that was off, and one whose address has changed",
  async (start) => {
    await using upstream = new TalkingUpstream();
    await using other = new TalkingUpstream();
    upstream.tools = other.tools = ["act"];
    await using gateway = await start({ MCP_REVISIONS: "all" });
    const { id } = await gateway.registerUpstream("up", upstream.url);
    const bob = await bobsSession(gateway, "/mcp", "up-act");
    await using stream = bob.stream;
    await waitFor(() => upstream.streams === 1, { what: "the gateway to listen" });
    await gateway.api("POST", `/gateways/${id}/state?activate=false`);
    await waitFor(() => upstream.sessions === 0, { what: "the session to end" });
    await gateway.api("POST", `/gateways/${id}/state?activate=true`);
    await waitFor(() => upstream.streams === 1, { what: "the gateway to listen again" });
    const { status } = await gateway.api("PUT", `/gateways/${id}`, { url: other.url });
    assertEquals(status, 200);
    await waitFor(() => upstream.sessions + upstream.streams === 0, {
      what: "the former address to be left",
    });
    await waitFor(() => other.streams === 1, { what: "the new address to be listened to" });
    other.say(LOG);
    await waitFor(() => stream.messages.some(({ method }) => method === LOG.method), { what: "its message" });
  },
  { inCluster: false },
);

gatewayTest(
  "the process and the pooled sessions of an upstream end when it is switched off",
  async (start) => {
    const mark = crypto.randomUUID();
    await using upstream = new TalkingUpstream();
    upstream.tools = ["act"];
    await using gateway = await start({
      MCP_REVISIONS: "all",
      MCP_SESSION_POOL_ENABLED: "true",
      STDIO_ENABLED: "true",
    });
    const { id } = await gateway.registerUpstream("pooled", upstream.url);
    const { status, body: process } = await gateway.api("POST", "/gateways", {
      ...{ name: "process", transport: "STDIO" },
      ...counterLaunch(mark),
    });
    assertEquals(status, 200, JSON.stringify(process));
    const bob = await bobsSession(gateway, "/mcp", "process-increment");
    await using _stream = bob.stream;
    await gateway.rpc("tools/call", { name: "pooled-act", arguments: {} });
    await waitFor(() => processesWith(mark).length >= 1 && upstream.sessions === 1, { what: "both" });
    for (const each of [id, process.id]) await gateway.api("POST", `/gateways/${each}/state?activate=false`);
    await waitFor(() => processesWith(mark).length + upstream.sessions === 0, { what: "their end" });
  },
  { inCluster: false },
);
