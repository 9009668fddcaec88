// Has a client use everything that an MCP endpoint lists, as the suite's client scenarios want it used.
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";

/** What the suite tells of a scenario in MCP_CONFORMANCE_CONTEXT. */
export interface ScenarioContext {
  readonly toolCalls?: readonly { readonly name: string; readonly arguments: Record<string, unknown> }[];
}

/** How the client speaks: with a session, or as the endpoint prefers. */
export type Mode = "legacy" | "auto";

/** Ten times what any scenario's server takes, ms. */
const CALL_WITHIN_MS = 10_000;

interface Tool {
  readonly name: string;
  readonly inputSchema: Record<string, unknown>;
}

/**
 * Lists tools, prompts and resources, then calls, gets and reads each. One that is refused is told of on standard error and no
 * more: the suite judges by what reached it, and some of its servers answer no call.
 *
 * @throws {Error} where a list is refused
 */
export async function drive(url: string, { toolCalls = [] }: ScenarioContext, mode: Mode): Promise<void> {
  await using client = await connect(url, mode);
  const capabilities = client.getServerCapabilities() ?? {};

  const tools = capabilities.tools ? (await client.listTools()).tools : [];
  for (const tool of tools) {
    const args = toolCalls.find(({ name }) => name === tool.name)?.arguments ?? argumentsOf(tool, tools);
    await attempt(client.callTool({ name: tool.name, arguments: args }, { timeout: CALL_WITHIN_MS }));
  }
  const prompts = capabilities.prompts ? (await client.listPrompts()).prompts : [];
  for (const { name } of prompts) await attempt(client.getPrompt({ name }));
  const resources = capabilities.resources ? (await client.listResources()).resources : [];
  for (const { uri } of resources) await attempt(client.readResource({ uri }));
}

async function attempt(request: Promise<unknown>): Promise<void> {
  await request.catch((error) => console.error(String(error)));
}

/** A client that accepts every form, has a model of one sentence and no roots. */
async function connect(url: string, mode: Mode): Promise<Client & AsyncDisposable> {
  const client = new Client({ name: "conformance-driver", version: "1.0.0" }, {
    versionNegotiation: { mode },
    capabilities: { elicitation: { form: { applyDefaults: true } }, sampling: {}, roots: {} },
  });
  client.setRequestHandler("elicitation/create", () => ({ action: "accept", content: {} }));
  client.setRequestHandler("sampling/createMessage", () => ({
    role: "assistant",
    model: "none",
    content: { type: "text", text: "Sampled." },
  }));
  client.setRequestHandler("roots/list", () => ({ roots: [] }));
  await client.connect(new StreamableHTTPClientTransport(new URL(url)));
  return Object.assign(client, { [Symbol.asyncDispose]: () => client.close() });
}

/** Arguments for the tools that take some: the sum, and the echo of the other tool's schema. */
function argumentsOf({ name }: Tool, tools: readonly Tool[]): Record<string, unknown> {
  if (name === "add_numbers") return { a: 5, b: 3 };
  if (name === "json_schema_echo") return { schema: tools.find((other) => other.name !== name)?.inputSchema };
  return {};
}
