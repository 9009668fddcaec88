// Rows and discoveries for tests, of which a test names only what matters to it.
import { slugify } from "../../src/catalog/snapshot/tool_name.ts";
import type { Registry } from "../../src/store/registry/registry.ts";
import type { NewRow } from "../../src/store/registry/entities.ts";
import type { DiscoveredEntry, Discovery, GatewayRow, ServerRow } from "../../src/store/registry/rows.ts";
import { PLAIN_GATEWAY, PLAIN_SERVER } from "./catalog_rows.ts";

const SHARED = {
  enabled: true,
  visibility: "public",
  teamId: null,
  ownerEmail: "admin@example.com",
  tags: [],
  createdBy: "admin@example.com",
} as const;

export function newGateway(given: Partial<NewRow<GatewayRow>> & { name: string }): NewRow<GatewayRow> {
  return {
    ...SHARED,
    slug: slugify(given.name),
    url: `http://127.0.0.1:9000/${slugify(given.name)}/mcp`,
    ...PLAIN_GATEWAY,
    reachable: false,
    ...given,
  };
}

export function newServer(given: Partial<NewRow<ServerRow>> & { name: string }): NewRow<ServerRow> {
  return { ...SHARED, ...PLAIN_SERVER, ...given };
}

/** What an upstream offers, by names and URIs. */
export function discovery(
  { tools = [], resources = [], templates = [], prompts = [] }: {
    tools?: readonly string[];
    resources?: readonly string[];
    templates?: readonly string[];
    prompts?: readonly string[];
  },
): Discovery {
  return {
    capabilities: { tools: {} },
    serverInfo: { name: "fake", version: "1.0.0" },
    instructions: null,
    protocolVersion: "2025-11-25",
    protocols: ["2025-11-25"],
    stateful: true,
    listTtlMs: null,
    tools: texts(tools, (name) => ({ name, description: `does ${name}`, inputSchema: { type: "object" } })),
    resources: texts(resources, (uri) => ({ uri, name: `resource ${uri}` })),
    resourceTemplates: texts(templates, (uriTemplate) => ({ uriTemplate, name: `template ${uriTemplate}` })),
    prompts: texts(prompts, (name) => ({ name, arguments: [{ name: "who", required: true }] })),
    skipped: [],
    warnings: [],
  };
}

/** An entry whose text a test writes word by word. */
export function entryOf(key: string, text: string): DiscoveredEntry {
  return { key, text, sessionText: null };
}

function texts(keys: readonly string[], objectOf: (key: string) => unknown): DiscoveredEntry[] {
  return keys.map((key) => entryOf(key, JSON.stringify(objectOf(key))));
}

/** Counts the writes that have changed the catalog. */
export async function catalogNumber(registry: Pick<Registry, "readCatalogVersion">): Promise<number> {
  return parseInt(await registry.readCatalogVersion());
}
