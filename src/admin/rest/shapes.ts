// Converts rows to answers, in ContextForge's format. A field that the gateway does not track is null or absent.
import type { Principal } from "../../auth/principal.ts";
import { isOperator, mayChange } from "../../auth/rbac.ts";
import type { Placed } from "../../catalog/snapshot/list_order.ts";
import type { NameConflict } from "../../catalog/snapshot/scope_names.ts";
import type { UriConflict } from "../../catalog/snapshot/uri_conflicts.ts";
import { publicPart } from "../../base/seen_answer.ts";
import { slugify } from "../../catalog/snapshot/tool_name.ts";
import type { DiscoveredCounts } from "../../store/registry/registry.ts";
import type {
  EntityRow,
  GatewayRow,
  ListWarning,
  PromptRow,
  ResourceRow,
  ServerRow,
  ToolRow,
} from "../../store/registry/rows.ts";
import { tagId } from "../../store/registry/tag_id.ts";
import type { Credentials } from "../../upstream/credentials.ts";
import { readLaunch } from "../../upstream/stdio/launch.ts";
import { type Fault, fault } from "./faults.ts";
import { awsConfigRead } from "./credentials/aws_config.ts";
import { oauthConfigRead } from "./credentials/oauth_config.ts";
import { knownGateway } from "./lookup.ts";
import { MASK } from "./schemas.ts";
import type { KnownMembers } from "./server_names.ts";
import { shownUrl } from "./shown_url.ts";

type Json = Record<string, unknown>;

/** The credentials of a gateway; null if they cannot be decrypted. */
export type ShownCredentials = Credentials | null;

export interface GatewayExtras {
  readonly counts: DiscoveredCounts | undefined;
  readonly credentials: ShownCredentials;
  /** Null: the upstream has no processes. */
  readonly processCount: number | null;
  /** Null: the gateway is not being drained. */
  readonly callsUnderWay: number | null;
  /** The changes that wait for a decision. */
  readonly pending: number;
}

/** @param principal callers who may not change the gateway see its origin only; a program is for administrators alone */
export function gatewayRead(
  row: GatewayRow,
  { counts, credentials, processCount, callsUnderWay, pending }: GatewayExtras,
  principal: Principal,
): Json {
  const reader = readerOf(row, principal);
  return {
    ...entityRead(row),
    name: row.name,
    slug: row.slug,
    url: shownUrl(row.url, reader),
    description: row.description,
    transport: row.transport,
    capabilities: row.capabilities,
    serverInfo: row.serverInfo,
    instructions: row.instructions,
    protocolVersion: row.protocolVersion,
    stateful: row.stateful,
    ...registrationRead(row),
    reachable: row.reachable,
    lastSeen: row.lastSeen,
    lastError: shownText(row.lastError ?? failedLists(row), reader),
    passthroughHeaders: row.passthroughHeaders,
    caCertificate: row.caCertificate,
    isolation: row.isolation,
    // The former name, with the former meaning: bound is one upstream session for each client session.
    sessionMode: row.isolation === "session" ? "bound" : "shared",
    protocol: row.protocol,
    protocols: row.protocols,
    toolApproval: row.toolApproval,
    ...(mayChange(principal, "gateways.approve", row) ? { heldCount: pending } : {}),
    ...credentialsRead(row.authType, credentials),
    ...(isOperator(principal) ? { source: row.source, ...launchRead(row, credentials) } : {}),
    refreshIntervalSeconds: row.refreshIntervalSeconds,
    lastRefreshAt: row.lastRefreshAt,
    gatewayMode: "cache",
    processCount,
    drainingSince: row.drainingSince,
    callsUnderWay,
    toolCount: counts?.tools ?? 0,
    resourceCount: counts?.resources ?? 0,
    promptCount: counts?.prompts ?? 0,
    skippedTools: row.skipped,
    metrics: null,
    ...listWarningsRead(row.listWarnings, reader),
  };
}

/** A caller who may change a gateway reads its whole address. */
function readerOf(row: GatewayRow, principal: Principal): Pick<Principal, "isAdmin"> {
  const isAdmin = row.transport === "STDIO"
    ? isOperator(principal)
    : mayChange(principal, "gateways.update", row);
  return { isAdmin };
}

/** The address of a gateway as the principal sees it. */
export function shownAddress(row: GatewayRow, principal: Principal): string {
  return shownUrl(row.url, readerOf(row, principal));
}

export type GatewayState = "reachable" | "unreachable" | "starting" | "failed" | "disabled";

/** One word for `enabled`, `status` and `reachable`. */
export function stateOf(row: GatewayRow): GatewayState {
  if (!row.enabled) return "disabled";
  const { status } = registrationRead(row);
  if (status !== "ready") return status as GatewayState;
  return row.reachable ? "reachable" : "unreachable";
}

/** The state of the registration, and when the upstream is tried again. */
function registrationRead({ registration, enabled }: GatewayRow): Json {
  if (registration === null) return { status: "ready", nextTryAt: null };
  if (!enabled) return { status: "disabled", nextTryAt: null };
  const { tries, nextTryAt } = registration;
  return { status: tries === 0 ? "starting" : "failed", nextTryAt };
}

/** The reason why lists are missing or old, although the upstream can be reached. */
function failedLists({ listWarnings }: GatewayRow): string | null {
  const failed = listWarnings.filter(({ name }) => name === null).map(({ list, reason }) =>
    `${list}: ${reason}`
  );
  return failed.length === 0 ? null : failed.join("; ");
}

/** The member `warnings` of an answer about a gateway, if there are any. */
export function listWarningsRead(
  warnings: readonly ListWarning[],
  principal: Pick<Principal, "isAdmin">,
): { warnings?: Fault[] } {
  if (warnings.length === 0) return {};
  return {
    warnings: warnings.map(({ list, name, reason }) => {
      const shown = shownText(reason, principal)!;
      return name === null
        ? fault([list], `the list failed, so its former entries stay: ${shown}`, "list_failed")
        : name === ""
        ? fault([list], shown, "list_undeclared")
        : fault([list, name], shown, "entry_repaired");
    }),
  };
}

/** An answer of an upstream can name its address, which only administrators see whole. */
function shownText(text: string | null, { isAdmin }: Pick<Principal, "isAdmin">): string | null {
  return text === null || isAdmin ? text : publicPart(text);
}

/** Names and texts of a tool or prompt: the operator's where he has set one, else those of its upstream. */
function namesRead(row: ToolRow | PromptRow, definition: Json): Json {
  return {
    name: row.name,
    originalName: row.originalName,
    displayName: row.displayName ?? definition.title ?? null,
    customName: row.customName ?? row.originalName,
    customNameSlug: slugify(row.customName ?? row.originalName),
    title: definition.title ?? null,
    description: row.description ?? definition.description ?? null,
    originalDescription: definition.description ?? null,
  };
}

/**
 * @param from the tool's gateway; undefined if the tool has none
 * @param principal a caller who may not see the gateway learns only whether the tool can be reached
 * @param metrics the executions of the tool; null: the answer has none
 */
export function toolRead(
  row: ToolRow,
  from: GatewayRow | undefined,
  principal: Principal,
  metrics: object | null = null,
): Json {
  const gateway = knownGateway(principal, from);
  const definition = JSON.parse(row.definition) as Json;
  return {
    ...entityRead(row),
    ...namesRead(row, definition),
    url: gateway === undefined ? null : shownUrl(gateway.url, principal),
    integrationType: "MCP",
    requestType: gateway?.transport ?? null,
    inputSchema: definition.inputSchema ?? null,
    outputSchema: definition.outputSchema ?? null,
    annotations: definition.annotations ?? null,
    _meta: definition._meta ?? null,
    headers: null,
    auth: null,
    reachable: from?.reachable ?? true,
    gatewayId: row.gatewayId,
    gatewaySlug: gateway?.slug ?? null,
    timeoutMs: row.timeoutMs,
    metrics,
  };
}

export function resourceRead(row: ResourceRow): Json {
  const definition = JSON.parse(row.definition) as Json;
  return {
    ...entityRead(row),
    uri: row.uri,
    uriTemplate: row.isTemplate ? row.uri : null,
    name: row.customName ?? row.name,
    title: definition.title ?? null,
    description: row.description ?? definition.description ?? null,
    mimeType: row.mimeType ?? definition.mimeType ?? null,
    size: definition.size ?? null,
    annotations: definition.annotations ?? null,
    _meta: definition._meta ?? null,
    gatewayId: row.gatewayId,
    metrics: null,
  };
}

export function promptRead(row: PromptRow, gateway: GatewayRow | undefined): Json {
  const definition = JSON.parse(row.definition) as Json;
  return {
    ...entityRead(row),
    ...namesRead(row, definition),
    template: null,
    arguments: definition.arguments ?? [],
    _meta: definition._meta ?? null,
    gatewayId: row.gatewayId,
    gatewaySlug: gateway?.slug ?? null,
    metrics: null,
  };
}

/** The answer contains only the members that the reader may see. */
export function serverRead(
  row: ServerRow,
  { tools: known, others, gateways, conflictsOf, uriConflictsOf }: KnownMembers,
): Json {
  const tools = row.toolIds.filter((id) => known.has(id));
  const whole = gateways.filter(({ id }) => row.gatewayIds.includes(id));
  return {
    ...entityRead(row),
    name: row.name,
    description: row.description,
    icon: row.icon,
    naming: row.naming,
    toolOverrides: Object.fromEntries(Object.entries(row.toolOverrides).filter(([id]) => known.has(id))),
    conflicts: [...conflictsOf(row).map(conflictRead), ...uriConflictsOf(row).map(uriConflictRead)],
    serverInfo: row.serverInfo,
    instructions: row.instructions,
    revisions: row.revisions,
    associatedTools: tools.map((id) => known.get(id)!.name),
    associatedToolIds: tools,
    associatedResources: row.resourceIds.filter((id) => others.has(id)),
    associatedPrompts: row.promptIds.filter((id) => others.has(id)),
    associatedGateways: whole.map(({ name }) => name),
    associatedGatewayIds: whole.map(({ id }) => id),
    associatedTags: row.memberTags,
    excluded: row.excluded,
    associatedA2aAgents: [],
    oauthEnabled: false,
    oauthConfig: null,
    metrics: null,
  };
}

/** Two tools or prompts of a server with the same name: their ids, and the new name of the second. */
function conflictRead({ kind, name, keptBy, renamed, renamedTo }: NameConflict): Json {
  return { kind, name, keptById: keptBy.id, renamedId: renamed.id, renamedTo };
}

/** Two resources or templates of a server that claim the same URIs: their ids. */
function uriConflictRead({ kind, uri, keptBy, hidden }: UriConflict<Placed<ResourceRow>>): Json {
  return { kind, name: uri, keptById: keptBy.row.id, hiddenId: hidden.row.id };
}

function entityRead(row: EntityRow): Json {
  return {
    id: row.id,
    enabled: row.enabled,
    visibility: row.visibility,
    teamId: row.teamId,
    team: null,
    ownerEmail: row.ownerEmail,
    tags: row.tags.map((label) => ({ id: tagId(label), label })),
    createdAt: row.createdAt,
    updatedAt: row.updatedAt,
    createdBy: row.createdBy,
    modifiedBy: row.modifiedBy,
    version: row.version,
  };
}

/** The fields of an upstream that is started as a process. */
function launchRead({ transport, url }: GatewayRow, credentials: ShownCredentials): Json {
  if (transport !== "STDIO") return {};
  const variables = credentials?.type === "env" ? Object.keys(credentials.variables) : [];
  return { ...readLaunch(url), env: Object.fromEntries(variables.map((name) => [name, MASK])) };
}

function credentialsRead(authType: string | null, credentials: ShownCredentials): Json {
  const nothing = {
    authType: authType === "none" ? null : authType,
    authValue: authType === null || authType === "none" ? null : MASK,
    clientCert: credentials?.certificate?.cert ?? null,
    clientKey: credentials?.certificate === undefined ? null : MASK,
    authUsername: null,
    authPassword: null,
    authToken: null,
    authHeaderKey: null,
    authHeaderValue: null,
    authHeaders: null,
    authQueryParamKey: null,
    authQueryParamValueMasked: null,
    oauthConfig: null,
    awsConfig: null,
  };
  switch (credentials?.type) {
    case undefined:
    case "none":
      return nothing;
    case "env":
      // The answer has the variables in `env`.
      return { ...nothing, authType: null, authValue: null };
    case "oauth":
      return { ...nothing, oauthConfig: oauthConfigRead(credentials, MASK) };
    case "aws_sigv4":
      return { ...nothing, awsConfig: awsConfigRead(credentials, MASK) };
    case "basic":
      return { ...nothing, authUsername: credentials.username, authPassword: MASK };
    case "bearer":
      return { ...nothing, authToken: MASK };
    case "authheaders":
      return {
        ...nothing,
        authHeaders: credentials.headers.map(({ key }) => ({ key, value: MASK })),
        authHeaderKey: credentials.headers[0]?.key ?? null,
        authHeaderValue: credentials.headers.length > 0 ? MASK : null,
      };
    case "query_param":
      return { ...nothing, authQueryParamKey: credentials.key, authQueryParamValueMasked: MASK };
  }
}
