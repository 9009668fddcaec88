// Rows of a catalog for tests, whole as the store reads them; a test names only what matters to it.
import { NEVER_LISTED } from "../../src/admin/gateways/gateway_draft.ts";
import type { NewRow } from "../../src/store/registry/entities.ts";
import type { KnownVersions } from "../../src/store/sql/catalog_version.ts";
import type {
  CatalogRows,
  EntityRow,
  GatewayRow,
  PromptRow,
  ResourceRow,
  ServerRow,
  ToolRow,
} from "../../src/store/registry/rows.ts";

/** A gateway that says nothing of itself, but for who it is. */
export const PLAIN_GATEWAY: Omit<GatewayRow, keyof EntityRow | "name" | "slug" | "url"> = {
  ...NEVER_LISTED,
  description: null,
  transport: "STREAMABLEHTTP",
  authType: null,
  authSecret: null,
  passthroughHeaders: null,
  caCertificate: null,
  isolation: "session",
  protocol: "auto",
  reachable: true,
  refreshIntervalSeconds: null,
  registration: null,
  source: null,
  toolApproval: null,
};

/** A virtual server without members. */
export const PLAIN_SERVER: Omit<NewRow<ServerRow>, keyof EntityRow | "name"> = {
  description: null,
  icon: null,
  naming: "prefixed",
  toolOverrides: {},
  serverInfo: null,
  instructions: null,
  revisions: "auto",
  toolIds: [],
  resourceIds: [],
  promptIds: [],
  gatewayIds: [],
  memberTags: [],
  excluded: [],
};

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

/** What tools and prompts have in common: `{gatewayId}-{originalName}`, which is the id too. */
function named(gatewayId: string, originalName: string) {
  const name = `${gatewayId}-${originalName}`;
  return {
    ...entity(name),
    gatewayId,
    originalName,
    name,
    customName: null,
    displayName: null,
    description: null,
    position: 0,
  };
}

export function gatewayRow(id: string, given: Partial<GatewayRow> = {}): GatewayRow {
  const protocols = typeof given.protocolVersion === "string" ? [given.protocolVersion] : [];
  return {
    ...entity(id),
    ...PLAIN_GATEWAY,
    name: id,
    slug: id,
    url: `http://${id}.example/mcp`,
    protocols,
    ...given,
  };
}

/** The tool `{gatewayId}-{originalName}`; its id is its name. */
export function toolRow(gatewayId: string, originalName: string, given: Partial<ToolRow> = {}): ToolRow {
  const definition = `{"name":${JSON.stringify(originalName)},"inputSchema":{"type":"object"}}`;
  return {
    ...named(gatewayId, originalName),
    definition,
    sessionDefinition: null,
    timeoutMs: null,
    ...given,
  };
}

export function promptRow(
  gatewayId: string,
  originalName: string,
  given: Partial<PromptRow> = {},
): PromptRow {
  const definition = `{"name":${JSON.stringify(originalName)}}`;
  return { ...named(gatewayId, originalName), definition, ...given };
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
    ...{ customName: null, description: null, mimeType: null },
    definition: JSON.stringify({ [isTemplate ? "uriTemplate" : "uri"]: uri, name: uri }),
    position: 0,
    ...given,
  };
}

export function serverRow(id: string, given: Partial<ServerRow> = {}): ServerRow {
  return { ...entity(id), ...PLAIN_SERVER, name: id, ...given };
}

/** The versions of a snapshot, as the write of this number has made them. */
export function versionsAt(catalog: number, given: Partial<KnownVersions> = {}): KnownVersions {
  return { catalog, people: 0, tokens: 0, write: `w${catalog}`, ...given };
}

export function catalogRows(given: Partial<CatalogRows> = {}): CatalogRows {
  return {
    versions: versionsAt(1),
    gateways: [],
    tools: [],
    resources: [],
    prompts: [],
    servers: [],
    revokedTokens: [],
    quotas: [],
    removed: [],
    approvals: [],
    people: null,
    tokenChanges: [],
    ...given,
  };
}
