// The SDK's v1 client with answers to everything that a server may ask a client for.
// @ts-types="npm:@modelcontextprotocol/sdk@1.32.2/client/index"
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
// @ts-types="npm:@modelcontextprotocol/sdk@1.32.2/client/streamableHttp"
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
// @ts-types="npm:@modelcontextprotocol/sdk@1.32.2/types"
import {
  CreateMessageRequestSchema,
  ElicitRequestSchema,
  ListRootsRequestSchema,
} from "@modelcontextprotocol/sdk/types.js";

export interface AskingClient extends AsyncDisposable {
  /** @returns the result as JSON text */
  call(tool: string, args?: Record<string, unknown>): Promise<string>;
}

/** Samples "sampled by NAME", accepts every form as NAME, has the root file:///NAME. */
export async function connectAsking(url: string, { token, name }: {
  readonly token: string;
  readonly name: string;
}): Promise<AskingClient> {
  const headers = { Authorization: `Bearer ${token}` };
  const transport = new StreamableHTTPClientTransport(new URL(url), { requestInit: { headers } });
  const client = new Client({ name, version: "1" }, {
    capabilities: { sampling: {}, elicitation: {}, roots: {} },
  });
  client.setRequestHandler(CreateMessageRequestSchema, () => ({
    model: "fake",
    role: "assistant" as const,
    content: { type: "text" as const, text: `sampled by ${name}` },
  }));
  client.setRequestHandler(
    ElicitRequestSchema,
    () => ({ action: "accept" as const, content: { name, check: true } }),
  );
  client.setRequestHandler(ListRootsRequestSchema, () => ({ roots: [{ uri: `file:///${name}`, name }] }));
  await client.connect(transport);
  return {
    call: async (tool, args = {}) => JSON.stringify(await client.callTool({ name: tool, arguments: args })),
    [Symbol.asyncDispose]: async () => {
      await transport.terminateSession();
      await client.close();
    },
  };
}
