// Whatever a client keeps open ends when the token expires that opened it, or when a role of its owner ends: a stream that outlives
// them would tell a former user of everything that happens.
import { assert, assertEquals } from "@std/assert";
import type { Gateway } from "../support/gateway.ts";
import { gatewayTest } from "../support/gateway_tests.ts";
import { inSession, openSession } from "../support/mcp_post.ts";
import { paced } from "../support/pace.ts";

/** Long enough for a busy machine to open everything meanwhile. */
const LIFE_S = 4;

interface Open {
  /** When it ended, ms since the epoch. */
  readonly ended: Promise<number>;
}

async function openStream(sluice: Gateway, path: string, init: RequestInit): Promise<Open> {
  const response = await fetch(sluice.url + path, init);
  assertEquals([response.status, response.headers.get("content-type")], [200, "text/event-stream"]);
  const read = async () => {
    for await (const _ of response.body!);
    return Date.now();
  };
  return { ended: read() };
}

const meta = {
  "io.modelcontextprotocol/protocolVersion": "2026-07-28",
  "io.modelcontextprotocol/clientInfo": { name: "t", version: "1" },
  "io.modelcontextprotocol/clientCapabilities": {},
};
const SUBSCRIBE = JSON.stringify({
  jsonrpc: "2.0",
  id: 1,
  method: "subscriptions/listen",
  params: { notifications: { toolsListChanged: true }, _meta: meta },
});

/** Everything that a client can keep open, by its name. */
const KINDS: Readonly<Record<string, (sluice: Gateway, token: string) => Promise<Open>>> = {
  "GET /mcp": async (sluice, token) => {
    const id = await openSession(sluice, { token });
    const headers = { authorization: `Bearer ${token}`, accept: "text/event-stream", ...inSession(id) };
    return await openStream(sluice, "/mcp", { headers });
  },
  "subscriptions/listen over POST": (sluice, token) =>
    openStream(sluice, "/mcp", {
      method: "POST",
      headers: {
        authorization: `Bearer ${token}`,
        "content-type": "application/json",
        accept: "application/json, text/event-stream",
        "mcp-protocol-version": "2026-07-28",
        "mcp-method": "subscriptions/listen",
      },
      body: SUBSCRIBE,
    }),
  "GET /sse": (sluice, token) =>
    openStream(sluice, "/sse", {
      headers: { authorization: `Bearer ${token}`, accept: "text/event-stream" },
    }),
  "WebSocket": (sluice, token) => openWebSocket(sluice, token, () => {}),
  "subscriptions/listen over WebSocket": (sluice, token) =>
    openWebSocket(sluice, token, (socket) => socket.send(SUBSCRIBE)),
};

async function openWebSocket(
  sluice: Gateway,
  token: string,
  onOpen: (socket: WebSocket) => void,
): Promise<Open> {
  const headers = { authorization: `Bearer ${token}` };
  const socket = new WebSocket(`${sluice.url.replace(/^http/, "ws")}/ws`, { headers });
  const ended = new Promise<number>((resolve) => socket.onclose = () => resolve(Date.now()));
  await new Promise((resolve, reject) => {
    socket.onopen = resolve;
    socket.onerror = reject;
  });
  onOpen(socket);
  return { ended };
}

/** Resolves at `time`, ms since the epoch. */
function at(time: number): Promise<number> {
  return new Promise((resolve) => setTimeout(() => resolve(time), time - Date.now()));
}

gatewayTest(
  "Streams of every kind end within a second of their token's expiry, or of a role's end (timed)",
  async (start) => {
    await using sluice = await start();
    const temp = "temp@x.org";
    await sluice.api("POST", "/auth/email/admin/users", { email: temp, password: "correct horse battery" });
    const exp = Math.floor(Date.now() / 1000) + LIFE_S * Math.ceil(await paced(1));
    const role = { role_id: "viewer", scope: "global", expires_at: new Date(exp * 1000).toISOString() };
    assertEquals((await sluice.api("POST", `/rbac/users/${temp}/roles`, role)).status, 200);
    const tokens = {
      "token": await sluice.token({ claims: { exp } }),
      "role": await sluice.token({ username: temp }),
    };
    /** The codes of errors of calls over connections of their own: every worker gets some of them. */
    const calls = async () => {
      const call = () => sluice.rpc("tools/call", { name: "none", arguments: {} }, tokens.role);
      const answers = await Promise.all(Array.from({ length: 6 * sluice.workers }, call));
      return [...new Set(answers.map(({ body }) => body.error?.data.code))];
    };
    assertEquals(await calls(), ["TOOL_NOT_FOUND"]);
    const open: [name: string, open: Open][] = [];
    for (const [end, token] of Object.entries(tokens)) {
      for (const [name, opened] of Object.entries(KINDS)) {
        open.push([`${name} by ${end}`, await opened(sluice, token)]);
      }
    }
    const bound = await paced(1_000);
    const tooLate = at(exp * 1000 + bound);
    for (const [name, { ended }] of open) {
      const late = await Promise.race([ended, tooLate]) - exp * 1000;
      assert(late >= 0 && late < bound, `${name} ended ${late} ms after the token's expiry, or later`);
    }
    assertEquals(await calls(), ["FORBIDDEN"]);
  },
);
