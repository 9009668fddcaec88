// Finding a tool among 10,000, and making the snapshot that it is found in.
import { ANONYMOUS } from "../src/auth/authenticate.ts";
import { Catalog } from "../src/catalog/catalog.ts";
import { resolveTool } from "../src/catalog/resolver.ts";
import type { CatalogRows, EntityRow, GatewayRow, ToolRow } from "../src/store/store.ts";

const entity: Omit<EntityRow, "id"> = {
  enabled: true,
  visibility: "public",
  teamId: null,
  ownerEmail: null,
  tags: [],
  createdAt: "2026-01-01T00:00:00Z",
  updatedAt: "2026-01-01T00:00:00Z",
  createdBy: null,
  modifiedBy: null,
  version: 1,
};

const gateway = {
  ...entity,
  id: "g",
  name: "g",
  slug: "g",
  url: "http://127.0.0.1:9/mcp",
  capabilities: {},
} as unknown as GatewayRow;

const tools: ToolRow[] = Array.from({ length: 10_000 }, (_, i) => ({
  ...entity,
  id: `t${i}`,
  gatewayId: "g",
  originalName: `tool_${i}`,
  name: `g-tool-${i}`,
  customName: null,
  displayName: null,
  description: null,
  definition: JSON.stringify({ name: `tool_${i}`, description: "A tool", inputSchema: { type: "object" } }),
  position: i,
  reachable: true,
  timeoutMs: null,
}));

const rows: CatalogRows = { version: 1, gateways: [gateway], tools, resources: [], prompts: [], servers: [] };
const { all } = new Catalog(rows);

Deno.bench("resolveTool() by our name, 10,000 tools", { group: "resolve", baseline: true }, () => {
  resolveTool(all, "g-tool-5000", ANONYMOUS);
});

Deno.bench("resolveTool() by the upstream's name", { group: "resolve" }, () => {
  resolveTool(all, "tool_5000", ANONYMOUS);
});

Deno.bench("Catalog of 10,000 tools", { group: "snapshot" }, () => {
  new Catalog(rows);
});
