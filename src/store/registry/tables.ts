// The tables of the registry, and the texts of their name conflicts.
import type { ChangedRegistry } from "./changes/registry_changes.ts";
import type {
  EntityRow,
  EntryKind,
  EntryRow,
  GatewayRow,
  PromptRow,
  ResourceRow,
  ServerRow,
  ToolRow,
} from "./rows.ts";
import { type ColumnKind, Table } from "../sql/table.ts";

/** A virtual server without its members, which are in other tables. */
export type ServerFields = Omit<ServerRow, "toolIds" | "resourceIds" | "promptIds">;

/** The description of a kind of entity. */
export interface EntityTable<Row extends EntityRow> {
  readonly table: Table<Row>;
  /** The name of the kind in error texts. */
  readonly noun: string;
  /** Lists are sorted by this column, then by id. */
  readonly sortKey: keyof Row & string;
  /** The reason to refuse a row whose unique name is in use. */
  readonly conflict: (row: Partial<Row>) => string;
  /** The upstreams or virtual servers that a write of the row changes. */
  readonly changed: (row: Row) => ChangedRegistry | "all";
}

/** The description of a kind of entity that upstreams list. */
export interface EntryTable<Row extends EntryRow> extends EntityTable<Row> {
  readonly kindOf: (row: Row) => EntryKind;
  /** The name or URI at the upstream, unique among the gateway's entries of a kind. */
  readonly keyOf: (row: Row) => string;
}

/** An entry without an upstream reserves its name at every endpoint, so workers read everything. */
function changedEntry({ gatewayId }: EntryRow): ChangedRegistry | "all" {
  return gatewayId === null ? "all" : { gateways: [gatewayId] };
}

const ENTITY: { readonly [Key in keyof EntityRow]: ColumnKind } = {
  id: "text",
  enabled: "boolean",
  visibility: "text",
  teamId: "text",
  ownerEmail: "text",
  tags: "json",
  createdAt: "text",
  updatedAt: "text",
  createdBy: "text",
  modifiedBy: "text",
  version: "integer",
};

export const GATEWAYS: EntityTable<GatewayRow> = {
  table: new Table<GatewayRow>("gateways", {
    ...ENTITY,
    name: "text",
    slug: "text",
    url: "text",
    description: "text",
    transport: "text",
    authType: "text",
    authSecret: "text",
    passthroughHeaders: "json",
    caCertificate: "text",
    isolation: "text",
    protocol: "text",
    protocols: "json",
    capabilities: "json",
    serverInfo: "json",
    instructions: "text",
    protocolVersion: "text",
    stateful: "boolean",
    listTtlMs: "integer",
    skipped: "json",
    listWarnings: "json",
    reachable: "boolean",
    lastSeen: "text",
    lastCheckedAt: "text",
    failedChecks: "integer",
    lastError: "text",
    lastRefreshAt: "text",
    refreshIntervalSeconds: "integer",
    registration: "json",
    source: "text",
    toolApproval: "text",
    drainingSince: "text",
  }),
  noun: "Gateway",
  sortKey: "name",
  conflict: ({ name, slug }) => `A gateway named "${name}" exists already (names are compared as "${slug}")`,
  changed: ({ id }) => ({ gateways: [id] }),
};

export const TOOLS: EntryTable<ToolRow> = {
  table: new Table<ToolRow>("tools", {
    ...ENTITY,
    gatewayId: "text",
    originalName: "text",
    name: "text",
    customName: "text",
    displayName: "text",
    description: "text",
    definition: "text",
    sessionDefinition: "text",
    position: "integer",
    timeoutMs: "integer",
  }),
  noun: "Tool",
  sortKey: "name",
  conflict: ({ name }) => `A tool named "${name}" exists already`,
  changed: changedEntry,
  kindOf: () => "tool",
  keyOf: ({ originalName }) => originalName,
};

export const RESOURCES: EntryTable<ResourceRow> = {
  table: new Table<ResourceRow>("resources", {
    ...ENTITY,
    gatewayId: "text",
    uri: "text",
    name: "text",
    isTemplate: "boolean",
    customName: "text",
    description: "text",
    mimeType: "text",
    definition: "text",
    position: "integer",
  }),
  noun: "Resource",
  sortKey: "uri",
  conflict: ({ uri }) => `A resource with the URI "${uri}" exists already`,
  changed: changedEntry,
  kindOf: ({ isTemplate }) => isTemplate ? "template" : "resource",
  keyOf: ({ uri }) => uri,
};

export const PROMPTS: EntryTable<PromptRow> = {
  table: new Table<PromptRow>("prompts", {
    ...ENTITY,
    gatewayId: "text",
    originalName: "text",
    name: "text",
    customName: "text",
    displayName: "text",
    description: "text",
    definition: "text",
    position: "integer",
  }),
  noun: "Prompt",
  sortKey: "name",
  conflict: ({ name }) => `A prompt named "${name}" exists already`,
  changed: changedEntry,
  kindOf: () => "prompt",
  keyOf: ({ originalName }) => originalName,
};

export const SERVERS: EntityTable<ServerFields> = {
  table: new Table<ServerFields>("servers", {
    ...ENTITY,
    name: "text",
    description: "text",
    icon: "text",
    naming: "text",
    toolOverrides: "json",
    serverInfo: "json",
    instructions: "text",
    gatewayIds: "json",
    memberTags: "json",
    excluded: "json",
    revisions: "json",
  }),
  noun: "Server",
  sortKey: "name",
  conflict: ({ name }) => `A server with this name ("${name}") or id exists already`,
  changed: ({ id }) => ({ servers: [id] }),
};
