// Tokens of one user that differ in what they may reach. A session, a stream, a pending call or a message path belongs to the tokens
// with the limits of the one that opened it: a narrowed token reads nothing of a wider one's, and no token lends its own.
import { assertEquals } from "@std/assert";
import type { Gateway } from "../support/gateway.ts";
import { gatewayTest } from "../support/gateway_tests.ts";
import { inSession, openSession, post, toolCall } from "../support/mcp_post.ts";
import { claimsOf } from "../support/sessionless_parts.ts";
import { TalkingUpstream } from "../support/talking_upstream.ts";
import { waitFor } from "../support/wait_for.ts";

const LIST = { jsonrpc: "2.0", id: 5, method: "tools/list" };
const LOG = { method: "notifications/message", params: { level: "error", data: "x" } };
const SAMPLING = { id: "q", method: "sampling/createMessage", params: { messages: [], maxTokens: 1 } };

/** The claims of bob's narrowed tokens, by what narrows them. */
const narrowed = (serverId: string) => ({
  server_id: { scopes: { server_id: serverId } },
  permissions: { scopes: { permissions: ["tools.read", "tools.execute"] } },
  teams: { teams: [] },
});

async function tokensOfBob(gateway: Gateway, serverId: string) {
  const bob = (claims: Record<string, unknown> = {}) =>
    gateway.token({ username: "bob@example.com", admin: false, claims: { teams: ["ours"], ...claims } });
  const others = Object.entries(narrowed(serverId)).map(async ([name, claims]) => ({
    name,
    token: await bob(claims),
  }));
  return { wide: await bob(), renewed: await bob(), narrow: await Promise.all(others) };
}

/** What anybody with the id of the session can try, by its name. @returns the HTTP status */
const USES: Readonly<
  Record<
    string,
    (gateway: Gateway, path: string, token: string, id: string, eventId: string) => Promise<number>
  >
> = {
  "a call": async (gateway, path, token, id) =>
    (await post(gateway, LIST, { token, path, headers: inSession(id) })).status,
  "a cancellation": async (gateway, path, token, id) => {
    const cancelled = { jsonrpc: "2.0", method: "notifications/cancelled", params: { requestId: 9 } };
    return (await post(gateway, cancelled, { token, path, headers: inSession(id) })).status;
  },
  "a stream": (gateway, path, token, id) => get(gateway, path, token, inSession(id)),
  "results by Last-Event-ID": (gateway, path, token, id, eventId) =>
    get(gateway, path, token, { ...inSession(id), "last-event-id": eventId }),
  "an end": async (gateway, path, token, id) => {
    const headers = { authorization: `Bearer ${token}`, ...inSession(id) };
    const response = await fetch(gateway.url + path, { method: "DELETE", headers });
    await response.body?.cancel();
    return response.status;
  },
};

async function get(
  gateway: Gateway,
  path: string,
  token: string,
  headers: Record<string, string>,
): Promise<number> {
  const response = await fetch(gateway.url + path, {
    headers: { authorization: `Bearer ${token}`, accept: "text/event-stream", ...headers },
  });
  await response.body?.cancel();
  return response.status;
}

/** Calls the tool that holds its result. @returns the id of the first event of the answer, and the answer */
async function holdCall(
  gateway: Gateway,
  upstream: TalkingUpstream,
  path: string,
  token: string,
  id: string,
) {
  const held = upstream.held;
  const called = fetch(gateway.url + path, {
    method: "POST",
    headers: {
      authorization: `Bearer ${token}`,
      "content-type": "application/json",
      accept: "application/json, text/event-stream",
      ...inSession(id),
    },
    body: JSON.stringify(toolCall("up-hold", {}, 9)),
  });
  await waitFor(() => upstream.held > held, { what: "the call" });
  upstream.sayDuringCalls(LOG);
  const reader = (await called).body!.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  while (!/^id: /m.test(text)) text += (await reader.read()).value;
  return {
    eventId: /^id: (\S+)$/m.exec(text)![1]!,
    leave: () => reader.cancel(),
  };
}

gatewayTest("a session belongs to the limits of the token that opened it", async (start) => {
  await using gateway = await start({ MCP_REVISIONS: "all" });
  // Ends first, and answers what the gateway waits for.
  await using upstream = new TalkingUpstream();
  upstream.tools = ["hold", "act"];
  await gateway.registerUpstream("up", upstream.url);
  const { body: tools } = await gateway.api("GET", "/tools");
  const { body: server } = await gateway.api("POST", "/servers", {
    server: { name: "s", revisions: "all", associated_tools: tools.map(({ id }: { id: string }) => id) },
  });
  const { wide, renewed, narrow } = await tokensOfBob(gateway, server.id);

  for (const { name, token: narrowToken } of narrow) {
    for (const path of name === "server_id" ? ["/mcp", `/servers/${server.id}/mcp`] : ["/mcp"]) {
      for (const [owner, other] of [[wide, narrowToken], [narrowToken, wide]] as const) {
        const id = await openSession(gateway, { token: owner, path });
        const held = upstream.held;
        const { eventId, leave } = await holdCall(gateway, upstream, path, owner, id);
        for (const [use, attempt] of Object.entries(USES)) {
          const status = await attempt(gateway, path, other, id, eventId);
          assertEquals(status, 404, `${use} at ${path}, narrowed by ${name}`);
        }
        assertEquals(upstream.held, held + 1, "the call goes on");
        assertEquals((await post(gateway, LIST, { token: owner, path, headers: inSession(id) })).status, 200);
        if (owner === wide) {
          assertEquals(await USES["a call"]!(gateway, path, renewed, id, ""), 200, "a renewed token");
        }
        await leave();
        assertEquals(await USES["an end"]!(gateway, path, owner, id, ""), 204);
      }
    }

    // Over SSE of 2024-11-05 the path of the messages is the key.
    await using sse = await openSse(gateway, wide);
    const say = async (token: string) => (await post(gateway, LIST, { token, path: sse.path })).status;
    assertEquals([await say(narrowToken), await say(wide)], [404, 202], name);

    // In the stateless revision a pending call is continued by its state.
    const asked = upstream.answers.length;
    const state = await pendingState(gateway, wide, upstream);
    const refused = await continueCall(gateway, narrowToken, state);
    assertEquals(refused.error?.code, -32602, JSON.stringify(refused));
    assertEquals(upstream.answers.length, asked);
    void continueCall(gateway, wide, state).catch(() => {});
    await waitFor(() => upstream.answers.length > asked, { what: "the answer of the wide token" });
  }
});

async function openSse(gateway: Gateway, token: string) {
  const response = await fetch(`${gateway.url}/sse`, {
    headers: { authorization: `Bearer ${token}`, accept: "text/event-stream" },
  });
  const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  while (!/^data: \S+\r?\n/m.test(text)) text += (await reader.read()).value;
  return {
    path: pathOf(new URL(/^data: (\S+)$/m.exec(text)![1]!, gateway.url)),
    [Symbol.asyncDispose]: async () => {
      await reader.cancel();
    },
  };
}

function pathOf({ pathname, search }: URL): string {
  return pathname + search;
}

function sessionlessCall(more: Record<string, unknown> = {}) {
  const params = { name: "up-hold", arguments: {}, _meta: claimsOf({ sampling: {} }), ...more };
  return { jsonrpc: "2.0", id: 1, method: "tools/call", params };
}

const SESSIONLESS = {
  "mcp-protocol-version": "2026-07-28",
  "mcp-method": "tools/call",
  "mcp-name": "up-hold",
};

/** The state of a call that waits for its client's answer. */
async function pendingState(gateway: Gateway, token: string, upstream: TalkingUpstream): Promise<string> {
  const held = upstream.held;
  const called = post(gateway, sessionlessCall(), { token, headers: SESSIONLESS });
  await waitFor(() => upstream.held > held, { what: "the call" });
  upstream.sayDuringCalls(SAMPLING);
  const { body } = await called;
  assertEquals(body.result?.resultType, "input_required", JSON.stringify(body));
  return body.result.requestState;
}

async function continueCall(gateway: Gateway, token: string, requestState: string) {
  const answer = { role: "assistant", content: { type: "text", text: "x" }, model: "m" };
  const more = { requestState, inputResponses: { "input-1": answer } };
  return (await post(gateway, sessionlessCall(more), { token, headers: SESSIONLESS })).body;
}
