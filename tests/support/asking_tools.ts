// Tools that ask the client something outside of their call, as the official SDK's servers usually do: over HTTP the question goes out
// on the session's GET stream.
//
//   deno run -A tests/support/asking_tools.ts     a server over stdio with these tools and a counter

// @ts-types="npm:@modelcontextprotocol/sdk@1.32.2/server/mcp"
import { McpServer } from "@modelcontextprotocol/sdk/server/mcp.js";
// @ts-types="npm:@modelcontextprotocol/sdk@1.32.2/server/stdio"
import { StdioServerTransport } from "@modelcontextprotocol/sdk/server/stdio.js";

/** Adds the tools `elicit`, `sample` and `roots`. The text of each is what the client has said: a name, a text, its first root. */
export function addAskingTools(mcp: McpServer): void {
  const { server } = mcp;
  const requestedSchema = {
    type: "object" as const,
    properties: { name: { type: "string" as const } },
    required: ["name"],
  };
  const message = { role: "user" as const, content: { type: "text" as const, text: "Say a word" } };
  const questions: Record<string, () => Promise<unknown>> = {
    elicit: async () => (await server.elicitInput({ message: "Your name?", requestedSchema })).content?.name,
    sample: async () => {
      const { content } = await server.createMessage({ messages: [message], maxTokens: 10 });
      return (content as { text?: string }).text;
    },
    roots: async () => (await server.listRoots()).roots[0]?.uri,
  };
  for (const [name, ask] of Object.entries(questions)) {
    mcp.registerTool(name, { description: `Asks the client: ${name}`, inputSchema: {} }, async () => ({
      content: [{ type: "text", text: String(await ask()) }],
    }));
  }
}

if (import.meta.main) {
  const mcp = new McpServer({ name: "asking", version: "1.0.0" });
  let count = 0;
  mcp.registerTool("increment", { description: "Adds one and tells the count", inputSchema: {} }, () => ({
    content: [{ type: "text", text: String(++count) }],
  }));
  addAskingTools(mcp);
  await mcp.connect(new StdioServerTransport());
}
