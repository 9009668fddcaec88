// The MCP clients that the gateway knows how to connect: where each keeps its servers, and how it writes one.
// Claude Code: code.claude.com/docs/en/mcp. Claude Desktop: modelcontextprotocol.io/docs/develop/connect-local-servers.
// VS Code: code.visualstudio.com/docs/copilot/reference/mcp-configuration. Cursor: cursor.com/docs/mcp.
// Windsurf: docs.windsurf.com/windsurf/cascade/mcp. Codex: developers.openai.com/codex/mcp.
// Gemini CLI: geminicli.com/docs/tools/mcp-server. opencode: opencode.ai/docs/mcp-servers.

import { isObject } from "../mcp/json_rpc.ts";
import type { Connection } from "./connection.ts";
import { curlCommand, inspectorCommand, pythonProgram, typeScriptProgram } from "./snippets.ts";

/** The folders of the user's machine. */
export interface Machine {
  readonly os: typeof Deno.build.os;
  readonly home: string;
  /** %APPDATA% of Windows. */
  readonly appData: string;
}

interface Named {
  /** As people call it. */
  readonly title: string;
  /** Other words for it on the command line. */
  readonly aliases?: readonly string[];
  /** How a person logs in with it where it has no token; null: it needs one. */
  readonly logIn: string | null;
  /** What the client's machine has to have: a sentence. */
  readonly needs?: string;
}

/** A client that keeps its servers in a file. */
export interface FileClient extends Named {
  readonly format: "json" | "toml";
  readonly file: (machine: Machine) => string;
  /** The place of the entry in a document that has been read. */
  readonly path: (connection: Connection, document: unknown) => readonly string[];
  readonly entry: (connection: Connection) => Readonly<Record<string, unknown>>;
  /** What to do after the file is written. */
  readonly then: string;
}

/** A client that is started or written with what `text` returns. */
export interface TextClient extends Named {
  readonly format: "text";
  readonly text: (connection: Connection) => string;
  readonly then: string;
}

export type Client = FileClient | TextClient;

export const CLIENTS = {
  "claude-code": {
    title: "Claude Code",
    aliases: ["claude"],
    logIn: "In Claude Code, /mcp opens the page where you log in.",
    format: "json",
    file: ({ home }) => `${home}/.claude.json`,
    path: inServers("mcpServers"),
    entry: (connection) => ({ type: "http", ...overHttp(connection) }),
    then: "Start Claude Code anew; /mcp shows the server.",
  },
  "claude-desktop": {
    title: "Claude Desktop",
    logIn: null,
    needs:
      "Claude Desktop starts the program sluice, which has to be on its machine; give the program's whole path.",
    format: "json",
    file: (machine) => `${settingsFolder(machine, "Claude")}/claude_desktop_config.json`,
    path: inServers("mcpServers"),
    // The file takes commands alone.
    entry: ({ program: [command, ...args], gatewayUrl, server, token }) => ({
      command,
      args: [...args, "stdio", "--url", gatewayUrl, ...(server === null ? [] : ["--server", server])],
      ...(token === null ? {} : { env: { SLUICE_TOKEN: token } }),
    }),
    then: "Quit Claude Desktop and start it again.",
  },
  "vscode": {
    title: "VS Code",
    aliases: ["code", "vs-code"],
    logIn: "VS Code opens the page where you log in when the server starts.",
    format: "json",
    file: (machine) => `${settingsFolder(machine, "Code")}/User/mcp.json`,
    path: inServers("servers"),
    entry: (connection) => ({ type: "http", ...overHttp(connection) }),
    then: "Start the server by the command MCP: List Servers.",
  },
  "cursor": {
    title: "Cursor",
    logIn: "Cursor shows a button for the login beside the server.",
    format: "json",
    file: ({ home }) => `${home}/.cursor/mcp.json`,
    path: inServers("mcpServers"),
    entry: overHttp,
    then: "Switch the server on in Cursor's settings, under MCP.",
  },
  "windsurf": {
    title: "Windsurf",
    logIn: "Windsurf opens the page where you log in when it connects.",
    format: "json",
    file: ({ home }) => `${home}/.codeium/windsurf/mcp_config.json`,
    path: inServers("mcpServers"),
    entry: ({ url, token }) => ({ serverUrl: url, ...headersOf(token) }),
    then: "Refresh the list of MCP servers in Windsurf.",
  },
  "codex": {
    title: "Codex",
    logIn: "Log in by `codex mcp login` with the name of the server.",
    format: "toml",
    file: ({ home }) => `${home}/.codex/config.toml`,
    path: inServers("mcp_servers"),
    entry: ({ url, token }) => ({
      url,
      ...(token === null ? {} : { http_headers: { Authorization: `Bearer ${token}` } }),
    }),
    then: "Start Codex anew; /mcp shows the server.",
  },
  "gemini-cli": {
    title: "Gemini CLI",
    aliases: ["gemini"],
    logIn: "In Gemini CLI, /mcp auth with the name of the server opens the page where you log in.",
    format: "json",
    file: ({ home }) => `${home}/.gemini/settings.json`,
    path: inServers("mcpServers"),
    entry: ({ url, token }) => ({ httpUrl: url, ...headersOf(token) }),
    then: "Start Gemini CLI anew; /mcp shows the server.",
  },
  "opencode": {
    title: "opencode",
    logIn: "Log in by `opencode mcp auth` with the name of the server.",
    format: "json",
    file: ({ home }) => `${home}/.config/opencode/opencode.json`,
    path: ({ name }, document) => ["mcp", ...(isOpencodeV1(document) ? [] : ["servers"]), name],
    entry: (connection) => ({ type: "remote", ...overHttp(connection) }),
    then: "Start opencode anew; `opencode mcp list` shows the server.",
  },
  "inspector": {
    title: "MCP Inspector",
    aliases: ["mcp-inspector"],
    logIn: "The Inspector opens the page where you log in.",
    format: "text",
    text: inspectorCommand,
    then:
      "Run this command; it lists the tools. Without --cli and --method it opens the page of the Inspector.",
  },
  "mcp-remote": {
    title: "mcp-remote, for clients that only start commands",
    logIn: "mcp-remote opens the page where you log in when the client starts it.",
    format: "text",
    text: (connection) => json({ mcpServers: { [connection.name]: mcpRemote(connection) } }),
    then: "Put the entry into the client's file. It needs Node.",
  },
  "curl": {
    title: "curl",
    logIn: null,
    format: "text",
    text: curlCommand,
    then:
      "Run this command; it lists the tools. The method tools/call with the name of a tool and arguments calls it.",
  },
  "python": {
    title: "Python, official SDK",
    aliases: ["py"],
    logIn: null,
    format: "text",
    text: pythonProgram,
    then: "It needs the packages mcp (2 or later) and httpx2.",
  },
  "typescript": {
    title: "TypeScript, official SDK",
    aliases: ["ts", "javascript", "node"],
    logIn: null,
    format: "text",
    text: typeScriptProgram,
    then: "It needs the package @modelcontextprotocol/client.",
  },
} as const satisfies Record<string, Client>;

export type ClientName = keyof typeof CLIENTS;

/** The client of a word on the command line; null: there is none. */
export function clientOf(word: string): ClientName | null {
  const wanted = word.toLowerCase();
  const names = Object.keys(CLIENTS) as ClientName[];
  return names.find((name) => {
    const { aliases = [] }: Client = CLIENTS[name];
    return name === wanted || aliases.includes(wanted);
  }) ?? null;
}

/** The entry as a document of its own, as the client's file would hold it. */
export function wholeDocument(client: FileClient, connection: Connection): Record<string, unknown> {
  const path = client.path(connection, null);
  return path.reduceRight<Record<string, unknown>>(
    (inner, name) => ({ [name]: inner }),
    client.entry(connection),
  );
}

export function json(value: unknown): string {
  return JSON.stringify(value, null, 2);
}

function inServers(member: string): FileClient["path"] {
  return ({ name }) => [member, name];
}

function overHttp({ url, token }: Connection): Record<string, unknown> {
  return { url, ...headersOf(token) };
}

function headersOf(token: string | null): Record<string, unknown> {
  return token === null ? {} : { headers: { Authorization: `Bearer ${token}` } };
}

/** opencode 1 keeps its servers directly below `mcp`, where opencode 2 has `servers`. */
function isOpencodeV1(document: unknown): boolean {
  if (!isObject(document) || !isObject(document.mcp) || isObject(document.mcp.servers)) return false;
  return Object.values(document.mcp).some((entry) => isObject(entry) && "type" in entry);
}

/** The header comes from a variable: some clients break arguments at spaces. */
function mcpRemote({ url, token }: Connection): Record<string, unknown> {
  const { protocol, hostname } = new URL(url);
  const isPlain = protocol === "http:" && hostname !== "localhost" && hostname !== "127.0.0.1";
  return {
    command: "npx",
    args: [
      ...["-y", "mcp-remote", url, "--transport", "http-only"],
      ...(isPlain ? ["--allow-http"] : []),
      ...(token === null ? [] : ["--header", "Authorization:${SLUICE_AUTHORIZATION}"]),
    ],
    ...(token === null ? {} : { env: { SLUICE_AUTHORIZATION: `Bearer ${token}` } }),
  };
}

/** Where programs keep their settings. */
function settingsFolder({ os, home, appData }: Machine, program: string): string {
  switch (os) {
    case "darwin":
      return `${home}/Library/Application Support/${program}`;
    case "windows":
      return `${appData}/${program}`;
    default:
      return `${home}/.config/${program}`;
  }
}
