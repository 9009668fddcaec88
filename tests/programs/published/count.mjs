// Calls the tool of a counter three times with a client for Node: count.mjs CLIENT URL TOOL. The token is in the variable TOKEN.
// Prints the texts that the calls have given, as a JSON array.
import process from "node:process";

const TIMES = 3;
const [name, url, tool] = process.argv.slice(2);
const headers = { Authorization: `Bearer ${process.env.TOKEN}` };

/** The texts of calls that are made one after the other. */
async function count(call) {
  const texts = [];
  for (let i = 0; i < TIMES; i++) texts.push(await call());
  return texts;
}

const CLIENTS = {
  async "ai-sdk"() {
    const { createMCPClient } = await import("@ai-sdk/mcp");
    const client = await createMCPClient({ transport: { type: "http", url, headers } });
    const called = (await client.tools())[tool];
    const options = { messages: [], toolCallId: "1" };
    const texts = await count(async () => (await called.execute({}, options)).content[0].text);
    await client.close();
    return texts;
  },
  async mastra() {
    const { MCPClient } = await import("@mastra/mcp");
    const client = new MCPClient({ servers: { it: { url: new URL(url), requestInit: { headers } } } });
    const called = (await client.listTools())[`it_${tool}`];
    const texts = await count(async () => (await called.execute({}, {})).content[0].text);
    await client.disconnect();
    return texts;
  },
  async "openai-agents-js"() {
    const { MCPServerStreamableHttp } = await import("@openai/agents");
    const server = new MCPServerStreamableHttp({ url, requestInit: { headers } });
    await server.connect();
    const texts = await count(async () => (await server.callTool(tool, {}))[0].text);
    await server.close();
    return texts;
  },
};

console.log(JSON.stringify(await CLIENTS[name]()));
process.exit(0);
