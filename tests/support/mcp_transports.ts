// Every way of a client to the methods of MCP, as raw as JSON: what an SDK would hide is seen.
import { systemClock } from "../../src/base/clock.ts";
import { Relay } from "../../src/cli/stdio/bridge.ts";
import { GatewayLink } from "../../src/cli/stdio/gateway_link.ts";
import { claimsOf } from "./sessionless_parts.ts";

/** What came back: the HTTP status, where there is one of this request, and the message. */
export interface Said {
  readonly status: number;
  // deno-lint-ignore no-explicit-any -- answers of every shape; tests assert what they read.
  readonly body: any;
}

export interface McpConnection extends AsyncDisposable {
  ask(method: string, params: Readonly<Record<string, unknown>>): Promise<Said>;
}

export interface McpAddress {
  readonly url: string;
  readonly token: string;
  /** null: the endpoint that shows everything. */
  readonly serverId: string | null;
  readonly client: Deno.HttpClient;
}

export interface McpTransport {
  readonly name: string;
  /** Whether `initialize` opens a session. */
  readonly hasSession: boolean;
  /** Whether virtual servers have an endpoint of this transport. */
  readonly hasServers: boolean;
  /** @returns the refusal, if the gateway lets the client not in */
  connect(address: McpAddress): Promise<McpConnection | Said>;
}

const INITIALIZE = {
  protocolVersion: "2025-11-25",
  capabilities: {},
  clientInfo: { name: "test", version: "1" },
};

const SESSIONS: Readonly<Record<string, string>> = { "mcp-protocol-version": "2025-11-25" };

export const MCP_TRANSPORTS: readonly McpTransport[] = [
  {
    name: "streamable HTTP with a session",
    hasSession: true,
    hasServers: true,
    connect: async (to) => {
      const path = pathOf(to, "mcp");
      const { said, sessionId } = await post(to, path, message(0, "initialize", INITIALIZE));
      if (sessionId === null) return said;
      const headers = { ...SESSIONS, "mcp-session-id": sessionId };
      return {
        ask: async (method, params) => (await post(to, path, message(1, method, params), headers)).said,
        [Symbol.asyncDispose]: async () => {
          const { url, token, client } = to;
          const init = {
            method: "DELETE",
            client,
            headers: { authorization: `Bearer ${token}`, ...headers },
          };
          await (await fetch(url + path, init)).body?.cancel();
        },
      };
    },
  },
  {
    name: "the stateless revision",
    hasSession: false,
    hasServers: true,
    connect: (to) =>
      Promise.resolve({
        ask: async (method, params) => {
          const name = params.name ?? params.uri ?? params.taskId;
          const headers = {
            "mcp-protocol-version": "2026-07-28",
            "mcp-method": method,
            ...(typeof name === "string" ? { "mcp-name": name } : {}),
          };
          const body = message(1, method, { ...params, _meta: claimsOf() });
          return (await post(to, pathOf(to, "mcp"), body, headers)).said;
        },
        [Symbol.asyncDispose]: () => Promise.resolve(),
      }),
  },
  {
    name: "/rpc",
    hasSession: false,
    hasServers: false,
    connect: (to) =>
      Promise.resolve({
        ask: async (method, params) => (await post(to, "/rpc", message(1, method, params))).said,
        [Symbol.asyncDispose]: () => Promise.resolve(),
      }),
  },
  { name: "SSE of 2024-11-05", hasSession: true, hasServers: true, connect: connectSse },
  { name: "WebSocket", hasSession: true, hasServers: true, connect: connectWebSocket },
  { name: "stdio --url", hasSession: true, hasServers: true, connect: connectStdio },
];

function message(id: number, method: string, params: unknown) {
  return { jsonrpc: "2.0", id, method, params };
}

function pathOf({ serverId }: McpAddress, last: string): string {
  return serverId === null ? `/${last}` : `/servers/${serverId}/${last}`;
}

async function post(
  { url, token, client }: McpAddress,
  path: string,
  body: unknown,
  headers: Readonly<Record<string, string>> = {},
): Promise<{ readonly said: Said; readonly sessionId: string | null }> {
  const response = await fetch(url + path, {
    client,
    method: "POST",
    headers: {
      authorization: `Bearer ${token}`,
      "content-type": "application/json",
      accept: "application/json, text/event-stream",
      ...headers,
    },
    body: JSON.stringify(body),
  });
  const text = await response.text();
  const data = [...text.matchAll(/^data: (\S.*)$/gm)].at(-1)?.[1] ?? text;
  return {
    said: { status: response.status, body: data === "" ? null : JSON.parse(data) },
    sessionId: response.headers.get("mcp-session-id"),
  };
}

/** The responses by id, of a channel that carries them in any order. */
class Answers {
  readonly #waiting = new Map<number, (body: Said["body"]) => void>();
  #nextId = 0;

  async ask(send: (text: string) => void | Promise<void>, method: string, params: unknown): Promise<Said> {
    const id = this.#nextId++;
    const body = new Promise<Said["body"]>((resolve) => this.#waiting.set(id, resolve));
    await send(JSON.stringify(message(id, method, params)));
    return { status: 200, body: { ...await body, id: 1 } };
  }

  take(text: string): void {
    const body = JSON.parse(text);
    this.#waiting.get(body.id)?.(body);
  }
}

async function connectSse(to: McpAddress): Promise<McpConnection | Said> {
  const { url, token, client } = to;
  const authorization = `Bearer ${token}`;
  const leaving = new AbortController();
  const response = await fetch(url + pathOf(to, "sse"), {
    client,
    signal: leaving.signal,
    headers: { authorization, accept: "text/event-stream" },
  });
  if (response.status !== 200) return { status: response.status, body: await response.json() };
  const answers = new Answers();
  const endpoint = Promise.withResolvers<string>();
  const reading = async () => {
    let event = "";
    let rest = "";
    for await (const chunk of response.body!.pipeThrough(new TextDecoderStream())) {
      const lines = (rest + chunk).split(/\r?\n/);
      rest = lines.pop()!;
      for (const line of lines) {
        if (line.startsWith("event: ")) event = line.slice(7);
        if (!line.startsWith("data: ")) continue;
        if (event === "endpoint") endpoint.resolve(new URL(line.slice(6), url).href);
        else answers.take(line.slice(6));
      }
    }
  };
  // It ends with an error, since the client leaves.
  const over = reading().catch(() => {});
  const address = await endpoint.promise;
  const send = async (text: string) => {
    const headers = { authorization, "content-type": "application/json" };
    const init = { client, method: "POST", headers, body: text };
    await (await fetch(address, init)).body?.cancel();
  };
  await answers.ask(send, "initialize", INITIALIZE);
  return {
    ask: (method, params) => answers.ask(send, method, params),
    [Symbol.asyncDispose]: async () => {
      leaving.abort();
      await over;
    },
  };
}

async function connectWebSocket(to: McpAddress): Promise<McpConnection | Said> {
  const address = to.url.replace(/^http/, "ws") + pathOf(to, "ws");
  const socket = new WebSocket(address, {
    protocols: ["mcp"],
    headers: { authorization: `Bearer ${to.token}` },
  });
  const answers = new Answers();
  socket.onmessage = ({ data }) => answers.take(data);
  const opened = await new Promise<boolean>((resolve) => {
    socket.onopen = () => resolve(true);
    socket.onerror = () => resolve(false);
  });
  // A client does not see why its WebSocket was refused: the same request without the upgrade says it.
  if (!opened) return await refusalOf(to, "ws");
  const send = (text: string) => socket.send(text);
  await answers.ask(send, "initialize", INITIALIZE);
  return {
    ask: (method, params) => answers.ask(send, method, params),
    [Symbol.asyncDispose]: async () => {
      const closed = new Promise((resolve) => socket.onclose = resolve);
      socket.close();
      await closed;
    },
  };
}

async function refusalOf(to: McpAddress, last: string): Promise<Said> {
  const client = Deno.createHttpClient({ http2: false, allowHost: true });
  try {
    const response = await fetch(to.url + pathOf(to, last), {
      client,
      headers: { authorization: `Bearer ${to.token}` },
    });
    return { status: response.status, body: await response.json() };
  } finally {
    client.close();
  }
}

async function connectStdio(to: McpAddress): Promise<McpConnection> {
  const answers = new Answers();
  const ending = new AbortController();
  const relay = new Relay({
    gateway: new GatewayLink({
      url: new URL(to.url + pathOf(to, "mcp")),
      readToken: () => to.token,
      clock: systemClock,
      fetch: (input, init) => fetch(input, { ...init, client: to.client }),
    }),
    clock: systemClock,
    deliver: (text) => answers.take(text),
    report: () => {},
    ending: ending.signal,
  });
  const send = (text: string) => relay.take(text);
  await answers.ask(send, "initialize", INITIALIZE);
  return {
    ask: (method, params) => answers.ask(send, method, params),
    [Symbol.asyncDispose]: async () => {
      ending.abort();
      await relay.close();
    },
  };
}
