// Rows of a catalog for tests, whole as the store reads them; a test names only what matters to it.
import type {
  CatalogRows,
  EntityRow,
  GatewayRow,
  PromptRow,
  ResourceRow,
  ServerRow,
  ToolRow,
} from "../../src/store/store.ts";

function entity(id: string): EntityRow {
  return {
    id,
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
}

export function gatewayRow(id: string, given: Partial<GatewayRow> = {}): GatewayRow {
  return {
    ...entity(id),
    name: id,
    slug: id,
    url: `http://${id}.example/mcp`,
    description: null,
    transport: "STREAMABLEHTTP",
    authType: null,
    authSecret: null,
    passthroughHeaders: null,
    caCertificate: null,
    sessionMode: "bound",
    capabilities: {},
    serverInfo: null,
    instructions: null,
    protocolVersion: null,
    stateful: null,
    reachable: true,
    lastSeen: null,
    lastError: null,
    lastRefreshAt: null,
    refreshIntervalSeconds: null,
    ...given,
  };
}

/** The tool `{gatewayId}-{originalName}`; its id is its name. */
export function toolRow(gatewayId: string, originalName: string, given: Partial<ToolRow> = {}): ToolRow {
  const name = `${gatewayId}-${originalName}`;
  return {
    ...entity(name),
    gatewayId,
    originalName,
    name,
    customName: null,
    displayName: null,
    description: null,
    definition: `{"name":${JSON.stringify(originalName)},"inputSchema":{"type":"object"}}`,
    position: 0,
    reachable: true,
    timeoutMs: null,
    ...given,
  };
}

export function promptRow(
  gatewayId: string,
  originalName: string,
  given: Partial<PromptRow> = {},
): PromptRow {
  const name = `${gatewayId}-${originalName}`;
  return {
    ...entity(name),
    gatewayId,
    originalName,
    name,
    customName: null,
    displayName: null,
    description: null,
    definition: `{"name":${JSON.stringify(originalName)}}`,
    position: 0,
    ...given,
  };
}

/** A resource, or a template where the URI has an expression; its id is `{gatewayId} {uri}`. */
export function resourceRow(gatewayId: string, uri: string, given: Partial<ResourceRow> = {}): ResourceRow {
  const isTemplate = uri.includes("{");
  return {
    ...entity(`${gatewayId} ${uri}`),
    gatewayId,
    uri,
    name: uri,
    isTemplate,
    definition: JSON.stringify({ [isTemplate ? "uriTemplate" : "uri"]: uri, name: uri }),
    position: 0,
    ...given,
  };
}

export function serverRow(id: string, given: Partial<ServerRow> = {}): ServerRow {
  return {
    ...entity(id),
    name: id,
    description: null,
    icon: null,
    toolIds: [],
    resourceIds: [],
    promptIds: [],
    ...given,
  };
}

export function catalogRows(given: Partial<CatalogRows> = {}): CatalogRows {
  return { version: 1, gateways: [], tools: [], resources: [], prompts: [], servers: [], ...given };
}
