// The greedy caller of greedy.ts: one user without rights of an administrator, who does everything that he may, all at once, until
// he is killed. Every second he prints how often each way of being greedy was answered, by status, as JSON.
//
//   deno run -A bench/load/greedy_caller.ts PORT TOKEN [ONE,OTHER,…]

import { toolCall } from "../../tests/support/mcp_post.ts";
import { claimsOf } from "../../tests/support/sessionless_parts.ts";
import type { GreedyWay } from "./greedy_ways.ts";
import { Lane, requestBytes } from "./lane.ts";

const [port, token, chosen] = [Number(Deno.args[0]), Deno.args[1]!, Deno.args[2]?.split(",")];
const authorization = `Bearer ${token}`;
const headers = { authorization, accept: "application/json, text/event-stream" };

/** By way and status; "cut" where the gateway closed the connection. */
const answers: Record<string, Record<string, number>> = {};

function note(way: string, status: number | string): void {
  const own = answers[way] ??= {};
  own[status] = (own[status] ?? 0) + 1;
}

/** A way of being greedy: what one of its clients does, again and again. */
type Way = (lane: Lane) => Promise<number>;

const rpc = (message: unknown) => requestBytes("/rpc", headers, JSON.stringify(message));
const mcp = (message: unknown, more: Record<string, string> = {}) =>
  requestBytes("/mcp", { ...headers, ...more }, JSON.stringify(message));
const ask = (bytes: Uint8Array): Way => async (lane) => (await lane.request(bytes)).status;
const initialize = (clientInfo: unknown) => ({
  jsonrpc: "2.0",
  id: 0,
  method: "initialize",
  params: { protocolVersion: "2025-11-25", capabilities: {}, clientInfo },
});
const inSession = (id: string) => ({ "mcp-session-id": id, "mcp-protocol-version": "2025-11-25" });

const openSession = async (lane: Lane) => {
  const { status, head } = await lane.request(mcp(initialize({ name: "greedy", version: "1" })));
  return { status, id: /\r\nmcp-session-id: (\S+)/i.exec(head)?.[1] };
};

/** A request of 2026-07-28. */
const stateless = (method: string, params: Record<string, unknown>, capabilities: unknown = {}) => {
  const name: Record<string, string> = params.name === undefined ? {} : { "mcp-name": String(params.name) };
  return mcp({ jsonrpc: "2.0", id: 1, method, params: { ...params, _meta: claimsOf(capabilities) } }, {
    "mcp-protocol-version": "2026-07-28",
    "mcp-method": method,
    ...name,
  });
};

const slowBatch = rpc(Array.from({ length: 100 }, (_, id) => toolCall("up-slow", {}, id)));
const listBatch = rpc(Array.from({ length: 100 }, (_, id) => ({ jsonrpc: "2.0", id, method: "tools/list" })));
const huge = rpc(toolCall("own-steady", { text: "x".repeat(4_000_000) }));
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

const openStream = async (lane: Lane, bytes: Uint8Array): Promise<number> => {
  const { status, ended } = await lane.openStream(bytes);
  if (status === 200) await Promise.race([ended, pause(5_000 + Math.random() * 5_000)]);
  throw new Churn(status);
};

/** Ends a connection on purpose. */
class Churn extends Error {
  constructor(readonly status: number) {
    super();
  }
}

const WAYS: Readonly<Record<GreedyWay, readonly [clients: number, Way]>> = {
  "batches of 100 slow calls": [1, ask(slowBatch)],
  "batches of 100 lists": [4, ask(listBatch)],
  "calls": [16, ask(rpc(toolCall("up-steady")))],
  "large answers": [4, ask(rpc(toolCall("own-large")))],
  "unread large answers": [32, async (lane) => {
    await lane.write(rpc(toolCall("own-large")));
    await pause(10_000);
    throw new Churn(0);
  }],
  "huge bodies": [4, ask(huge)],
  "slow bodies": [50, async (lane) => {
    await lane.write(rpc(toolCall("up-steady")).subarray(0, -2));
    await pause(20_000);
    throw new Churn(0);
  }],
  "sessions": [4, ask(mcp(initialize({ name: "x".repeat(16_000), version: "1" })))],
  "events of sessions": [4, async (lane) => {
    const { status, id } = await openSession(lane);
    if (id === undefined) return status;
    const { status: read } = await lane.openStream(mcp(toolCall("own-tell"), inSession(id)));
    throw new Churn(read);
  }],
  "GET streams": [100, async (lane) => {
    const { status, id } = await openSession(lane);
    if (id === undefined) return status;
    return await openStream(lane, requestBytes("/mcp", { ...headers, ...inSession(id) }));
  }],
  "resources/subscribe": [4, async (lane) => {
    const { status, id } = await openSession(lane);
    if (id === undefined) return status;
    const params = { uri: `note:///${Math.random()}${"x".repeat(60_000)}` };
    const message = { jsonrpc: "2.0", id: 1, method: "resources/subscribe", params };
    return (await lane.request(mcp(message, inSession(id)))).status;
  }],
  "subscriptions/listen": [100, (lane) => {
    const notifications = {
      toolsListChanged: true,
      resourceSubscriptions: [`note:///${"y".repeat(10_000)}`],
    };
    return openStream(lane, stateless("subscriptions/listen", { notifications }));
  }],
  "parked calls": [8, ask(stateless("tools/call", { name: "own-ask", arguments: {} }, { elicitation: {} }))],
  "registry reads": [8, ask(requestBytes("/tools?limit=500", headers))],
  "refused calls": [8, ask(rpc(toolCall("no-such-tool")))],
  "no token": [8, ask(requestBytes("/rpc", {}, JSON.stringify(toolCall("up-steady"))))],
  "connection churn": [8, async (lane) => {
    const { status } = await lane.request(rpc({ jsonrpc: "2.0", id: 1, method: "ping" }));
    throw new Churn(status);
  }],
};

async function goOn(name: string, way: Way): Promise<void> {
  for (;;) {
    let lane: Lane | undefined;
    try {
      lane = await Lane.open(port);
      for (;;) note(name, await way(lane));
    } catch (end) {
      note(name, end instanceof Churn ? end.status : "cut");
      if (!(end instanceof Churn)) await pause(100);
    } finally {
      lane?.close();
    }
  }
}

for (const [name, [clients, way]] of Object.entries(WAYS)) {
  if (chosen?.includes(name) === false) continue;
  answers[name] = {};
  for (let n = 0; n < clients; n++) void goOn(name, way);
}
setInterval(() => console.log(JSON.stringify(answers)), 1_000);
