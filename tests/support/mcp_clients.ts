// MCP clients that we did not write, behind one small interface: the SDK's v1 and v2 clients, and the Inspector's CLI.
// @ts-types="npm:@modelcontextprotocol/sdk@1.32.2/client/index"
import { Client as ClientV1 } from "@modelcontextprotocol/sdk/client/index.js";
// @ts-types="npm:@modelcontextprotocol/sdk@1.32.2/client/streamableHttp"
import { StreamableHTTPClientTransport as TransportV1 } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import {
  Client as ClientV2,
  StreamableHTTPClientTransport as TransportV2,
} from "@modelcontextprotocol/client";
import type { StdioCommand } from "./duplex_clients.ts";
import { npmProgram } from "./npm_programs.ts";

/** What the tests ask of a client. Results are the SDK's parsed values. */
export interface McpClient extends AsyncDisposable {
  readonly sessionId: string | undefined;
  /** Without a cursor v1 gives the first page, v2 all of them together. */
  listTools(cursor?: string): Promise<{ tools: { name: string }[]; nextCursor?: string }>;
  // deno-lint-ignore no-explicit-any -- results of any tool; tests assert what they read.
  callTool(name: string, args?: Record<string, unknown>): Promise<any>;
  // deno-lint-ignore no-explicit-any -- likewise
  readResource(uri: string): Promise<any>;
  // deno-lint-ignore no-explicit-any -- likewise
  getPrompt(name: string, args?: Record<string, string>): Promise<any>;
  /** DELETE the session. */
  terminate(): Promise<void>;
}

export interface ConnectOptions {
  readonly token?: string;
}

const CLIENT_INFO = { name: "sluice-tests", version: "1.0.0" };

export async function connectV1(url: string, { token }: ConnectOptions = {}): Promise<McpClient> {
  const transport = new TransportV1(new URL(url), { requestInit: { headers: bearer(token) } });
  const client = new ClientV1(CLIENT_INFO);
  await client.connect(transport);
  return adapt(client, transport);
}

/** The v2 client in its default mode, which speaks the revisions with sessions. */
export function connectV2(url: string, options: ConnectOptions = {}): Promise<McpClient> {
  return connectInMode("legacy", url, options);
}

/** The v2 client in the mode that prefers 2026-07-28 and falls back to sessions. */
export function connectAuto(url: string, options: ConnectOptions = {}): Promise<McpClient> {
  return connectInMode("auto", url, options);
}

/** The v2 client in revision 2026-07-28 alone. */
export function connectStateless(url: string, options: ConnectOptions = {}): Promise<McpClient> {
  return connectInMode({ pin: "2026-07-28" }, url, options);
}

async function connectInMode(
  mode: "legacy" | "auto" | { pin: string },
  url: string,
  { token }: ConnectOptions,
): Promise<McpClient> {
  const transport = new TransportV2(new URL(url), { requestInit: { headers: bearer(token) } });
  const client = new ClientV2(CLIENT_INFO, { versionNegotiation: { mode } });
  await client.connect(transport);
  return adapt(client, transport);
}

function adapt(client: ClientV1 | ClientV2, transport: TransportV1 | TransportV2): McpClient {
  return {
    get sessionId() {
      return transport.sessionId;
    },
    listTools: (cursor) => client.listTools(cursor === undefined ? undefined : { cursor }),
    callTool: (name, args = {}) => client.callTool({ name, arguments: args }),
    readResource: (uri) => client.readResource({ uri }),
    getPrompt: (name, args) => client.getPrompt({ name, arguments: args }),
    terminate: () => transport.terminateSession(),
    [Symbol.asyncDispose]: () => client.close(),
  };
}

export interface InspectOptions extends ConnectOptions {
  readonly transport?: "http" | "sse";
}

/** Run the Inspector's CLI on an endpoint. @returns what it printed, parsed. @throws {Error} with its output */
export function inspect(
  url: string,
  args: readonly string[],
  { token, transport = "http" }: InspectOptions = {},
): Promise<unknown> {
  const header = token === undefined ? [] : ["--header", `Authorization: Bearer ${token}`];
  return runInspector([url, "--transport", transport, ...args, ...header]);
}

/** Run the Inspector's CLI on a server that it starts. The server gets `env` and nothing of ours but the PATH. */
export function inspectStdio(
  { command, args, env, cwd }: StdioCommand,
  inspectorArgs: readonly string[],
): Promise<unknown> {
  const settings = Object.entries(env).flatMap(([name, value]) => ["-e", `${name}=${value}`]);
  return runInspector([...settings, ...inspectorArgs, "--", command, ...args], cwd);
}

async function runInspector(inspectorArgs: readonly string[], cwd?: string): Promise<unknown> {
  // It keeps what it saw in its home.
  const home = await Deno.makeTempDir({ prefix: "sluice_inspector_" });
  try {
    const { command, args } = npmProgram("mcp-inspector", "--cli", ...inspectorArgs);
    const { code, stdout, stderr } = await new Deno.Command(command, {
      args,
      cwd,
      env: { HOME: home, NO_COLOR: "1" },
      stdin: "null",
    }).output();
    const text = new TextDecoder().decode(stdout);
    if (code !== 0) {
      throw new Error(`inspector ended with ${code}: ${text}${new TextDecoder().decode(stderr)}`);
    }
    return JSON.parse(text);
  } finally {
    await Deno.remove(home, { recursive: true });
  }
}

function bearer(token: string | undefined): Record<string, string> {
  return token === undefined ? {} : { Authorization: `Bearer ${token}` };
}
