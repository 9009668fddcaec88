// Requests whose responses are kept as text, so that two ways to one server can be compared byte for byte: over standard input
// and output, and over streamable HTTP.
import { ChildOutput } from "./child_output.ts";
import { endChild } from "./end_child.ts";
import { claimsOf } from "./sessionless_parts.ts";
import { waitFor } from "./wait_for.ts";

/** How a client speaks: it opens a session, or each request stands alone. */
export type Spoken = "2025-11-25" | "2026-07-28";

/** Sends a request. @returns the text of the whole response */
export interface RawAsker extends AsyncDisposable {
  ask(method: string, params?: Record<string, unknown>): Promise<string>;
}

export interface RawCommand {
  readonly command: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

const INITIALIZE = {
  protocolVersion: "2025-11-25",
  capabilities: {},
  clientInfo: { name: "raw", version: "1" },
};
const STARTS_WITHIN_MS = 60_000;

/** Starts a server and asks it. @throws {Error} with its standard error, if it does not answer `initialize` */
export async function askProcess({ command, args, env }: RawCommand, spoken: Spoken): Promise<RawAsker> {
  const child = new Deno.Command(command, {
    args: [...args],
    env: { ...env },
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const writer = child.stdin.getWriter();
  const [stdout, stderr] = [new ChildOutput(child.stdout), new ChildOutput(child.stderr)];
  const say = (message: unknown) =>
    writer.write(new TextEncoder().encode(`${JSON.stringify({ jsonrpc: "2.0", ...message as object })}\n`));
  let last = 0;
  const send = async (method: string, params: unknown) => {
    const id = ++last;
    await say({ id, method, params });
    const isAnswer = (line: string) => {
      if (!line.startsWith("{")) return false;
      const message = JSON.parse(line);
      return message.id === id && message.method === undefined;
    };
    try {
      return await waitFor(() => stdout.lines.find(isAnswer), { what: method, deadlineMs: STARTS_WITHIN_MS });
    } catch (error) {
      throw new Error(`${command} ${args.join(" ")}: ${stderr.tail()}`, { cause: error });
    }
  };
  if (spoken === "2025-11-25") {
    await send("initialize", INITIALIZE);
    await say({ method: "notifications/initialized" });
  }
  return {
    ask: (method, params = {}) => send(method, spoken === "2025-11-25" ? params : claiming(params)),
    [Symbol.asyncDispose]: async () => {
      await endChild(child, "SIGKILL");
      await Promise.all([stdout.ended, stderr.ended]);
    },
  };
}

/** Asks at an address. */
export async function askHttp(url: string, spoken: Spoken, token?: string): Promise<RawAsker> {
  const standing: Record<string, string> = {
    "content-type": "application/json",
    accept: "application/json, text/event-stream",
    ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
  };
  const post = async (message: object, headers: Record<string, string> = {}) => {
    const response = await fetch(url, {
      method: "POST",
      headers: { ...standing, ...headers },
      body: JSON.stringify({ jsonrpc: "2.0", ...message }),
    });
    const sessionId = response.headers.get("mcp-session-id");
    if (sessionId !== null) standing["mcp-session-id"] = sessionId;
    const text = await response.text();
    // Of an event stream the last message is the response.
    return [...text.matchAll(/^data: ?(\S.*?)\r?$/gm)].at(-1)?.[1] ?? text;
  };
  if (spoken === "2025-11-25") {
    await post({ id: 0, method: "initialize", params: INITIALIZE });
    await post({ method: "notifications/initialized" });
  }
  return {
    ask: (method, params = {}) => {
      if (spoken === "2025-11-25") return post({ id: 1, method, params });
      const name = params.name ?? params.uri;
      return post({ id: 1, method, params: claiming(params) }, {
        "mcp-protocol-version": spoken,
        "mcp-method": method,
        ...(typeof name === "string" ? { "mcp-name": name } : {}),
      });
    },
    [Symbol.asyncDispose]: async () => {
      if (standing["mcp-session-id"] === undefined) return;
      await (await fetch(url, { method: "DELETE", headers: standing })).body?.cancel();
    },
  };
}

function claiming(params: Record<string, unknown>): Record<string, unknown> {
  return { ...params, _meta: claimsOf() };
}
