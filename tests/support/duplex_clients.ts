// Clients that we did not write, on transports other than streamable HTTP: they answer sampling and elicitation by rote.
// @ts-types="npm:@modelcontextprotocol/sdk@1.32.2/client/index"
import { Client as ClientV1 } from "@modelcontextprotocol/sdk/client/index.js";
// @ts-types="npm:@modelcontextprotocol/sdk@1.32.2/client/sse"
import { SSEClientTransport } from "@modelcontextprotocol/sdk/client/sse.js";
// @ts-types="npm:@modelcontextprotocol/sdk@1.32.2/client/stdio"
import { StdioClientTransport as StdioV1 } from "@modelcontextprotocol/sdk/client/stdio.js";
// @ts-types="npm:@modelcontextprotocol/sdk@1.32.2/client/websocket"
import { WebSocketClientTransport } from "@modelcontextprotocol/sdk/client/websocket.js";
// @ts-types="npm:@modelcontextprotocol/sdk@1.32.2/types"
import * as v1 from "@modelcontextprotocol/sdk/types.js";
import { Client as ClientV2 } from "@modelcontextprotocol/client";
import { StdioClientTransport as StdioV2 } from "@modelcontextprotocol/client/stdio";

const CLIENT_INFO = { name: "sluice-tests", version: "1.0.0" };
const CAPABILITIES = { sampling: {}, elicitation: {}, roots: { listChanged: true } };
const SAMPLED = { role: "assistant", content: { type: "text", text: "four" }, model: "rote" } as const;
const ELICITED = { action: "accept", content: { username: "ann", email: "ann@example.com" } } as const;

/** How to start a server on standard input and output. */
export interface StdioCommand {
  readonly command: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
}

export interface DuplexClient extends AsyncDisposable {
  /** Notifications that came, by method. */
  readonly heard: readonly string[];
  /** The connection has ended. */
  readonly closed: Promise<void>;
  listTools(): Promise<{ tools: { name: string }[] }>;
  // deno-lint-ignore no-explicit-any -- results of any tool; tests assert what they read.
  callTool(name: string, args?: Record<string, unknown>): Promise<any>;
}

export function connectSse(url: string, token: string): Promise<DuplexClient> {
  const headers = { Authorization: `Bearer ${token}` };
  return withV1(new SSEClientTransport(new URL(url), { requestInit: { headers } }));
}

/** By origin. */
const webSocketTokens = new Map<string, string>();

const PlainWebSocket = globalThis.WebSocket;

/** The SDK's transport has no place for headers: the WebSockets that it makes get them here. */
class AuthorizedWebSocket extends PlainWebSocket {
  constructor(address: string | URL, protocol: string) {
    const token = webSocketTokens.get(new URL(address).origin);
    const headers = token === undefined ? undefined : { authorization: `Bearer ${token}` };
    super(address, { protocols: [protocol], headers });
  }
}

export function connectWebSocket(url: string, token: string): Promise<DuplexClient> {
  const address = new URL(url.replace(/^http/, "ws"));
  webSocketTokens.set(address.origin, token);
  globalThis.WebSocket = AuthorizedWebSocket as unknown as typeof WebSocket;
  const client = withV1(new WebSocketClientTransport(address));
  // The transport has made its WebSocket by now.
  globalThis.WebSocket = PlainWebSocket;
  return client;
}

export function connectStdioV1({ command, args, env, cwd }: StdioCommand): Promise<DuplexClient> {
  return withV1(new StdioV1({ command, args: [...args], env: { ...env }, cwd, stderr: "ignore" }));
}

export function connectStdioV2(command: StdioCommand): Promise<DuplexClient> {
  return connectStdio(command, "legacy");
}

/** A client of 2026-07-28. */
export interface SessionlessClient extends DuplexClient {
  readonly revision: string | undefined;
  /** `subscriptions/listen`: what comes then is in `heard`. */
  listen(filter: { readonly toolsListChanged: true }): Promise<Listening>;
  /** @param signal cancels it */
  callUntil(signal: AbortSignal, name: string): Promise<unknown>;
}

export interface Listening {
  /** Cancel it. */
  close(): Promise<void>;
  /** Whose end it was. */
  readonly closed: Promise<"local" | "graceful" | "remote">;
}

/** @param mode `auto`: it asks a server that it starts for that alone which revisions it knows */
export async function connectStdioSessionless(
  command: StdioCommand,
  mode: "auto" | "stateless",
): Promise<SessionlessClient> {
  return await connectStdio(command, mode === "auto" ? mode : { pin: "2026-07-28" });
}

async function connectStdio(
  { command, args, env, cwd }: StdioCommand,
  mode: "legacy" | "auto" | { readonly pin: string },
): Promise<SessionlessClient> {
  const transport = new StdioV2({ command, args: [...args], env: { ...env }, cwd, stderr: "ignore" });
  const client = new ClientV2(CLIENT_INFO, { capabilities: CAPABILITIES, versionNegotiation: { mode } });
  client.setRequestHandler("sampling/createMessage", () => SAMPLED);
  client.setRequestHandler("elicitation/create", () => ELICITED);
  const heard: string[] = [];
  client.setNotificationHandler("notifications/tools/list_changed", ({ method }) => void heard.push(method));
  const closed = new Promise<void>((resolve) => client.onclose = resolve);
  await client.connect(transport);
  return Object.assign(adapt(client, heard, closed), {
    revision: client.getNegotiatedProtocolVersion(),
    listen: (filter: { readonly toolsListChanged: true }) => client.listen(filter),
    callUntil: (signal: AbortSignal, name: string) => client.callTool({ name, arguments: {} }, { signal }),
  });
}

async function withV1(transport: Parameters<ClientV1["connect"]>[0]): Promise<DuplexClient> {
  const client = new ClientV1(CLIENT_INFO, { capabilities: CAPABILITIES });
  client.setRequestHandler(v1.CreateMessageRequestSchema, () => SAMPLED);
  client.setRequestHandler(v1.ElicitRequestSchema, () => ({ ...ELICITED, content: { ...ELICITED.content } }));
  const heard: string[] = [];
  client.setNotificationHandler(
    v1.ToolListChangedNotificationSchema,
    ({ method }: { method: string }) => void heard.push(method),
  );
  const closed = new Promise<void>((resolve) => client.onclose = resolve);
  await client.connect(transport);
  return adapt(client, heard, closed);
}

function adapt(client: ClientV1 | ClientV2, heard: string[], closed: Promise<void>): DuplexClient {
  return {
    heard,
    closed,
    listTools: () => client.listTools(),
    callTool: (name, args = {}) => client.callTool({ name, arguments: args }),
    [Symbol.asyncDispose]: () => client.close(),
  };
}
