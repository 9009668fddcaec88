// Examples for clients without a file: a command, and programs on the official SDKs.

import type { Connection } from "./connection.ts";
import { shellWord } from "./shell_word.ts";

/** The major version is named, because npm on an old Node would install an old Inspector, which knows none of these flags. */
export function inspectorCommand({ url, token }: Connection): string {
  return [
    "npx -y @modelcontextprotocol/inspector@2 --cli",
    shellWord(url),
    "--transport http",
    ...(token === null ? [] : [`--header ${shellWord(`Authorization: Bearer ${token}`)}`]),
    "--method tools/list",
  ].join(" \\\n  ");
}

/** One request, without a session: `/rpc` needs none. */
export function curlCommand({ gatewayUrl, server, token }: Connection): string {
  const params = server === null ? {} : { params: { server_id: server } };
  return [
    `curl -sS ${shellWord(`${gatewayUrl}/rpc`)}`,
    "-H 'Content-Type: application/json'",
    ...(token === null ? [] : [`-H ${shellWord(`Authorization: Bearer ${token}`)}`]),
    `-d ${shellWord(JSON.stringify({ jsonrpc: "2.0", id: 1, method: "tools/list", ...params }))}`,
  ].join(" \\\n  ");
}

export function pythonProgram({ url, token }: Connection): string {
  const headers = token === null ? "{}" : `{"Authorization": ${JSON.stringify(`Bearer ${token}`)}}`;
  return `import asyncio

import httpx2
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

URL = ${JSON.stringify(url)}
HEADERS = ${headers}


async def main() -> None:
    timeout = httpx2.Timeout(30, read=300)
    async with httpx2.AsyncClient(headers=HEADERS, timeout=timeout) as http:
        async with Client(streamable_http_client(URL, http_client=http)) as client:
            for tool in (await client.list_tools()).tools:
                print(tool.name)


asyncio.run(main())`;
}

export function typeScriptProgram({ url, token }: Connection): string {
  const headers = token === null ? "{}" : `{ Authorization: ${JSON.stringify(`Bearer ${token}`)} }`;
  return `import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";

const client = new Client({ name: "my-client", version: "1.0.0" });
const headers = ${headers};
await client.connect(new StreamableHTTPClientTransport(new URL(${
    JSON.stringify(url)
  }), { requestInit: { headers } }));
for (const tool of (await client.listTools()).tools) console.log(tool.name);
await client.close();`;
}
