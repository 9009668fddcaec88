// The script of a web page that uses a gateway with the official client. browser.ts bundles it and opens the page.
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";

/** What the page is told in the query of its address. */
const { gateway, token } = Object.fromEntries(new URLSearchParams(location.search)) as Record<string, string>;

const INFO = { name: "page", version: "1.0.0" };

async function callsOfClient(): Promise<unknown> {
  const transport = new StreamableHTTPClientTransport(new URL(`${gateway}/mcp`), {
    requestInit: { headers: { Authorization: `Bearer ${token}` } },
  });
  const heard: string[] = [];
  const client = new Client(INFO, {
    listChanged: { tools: { onChanged: () => heard.push("tools"), autoRefresh: false } },
  });
  const faults: string[] = [];
  client.onerror = (error) => faults.push(String(error));
  await client.connect(transport);
  const { tools } = await client.listTools();
  const counted = [];
  for (let i = 0; i < 2; i++) {
    const { content } = await client.callTool({ name: "counter-increment", arguments: {} });
    counted.push((content as { text: string }[])[0]!.text);
  }
  const hasSession = transport.sessionId !== undefined;
  await transport.terminateSession();
  await client.close();
  return { tools: tools.map(({ name }) => name), counted, hasSession, faults };
}

/** What the page can read of a refusal. */
async function refusal(): Promise<unknown> {
  const { status, headers } = await fetch(`${gateway}/mcp`, {
    method: "POST",
    headers: { authorization: "Bearer nothing", "content-type": "application/json" },
    body: "{}",
  });
  return {
    status,
    challenge: headers.get("www-authenticate"),
    hasCorrelationId: headers.has("x-correlation-id"),
  };
}

/** A browser cannot send a header with a WebSocket. */
function overWebSocket(): Promise<unknown> {
  return new Promise((resolve) => {
    const socket = new WebSocket(`${gateway!.replace(/^http/, "ws")}/ws`, ["mcp", `bearer.${token}`]);
    socket.onopen = () => socket.send('{"jsonrpc":"2.0","id":1,"method":"ping"}');
    socket.onmessage = ({ data }) => {
      resolve({ protocol: socket.protocol, answer: JSON.parse(data) });
      socket.close();
    };
    socket.onerror = () => resolve("failed");
  });
}

async function outcome(work: () => Promise<unknown>): Promise<unknown> {
  try {
    return await work();
  } catch (error) {
    return String(error);
  }
}

const report = {
  client: await outcome(callsOfClient),
  refusal: await outcome(refusal),
  webSocket: await outcome(overWebSocket),
};
await fetch("/report", { method: "POST", body: JSON.stringify(report) });
