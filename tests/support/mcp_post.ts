// Raw MCP over HTTP, without an SDK: one POST at a time, over a connection of its own so that the kernel picks a worker anew.
import { assertEquals } from "@std/assert";
import type { Gateway } from "./gateway.ts";

export interface Posted {
  readonly status: number;
  readonly sessionId: string | null;
  // deno-lint-ignore no-explicit-any -- answers of every shape; what is read is asserted
  readonly body: any;
}

export interface PostOptions {
  readonly token?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly path?: string;
}

/** A gateway, and what its clients need beside its address. */
type Asked = Pick<Gateway, "url" | "token"> & { readonly clientOptions?: Deno.CreateHttpClientOptions };

export async function post(
  sluice: Asked,
  body: unknown,
  options: PostOptions = {},
): Promise<Posted> {
  const { token = await sluice.token(), headers = {}, path = "/mcp" } = options;
  const client = Deno.createHttpClient({ ...sluice.clientOptions, poolMaxIdlePerHost: 0 });
  try {
    const response = await fetch(sluice.url + path, {
      client,
      method: "POST",
      headers: {
        ...(token === "" ? {} : { authorization: `Bearer ${token}` }),
        "content-type": "application/json",
        accept: "application/json, text/event-stream",
        // Which HTTP/2 does not know.
        ...(sluice.clientOptions?.http1 === false ? {} : { connection: "close" }),
        ...headers,
      },
      body: JSON.stringify(body),
    });
    const text = await response.text();
    // Of an event stream the last message is the response.
    const data = [...text.matchAll(/^data: (\S.*)$/gm)].at(-1)?.[1] ?? text;
    return {
      status: response.status,
      sessionId: response.headers.get("mcp-session-id"),
      body: data === "" ? null : JSON.parse(data),
    };
  } finally {
    client.close();
  }
}

export const INITIALIZE = {
  jsonrpc: "2.0",
  id: 0,
  method: "initialize",
  params: { protocolVersion: "2025-11-25", capabilities: {}, clientInfo: { name: "test", version: "1" } },
};

export async function openSession(
  sluice: Asked,
  options: PostOptions = {},
): Promise<string> {
  const { status, sessionId } = await post(sluice, INITIALIZE, options);
  assertEquals(status, 200);
  return sessionId!;
}

export function toolCall(name: string, args: unknown = {}, id: number | string = 1) {
  return { jsonrpc: "2.0", id, method: "tools/call", params: { name, arguments: args } };
}

export function inSession(sessionId: string): Record<string, string> {
  return { "mcp-session-id": sessionId, "mcp-protocol-version": "2025-11-25" };
}
