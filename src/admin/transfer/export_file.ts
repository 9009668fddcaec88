// The file of an export: ContextForge's shape, with members of its own, so that another gateway has the same afterwards.
import type { Principal } from "../../auth/principal.ts";
import { canSee, isOperator } from "../../auth/rbac.ts";
import { LATEST_SESSION_REVISION } from "../../mcp/revisions.ts";
import type {
  EntityRow,
  EntryRow,
  GatewayRow,
  PromptRow,
  ResourceRow,
  ServerRow,
  ToolRow,
} from "../../store/registry/rows.ts";
import { writeCredentials } from "../../upstream/credentials.ts";
import { readLaunch } from "../../upstream/stdio/launch.ts";
import { tagId } from "../../store/registry/tag_id.ts";
import { openCredentials } from "../gateways/gateway_credentials.ts";
import type { AdminDeps } from "../rest/deps.ts";
import { shownAddress } from "../rest/shapes.ts";
import type { Sealing } from "./passphrase.ts";

/** `source_gateway` of a file that this gateway has made. */
export const SOURCE = "sluice";

export const EXPORTED_KINDS = ["tools", "gateways", "servers", "prompts", "resources"] as const;
export type ExportedKind = typeof EXPORTED_KINDS[number];

export interface ExportOptions {
  readonly kinds: readonly ExportedKind[];
  /** Only entities with one of these tags; empty: all. */
  readonly tags: readonly string[];
  readonly includeInactive: boolean;
  readonly includeDependencies: boolean;
  /** Ids or names by kind; null: everything. */
  readonly selections: Readonly<Partial<Record<ExportedKind, readonly string[]>>> | null;
  /** null: credentials are left out. */
  readonly sealing: Sealing | null;
}

interface Rows {
  readonly gateways: readonly GatewayRow[];
  readonly tools: readonly ToolRow[];
  readonly resources: readonly ResourceRow[];
  readonly prompts: readonly PromptRow[];
  readonly servers: readonly ServerRow[];
}

/** The part of the registry that the caller sees, as a file. */
export async function exportFile(
  deps: Pick<AdminDeps, "store" | "secretBox" | "now">,
  principal: Principal,
  options: ExportOptions,
): Promise<Record<string, unknown>> {
  const { kinds, tags, includeInactive, includeDependencies, selections, sealing } = options;
  const all = await visibleRows(deps, principal);
  const chosen = chosenRows(all, options);
  const gateways = new Map(all.gateways.map((row) => [row.id, row]));
  const seen = seenMembers(all);
  const entities: Record<string, unknown[]> = {};
  if (kinds.includes("tools")) {
    entities.tools = chosen.tools.map((row) => {
      const gateway = gateways.get(row.gatewayId ?? "");
      return toolEntry(row, gateway, gateway === undefined ? "" : shownAddress(gateway, principal));
    });
  }
  if (kinds.includes("gateways")) {
    entities.gateways = await Promise.all(
      chosen.gateways.map((row) => gatewayEntry(deps, row, principal, sealing)),
    );
  }
  if (kinds.includes("servers")) {
    entities.servers = chosen.servers.map((row) => serverEntry(row, seen));
  }
  const gatewayIdOf = (row: EntryRow) => gateways.has(row.gatewayId ?? "") ? row.gatewayId : null;
  if (kinds.includes("prompts")) {
    entities.prompts = chosen.prompts.map((row) => promptEntry(row, gatewayIdOf(row)));
  }
  if (kinds.includes("resources")) {
    entities.resources = chosen.resources.map((row) => resourceEntry(row, gatewayIdOf(row)));
  }
  const named = (ids: (row: ServerRow) => readonly string[]) =>
    Object.fromEntries(
      chosen.servers.filter((row) => ids(row).length > 0).map((row) => [row.name, ids(row)]),
    );
  return {
    version: LATEST_SESSION_REVISION,
    exported_at: deps.now().toISOString(),
    exported_by: principal.email,
    source_gateway: SOURCE,
    encryption_method: sealing === null ? "none" : "AES-256-GCM",
    ...sealing === null ? {} : { encryption: { kdf: "PBKDF2-HMAC-SHA256", salt: sealing.salt } },
    entities,
    metadata: {
      entity_counts: Object.fromEntries(Object.entries(entities).map(([kind, list]) => [kind, list.length])),
      dependencies: includeDependencies
        ? {
          servers_to_tools: named(seen.toolNamesOf),
          servers_to_resources: named(({ resourceIds }) => seen.only(resourceIds)),
          servers_to_prompts: named(({ promptIds }) => seen.only(promptIds)),
        }
        : {},
      export_options: selections === null
        ? {
          include_inactive: includeInactive,
          include_dependencies: includeDependencies,
          selected_types: kinds,
          filter_tags: tags,
        }
        : { selective: true, include_dependencies: includeDependencies, selections },
    },
  };
}

async function visibleRows({ store }: Pick<AdminDeps, "store">, principal: Principal): Promise<Rows> {
  const seen = <Row extends EntityRow>(rows: readonly Row[]) => rows.filter((row) => canSee(principal, row));
  return {
    gateways: seen(await store.gateways.list()),
    tools: seen(await store.tools.list()),
    resources: seen(await store.resources.list()),
    prompts: seen(await store.prompts.list()),
    servers: seen(await store.servers.list()),
  };
}

/** The members of servers that the caller sees. The answers of the REST API have no others either. */
interface SeenMembers {
  readonly has: (id: string) => boolean;
  readonly only: (ids: readonly string[]) => readonly string[];
  readonly toolNamesOf: (server: ServerRow) => readonly string[];
}

function seenMembers({ gateways, tools, resources, prompts }: Rows): SeenMembers {
  const ids = new Set([gateways, tools, resources, prompts].flatMap((rows) => rows.map(({ id }) => id)));
  const toolNames = new Map(tools.map(({ id, name }) => [id, name]));
  const has = (id: string) => ids.has(id);
  return {
    has,
    only: (members) => members.filter(has),
    toolNamesOf: ({ toolIds }) => toolIds.flatMap((id) => toolNames.get(id) ?? []),
  };
}

/** The rows that are asked for and, with dependencies, what they cannot be without: members of servers, and gateways of entries. */
function chosenRows(all: Rows, options: ExportOptions): Rows {
  const { tags, includeInactive, includeDependencies, selections } = options;
  const isWanted = (
    kind: ExportedKind,
    row: EntityRow & { readonly name: string; readonly uri?: string },
  ) => {
    const selected = selections?.[kind];
    if (selections !== null) {
      return selected !== undefined &&
        [row.id, row.name, row.uri].some((key) => key !== undefined && selected.includes(key));
    }
    return (includeInactive || row.enabled) &&
      (tags.length === 0 || row.tags.some((tag) => tags.includes(tag)));
  };
  const servers = all.servers.filter((row) => isWanted("servers", row));
  const members = new Set(
    includeDependencies
      ? servers.flatMap((row) => [...row.toolIds, ...row.resourceIds, ...row.promptIds])
      : [],
  );
  const tools = all.tools.filter((row) => members.has(row.id) || isWanted("tools", row));
  const resources = all.resources.filter((row) => members.has(row.id) || isWanted("resources", row));
  const prompts = all.prompts.filter((row) => members.has(row.id) || isWanted("prompts", row));
  const needed = new Set(
    includeDependencies
      ? [
        ...[...tools, ...resources, ...prompts].map(({ gatewayId }) => gatewayId),
        ...servers.flatMap(({ gatewayIds }) => gatewayIds),
      ]
      : [],
  );
  const gateways = all.gateways.filter((row) => needed.has(row.id) || isWanted("gateways", row));
  return { gateways, tools, resources, prompts, servers };
}

function shared(row: EntityRow) {
  return {
    id: row.id,
    is_active: row.enabled,
    tags: row.tags.map((label) => ({ id: tagId(label), label })),
    visibility: row.visibility,
    team_id: row.teamId,
    owner_email: row.ownerEmail,
    created_by: row.createdBy,
    created_at: row.createdAt,
    updated_at: row.updatedAt,
  };
}

async function gatewayEntry(
  deps: Pick<AdminDeps, "secretBox">,
  row: GatewayRow,
  principal: Principal,
  sealing: Sealing | null,
): Promise<Record<string, unknown>> {
  const credentials = sealing === null ? null : await openCredentials(deps, row);
  const address = shownAddress(row, principal);
  return {
    ...shared(row),
    name: row.name,
    url: address,
    // With the values of the query, which can be credentials.
    ...sealing === null || address === row.url ? {} : { sealed_url: await sealing.seal("url", row.url) },
    description: row.description,
    transport: row.transport,
    capabilities: row.capabilities,
    passthrough_headers: row.passthroughHeaders,
    auth_type: row.authType,
    ...credentials === null ? {} : {
      auth_value: await sealing!.seal("credentials", writeCredentials(credentials)),
    },
    ca_certificate: row.caCertificate,
    refresh_interval_seconds: row.refreshIntervalSeconds,
    isolation: row.isolation,
    protocol: row.protocol,
    protocol_version: row.protocolVersion,
    tool_approval: row.toolApproval,
    ...row.transport === "STDIO" && isOperator(principal) ? readLaunch(row.url) : {},
  };
}

function toolEntry(
  row: ToolRow,
  gateway: GatewayRow | undefined,
  url: string,
): Record<string, unknown> {
  const definition = JSON.parse(row.definition);
  return {
    ...shared(row),
    name: row.originalName,
    displayName: row.displayName,
    custom_name: row.customName,
    registry_name: row.name,
    url,
    integration_type: "MCP",
    request_type: gateway?.transport ?? "STREAMABLEHTTP",
    description: row.description,
    original_description: definition.description ?? null,
    input_schema: definition.inputSchema,
    output_schema: definition.outputSchema ?? null,
    annotations: definition.annotations ?? {},
    timeout_ms: row.timeoutMs,
    gateway_id: gateway?.id ?? null,
    position: row.position,
    definition,
  };
}

/** @param gatewayId null: the caller does not see the gateway */
function promptEntry(row: PromptRow, gatewayId: string | null): Record<string, unknown> {
  const definition = JSON.parse(row.definition);
  return {
    ...shared(row),
    name: row.originalName,
    original_name: row.originalName,
    custom_name: row.customName,
    display_name: row.displayName,
    registry_name: row.name,
    template: "",
    description: row.description,
    gateway_id: gatewayId,
    position: row.position,
    definition,
  };
}

/** @param gatewayId null: the caller does not see the gateway */
function resourceEntry(row: ResourceRow, gatewayId: string | null): Record<string, unknown> {
  return {
    ...shared(row),
    name: row.name,
    uri: row.uri,
    custom_name: row.customName,
    description: row.description,
    mime_type: row.mimeType,
    is_template: row.isTemplate,
    last_modified: row.updatedAt,
    gateway_id: gatewayId,
    position: row.position,
    definition: JSON.parse(row.definition),
  };
}

function serverEntry(row: ServerRow, seen: SeenMembers): Record<string, unknown> {
  return {
    ...shared(row),
    name: row.name,
    description: row.description,
    icon: row.icon,
    tool_ids: seen.toolNamesOf(row),
    sse_endpoint: `/servers/${row.id}/sse`,
    websocket_endpoint: `/servers/${row.id}/ws`,
    jsonrpc_endpoint: `/servers/${row.id}/mcp`,
    associated_tool_ids: seen.only(row.toolIds),
    associated_resource_ids: seen.only(row.resourceIds),
    associated_prompt_ids: seen.only(row.promptIds),
    associated_gateway_ids: seen.only(row.gatewayIds),
    associated_tags: row.memberTags,
    excluded: row.excluded,
    naming: row.naming,
    tool_overrides: Object.fromEntries(Object.entries(row.toolOverrides).filter(([id]) => seen.has(id))),
    server_info: row.serverInfo,
    instructions: row.instructions,
    revisions: row.revisions,
  };
}
