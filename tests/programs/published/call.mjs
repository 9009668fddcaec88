// Calls tools one after the other with a client for Node: call.mjs CLIENT URL TOOL... The token is in the variable TOKEN.
// Prints the texts of the results as a JSON array. A client that can be asked says "Ada", "hello" and file:///home.
import process from "node:process";

const [name, url, ...tools] = process.argv.slice(2);
const headers = { Authorization: `Bearer ${process.env.TOKEN}` };
const form = () => ({ action: "accept", content: { name: "Ada" } });
const message = () => ({ role: "assistant", model: "none", content: { type: "text", text: "hello" } });
const roots = [{ uri: "file:///home", name: "home" }];

/** The texts of calls that are made one after the other. */
async function all(call) {
  const texts = [];
  for (const tool of tools) texts.push(await call(tool));
  return texts;
}

function sdk2(versionNegotiation) {
  return async () => {
    const { Client, StreamableHTTPClientTransport } = await import("@modelcontextprotocol/client");
    const capabilities = { elicitation: {}, sampling: {}, roots: {} };
    const client = new Client({ name: "call", version: "1" }, { capabilities, versionNegotiation });
    client.setRequestHandler("elicitation/create", form);
    client.setRequestHandler("sampling/createMessage", message);
    client.setRequestHandler("roots/list", () => ({ roots }));
    await client.connect(new StreamableHTTPClientTransport(new URL(url), { requestInit: { headers } }));
    const texts = await all(async (tool) => (await client.callTool({ name: tool })).content[0].text);
    await client.close();
    return texts;
  };
}

async function sdk1(transport) {
  const { Client } = await import("@modelcontextprotocol/sdk/client/index.js");
  const { ElicitRequestSchema, CreateMessageRequestSchema, ListRootsRequestSchema } = await import(
    "@modelcontextprotocol/sdk/types.js"
  );
  const capabilities = { elicitation: {}, sampling: {}, roots: {} };
  const client = new Client({ name: "call", version: "1" }, { capabilities });
  client.setRequestHandler(ElicitRequestSchema, form);
  client.setRequestHandler(CreateMessageRequestSchema, message);
  client.setRequestHandler(ListRootsRequestSchema, () => ({ roots }));
  await client.connect(transport);
  const texts = await all(async (tool) => (await client.callTool({ name: tool })).content[0].text);
  await client.close();
  return texts;
}

const CLIENTS = {
  async "typescript-sdk-1"() {
    const { StreamableHTTPClientTransport } = await import(
      "@modelcontextprotocol/sdk/client/streamableHttp.js"
    );
    return await sdk1(new StreamableHTTPClientTransport(new URL(url), { requestInit: { headers } }));
  },
  async "typescript-sdk-1-sse"() {
    const { SSEClientTransport } = await import("@modelcontextprotocol/sdk/client/sse.js");
    const address = new URL(url.replace("/mcp", "/sse"));
    return await sdk1(new SSEClientTransport(address, { requestInit: { headers } }));
  },
  "typescript-sdk-2": sdk2({ mode: "legacy" }),
  "typescript-sdk-2-auto": sdk2({ mode: "auto" }),
  async "ai-sdk"() {
    const { createMCPClient, ElicitationRequestSchema } = await import("@ai-sdk/mcp");
    const client = await createMCPClient({
      transport: { type: "http", url, headers },
      capabilities: { elicitation: {} },
    });
    client.onElicitationRequest(ElicitationRequestSchema, form);
    const listed = await client.tools();
    const options = { messages: [], toolCallId: "1" };
    const texts = await all(async (tool) => (await listed[tool].execute({}, options)).content[0].text);
    await client.close();
    return texts;
  },
  async mastra() {
    const { MCPClient } = await import("@mastra/mcp");
    const client = new MCPClient({
      servers: { it: { url: new URL(url), requestInit: { headers }, inputRequests: form } },
    });
    const listed = await client.listTools();
    const texts = await all(async (tool) => (await listed[`it_${tool}`].execute({}, {})).content[0].text);
    await client.disconnect();
    return texts;
  },
  async "openai-agents-js"() {
    const { MCPServerStreamableHttp } = await import("@openai/agents");
    const server = new MCPServerStreamableHttp({ url, requestInit: { headers } });
    await server.connect();
    const texts = await all(async (tool) => (await server.callTool(tool, {}))[0].text);
    await server.close();
    return texts;
  },
  async "langchain-js"() {
    const { MultiServerMCPClient } = await import("@langchain/mcp-adapters");
    const client = new MultiServerMCPClient({ mcpServers: { it: { transport: "http", url, headers } } });
    const listed = Object.fromEntries((await client.getTools()).map((tool) => [tool.name, tool]));
    const texts = await all(async (tool) => await listed[tool].invoke({}));
    await client.close();
    return texts;
  },
  async mcporter() {
    const { createRuntime } = await import("mcporter");
    const runtime = await createRuntime({
      servers: [{ name: "it", command: { kind: "http", url: new URL(url), headers } }],
    });
    const texts = await all(async (tool) =>
      (await runtime.callTool("it", tool, { args: {} })).content[0].text
    );
    await runtime.close();
    return texts;
  },
};

console.log(JSON.stringify(await CLIENTS[name]()));
process.exit(0);
