// One MCP server with everything that the official suite asks for by name.
import { createRequestStateCodec, McpServer, type RequestStateCodec } from "@modelcontextprotocol/server";
import { registerChanges } from "./changes.ts";
import { registerContentTools } from "./content_tools.ts";
import { registerInputTools, type RoundState } from "./input_tools.ts";
import { registerPrompts } from "./prompts.ts";
import { registerResources } from "./resources.ts";
import { registerSchemaTools } from "./schema_tools.ts";
import type { SharedState } from "./shared_state.ts";
import { registerStreamingTools } from "./streaming_tools.ts";

/** Seals the state between rounds; one key per process, since any server of it may get the next round. */
export function stateCodec(): RequestStateCodec<RoundState> {
  return createRequestStateCodec<RoundState>({ key: crypto.getRandomValues(new Uint8Array(32)) });
}

/** @returns the server; `follow` has one with a session tell its client of changes until it is called off */
export function createServer(state: SharedState, codec: RequestStateCodec<RoundState>) {
  const server = new McpServer({ name: "conformance-upstream", version: "1.0.0" }, {
    instructions: "Everything that the conformance suite asks for.",
    capabilities: { logging: {}, resources: { subscribe: true, listChanged: true } },
    requestState: { verify: (sealed, ctx) => codec.verify(sealed, ctx) },
    cacheHints: {
      "server/discover": { ttlMs: 60_000, cacheScope: "public" },
      "tools/list": { ttlMs: 1_000, cacheScope: "public" },
    },
  });
  registerContentTools(server);
  registerSchemaTools(server);
  registerStreamingTools(server);
  registerInputTools(server, codec);
  registerPrompts(server);
  registerResources(server);
  const follow = registerChanges(server, state);
  return { server, follow };
}
