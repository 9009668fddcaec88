// The official TypeScript SDKs' clients as parsers of lists, without a network: each reads whatever text it is given.
// @ts-types="npm:@modelcontextprotocol/sdk@1.32.2/client/index"
import { Client as ClientV1 } from "@modelcontextprotocol/sdk/client/index.js";
import { Client as ClientV2 } from "@modelcontextprotocol/client";
import { pythonProgram } from "./python_programs.ts";

export type ListMethod = "tools/list" | "resources/list" | "resources/templates/list" | "prompts/list";

export const LIST_KEYS: Readonly<Record<ListMethod, string>> = {
  "tools/list": "tools",
  "resources/list": "resources",
  "resources/templates/list": "resourceTemplates",
  "prompts/list": "prompts",
};

export interface ListParser {
  readonly name: string;
  /** Of 2026-07-28, or of a revision with sessions. */
  readonly isSessionless: boolean;
  /** Reads a list of these entries (JSON texts). @throws the client's own error */
  parse(method: ListMethod, entries: readonly string[]): Promise<void>;
}

const INFO = { name: "parser", version: "1" };
const MEMBERS = '"resultType":"complete","ttlMs":0,"cacheScope":"private"';

/** A list for the Python SDK: the whole text of a response's result. */
export interface PythonList {
  readonly method: ListMethod;
  readonly revision: string;
  readonly result: string;
}

/** Reads lists with the Python SDK. @returns for each "ok", or why the SDK refuses it */
export async function readByPython(lists: readonly PythonList[]): Promise<string[]> {
  const reader = pythonProgram("read_lists.py").spawn();
  const writer = reader.stdin.getWriter();
  const lines = lists.map(({ method, revision, result }) =>
    JSON.stringify({ method, revision, text: `{"jsonrpc":"2.0","id":1,"result":${result}}` })
  );
  const writing = writer.write(new TextEncoder().encode(lines.join("\n") + "\n")).then(() => writer.close());
  const { success, stdout, stderr } = await reader.output();
  await writing;
  const decoder = new TextDecoder();
  if (!success) throw new Error(decoder.decode(stderr));
  return decoder.decode(stdout).trimEnd().split("\n");
}

/** The smallest transport that both SDKs take. */
class ScriptedTransport {
  onmessage?: (message: never) => void;
  onclose?: () => void;
  onerror?: (error: Error) => void;
  list = "{}";

  async start(): Promise<void> {}
  async close(): Promise<void> {
    this.onclose?.();
  }
  async send({ id, method, params }: { id?: unknown; method?: string; params?: unknown }): Promise<void> {
    if (id === undefined) return;
    const { protocolVersion } = (params ?? {}) as { protocolVersion?: string };
    const capabilities = '{"tools":{},"resources":{},"prompts":{}}';
    const result = method === "initialize"
      ? `{"protocolVersion":${JSON.stringify(protocolVersion)},"capabilities":${capabilities},"serverInfo":${
        JSON.stringify(INFO)
      }}`
      : method === "server/discover"
      ? `{"supportedVersions":["2026-07-28"],"capabilities":${capabilities},${MEMBERS}}`
      : this.list;
    const message = JSON.parse(`{"jsonrpc":"2.0","id":${JSON.stringify(id)},"result":${result}}`);
    queueMicrotask(() => this.onmessage?.(message as never));
  }
}

/** TypeScript v1, and v2 in both eras. */
export async function sdkParsers(): Promise<ListParser[]> {
  const v1 = new ClientV1(INFO);
  const v2 = new ClientV2(INFO);
  const modern = new ClientV2(INFO, { versionNegotiation: { mode: { pin: "2026-07-28" } } });
  return [
    await parserOf("TypeScript v1", v1, false),
    await parserOf("TypeScript v2", v2, false),
    await parserOf("TypeScript v2, 2026-07-28", modern, true),
  ];
}

async function parserOf(
  name: string,
  client: ClientV1 | ClientV2,
  isSessionless: boolean,
): Promise<ListParser> {
  const transport = new ScriptedTransport();
  await client.connect(transport as Parameters<ClientV2["connect"]>[0] & Parameters<ClientV1["connect"]>[0]);
  const refresh = { cacheMode: "refresh" } as const;
  const lists: Record<ListMethod, () => Promise<unknown>> = {
    "tools/list": () => client.listTools(undefined, refresh),
    "resources/list": () => client.listResources(undefined, refresh),
    "resources/templates/list": () => client.listResourceTemplates(undefined, refresh),
    "prompts/list": () => client.listPrompts(undefined, refresh),
  };
  return {
    name,
    isSessionless,
    async parse(method, entries) {
      transport.list = `{${JSON.stringify(LIST_KEYS[method])}:[${entries.join(",")}],${MEMBERS}}`;
      await lists[method]();
    },
  };
}
