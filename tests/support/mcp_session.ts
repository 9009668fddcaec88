// A session over streamable HTTP without an SDK, so that every answer is seen whole.

/** Opens a session. @returns sends a request in it and returns the JSON-RPC response */
export async function mcpSession(
  url: string,
  token: string,
  // deno-lint-ignore no-explicit-any -- the response to any method; tests assert what they read.
): Promise<(method: string, params: object) => Promise<any>> {
  const headers: Record<string, string> = {
    "content-type": "application/json",
    accept: "application/json, text/event-stream",
    authorization: `Bearer ${token}`,
  };
  let id = 0;
  const post = async (message: object) => {
    const response = await fetch(url, { method: "POST", headers, body: JSON.stringify(message) });
    const text = await response.text();
    headers["mcp-session-id"] ??= response.headers.get("mcp-session-id") ?? "";
    const messages = text.startsWith("{")
      ? [text]
      : [...text.matchAll(/^data: ?(\{.*)$/mg)].map(([, data]) => data!);
    return messages.map((message) => JSON.parse(message)).find((message) => message.id === id);
  };
  const request = (method: string, params: object) => post({ jsonrpc: "2.0", id: ++id, method, params });
  await request("initialize", {
    protocolVersion: "2025-11-25",
    capabilities: {},
    clientInfo: { name: "raw", version: "1" },
  });
  await post({ jsonrpc: "2.0", method: "notifications/initialized" });
  return request;
}
