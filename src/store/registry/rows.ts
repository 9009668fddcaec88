// The rows of the registry, as the rest of the program reads them.
import type { QuotaRow } from "../quotas/quota_rows.ts";
import type { KnownVersions } from "../sql/catalog_version.ts";
import type { TokenChange } from "../tokens/api_tokens.ts";
import type { PeopleRows } from "../people/person_rows.ts";
import type { ListEntry, ListKind } from "../../mcp/list_entries.ts";
import type { ToolApproval } from "../approvals/approval_record.ts";
import type { UpstreamApproval } from "../approvals/held_changes.ts";

export type Visibility = "public" | "team" | "private";

/** The columns of every registered entity. Times are ISO 8601 strings in UTC. */
export interface EntityRow {
  readonly id: string;
  readonly enabled: boolean;
  readonly visibility: Visibility;
  readonly teamId: string | null;
  readonly ownerEmail: string | null;
  readonly tags: readonly string[];
  readonly createdAt: string;
  readonly updatedAt: string;
  readonly createdBy: string | null;
  readonly modifiedBy: string | null;
  /** Starts at 1 and grows with each change of the row. */
  readonly version: number;
}

/**
 * A registration whose upstream has never been listed. The leader of the cluster tries it again and again.
 * Without a next try it was given up; a refresh, or switching the gateway on again, starts anew.
 */
export interface PendingRegistration {
  /** The tries that have failed. */
  readonly tries: number;
  /** ISO 8601; null: given up. */
  readonly nextTryAt: string | null;
  /** The registration names no transport: streamable HTTP is tried first, then SSE. */
  readonly isTransportOpen: boolean;
}

/**
 * session: each downstream session has upstream sessions of its own. caller: all sessions and calls of one caller share one.
 * shared: everybody does.
 */
export type Isolation = "session" | "caller" | "shared";

/** The revisions that an endpoint offers: by its upstreams, all, or these. */
export type OfferedRevisions = "auto" | "all" | readonly string[];

/** A registered upstream MCP server. The REST API calls it gateway, as ContextForge does. */
export interface GatewayRow extends EntityRow {
  readonly name: string;
  readonly slug: string;
  /** For STDIO, the command in the form of upstream/stdio/launch.ts. */
  readonly url: string;
  readonly description: string | null;
  readonly transport: "STREAMABLEHTTP" | "SSE" | "WEBSOCKET" | "STDIO";
  /** none | basic | bearer | authheaders | query_param | env */
  readonly authType: string | null;
  /** The credentials, sealed by store/secret_box.ts; null if there are none. */
  readonly authSecret: string | null;
  readonly passthroughHeaders: readonly string[] | null;
  readonly caCertificate: string | null;
  /** The operator's decision: whose calls may meet the same upstream session, process or socket. */
  readonly isolation: Isolation;
  /** The operator's decision: the only revision to speak to the upstream, or "auto" for those in `protocols`. */
  readonly protocol: string;
  /** The revisions that discovery found, newest first: one with sessions, 2026-07-28, or both. Empty if not known yet. */
  readonly protocols: readonly string[];
  /** From the upstream's `initialize` result, as received. If it speaks both kinds of revisions, those of `server/discover` too. */
  readonly capabilities: Readonly<Record<string, unknown>>;
  readonly serverInfo: Readonly<Record<string, unknown>> | null;
  readonly instructions: string | null;
  /** The revision with sessions if the upstream speaks one, else 2026-07-28; null if not known yet. */
  readonly protocolVersion: string | null;
  /** Does the upstream keep state in that revision: a session id (Mcp-Session-Id), a process, a socket? null if not known yet. */
  readonly stateful: boolean | null;
  /** The shortest `ttlMs` of the upstream's lists; null if it announces none. */
  readonly listTtlMs: number | null;
  /** The entries of the upstream's lists that were left out. */
  readonly skipped: readonly SkippedEntry[];
  /** What was wrong with the upstream's lists besides. */
  readonly listWarnings: readonly ListWarning[];
  readonly reachable: boolean;
  readonly lastSeen: string | null;
  /** The time of the last health check, and the number of consecutive failures. */
  readonly lastCheckedAt: string | null;
  readonly failedChecks: number;
  /** The reason why the last check or refresh failed; null after a success. */
  readonly lastError: string | null;
  readonly lastRefreshAt: string | null;
  readonly refreshIntervalSeconds: number | null;
  /** null: the upstream has been listed. */
  readonly registration: PendingRegistration | null;
  /** Where the registration comes from: `import:FILE`, `mcp-config:FILE`; null: a request of its own. */
  readonly source: string | null;
  /** The operator's decision: which changes wait for an approval; null: as TOOL_APPROVAL says. */
  readonly toolApproval: ToolApproval | null;
  /**
   * ISO 8601, UTC: it is switched off since then, and the calls that were under way may end. null: it is on, or calls were cut off when
   * it was switched off.
   */
  readonly drainingSince: string | null;
}

export type EntryKind = ListKind;

/** An entry of an upstream's list: a tool, resource, template or prompt. */
export interface EntryRow extends EntityRow {
  /** null if the entity belongs to no gateway. */
  readonly gatewayId: string | null;
  /** The upstream's object as JSON text, with all its fields, except for repairs. */
  readonly definition: string;
  /**
   * The place among the gateway's entities, which never changes: first the order of the upstream's first list, then new entities.
   * If the upstream changes its order, clients that are reading pages miss nothing.
   */
  readonly position: number;
}

/** An entry of an upstream's list that was left out, and the reason. */
export interface SkippedEntry {
  readonly kind: EntryKind;
  readonly name: string;
  readonly reason: string;
}

/** A list that could not be read, or an entry that lost a part. */
export interface ListWarning {
  /** The method of the list. */
  readonly list: string;
  /** The entry; null: the whole list failed, and the former entries stay; "": the whole list, which is used. */
  readonly name: string | null;
  readonly reason: string;
}

export interface ToolRow extends EntryRow {
  /** `definition` for clients of the revisions with sessions; null: the same. */
  readonly sessionDefinition: string | null;
  readonly originalName: string;
  /** The unique name, `{gateway-slug}-{tool-slug}`. A virtual server can have another name for the tool. */
  readonly name: string;
  /** The operator's choice for the last part of `name`; null for the upstream's name. */
  readonly customName: string | null;
  readonly displayName: string | null;
  /** The operator's description; null for the upstream's. */
  readonly description: string | null;
  readonly timeoutMs: number | null;
}

export interface ResourceRow extends EntryRow {
  readonly uri: string;
  /** The upstream's name. */
  readonly name: string;
  readonly isTemplate: boolean;
  /** The operator's name, description and media type in lists; null for the upstream's. */
  readonly customName: string | null;
  readonly description: string | null;
  readonly mimeType: string | null;
}

export interface PromptRow extends EntryRow {
  readonly originalName: string;
  readonly name: string;
  readonly customName: string | null;
  readonly displayName: string | null;
  readonly description: string | null;
}

/** Name and description of a tool in one virtual server. An absent field is as in the registry. */
export interface ToolOverride {
  readonly name?: string;
  readonly description?: string;
}

/** A virtual server: a selection of tools, resources and prompts with its own endpoint. */
export interface ServerRow extends EntityRow {
  readonly name: string;
  readonly description: string | null;
  readonly icon: string | null;
  /** Whether tools and prompts have their names from the registry (prefixed) or from their upstreams (original). */
  readonly naming: "prefixed" | "original";
  /** Overrides by tool id. */
  readonly toolOverrides: Readonly<Record<string, ToolOverride>>;
  /** Members that replace those of the gateway in the `initialize` result. */
  readonly serverInfo: Readonly<Record<string, unknown>> | null;
  /** null if the description is used. */
  readonly instructions: string | null;
  readonly revisions: OfferedRevisions;
  /** The members that are chosen one by one. */
  readonly toolIds: readonly string[];
  readonly resourceIds: readonly string[];
  readonly promptIds: readonly string[];
  /** Upstreams whose entries are all members, including those that the upstream adds later. */
  readonly gatewayIds: readonly string[];
  /** All entries with one of these tags are members, and all entries of upstreams with one. */
  readonly memberTags: readonly string[];
  /** Names and URIs that `gatewayIds` and `memberTags` do not bring in. */
  readonly excluded: readonly string[];
}

/** An entry that its upstream no longer lists, and that an operator has decided something about. */
export interface RemovedEntry {
  readonly gatewayId: string;
  readonly kind: EntryKind;
  /** The upstream's name, or the URI. */
  readonly key: string;
  /** The row as it was, without the upstream's definition. */
  readonly row: Omit<ToolRow | ResourceRow | PromptRow, "definition" | "sessionDefinition">;
  /** The virtual servers for which it was chosen. */
  readonly serverIds: readonly string[];
}

/** Upstreams, virtual servers and what they offer. */
export interface OfferRows {
  readonly gateways: readonly GatewayRow[];
  readonly tools: readonly ToolRow[];
  readonly resources: readonly ResourceRow[];
  readonly prompts: readonly PromptRow[];
  readonly servers: readonly ServerRow[];
  /** The names of those tools and prompts are reserved. */
  readonly removed: readonly RemovedEntry[];
  /** Of the upstreams whose changes wait for an approval. */
  readonly approvals: readonly UpstreamApproval[];
}

/** The part of them that has changed since the reader's version. */
export interface OfferChange {
  /** The upstreams that have changed, or are gone. `rows` have all of what they offer. */
  readonly gatewayIds: ReadonlySet<string>;
  /** The virtual servers that have changed, or are gone. */
  readonly serverIds: ReadonlySet<string>;
  readonly rows: OfferRows;
}

/** Everything that the data plane reads, in one version. */
export interface CatalogRows extends RightsRows, OfferRows {}

/** What has changed since the reader's version. */
export interface ChangedRows extends RightsRows {
  readonly offer: OfferChange;
}

/** Who may do what, and how much: everything in a catalog besides upstreams, virtual servers and what they offer. */
export interface RightsRows {
  readonly versions: KnownVersions;
  /** The ids (`jti`) of revoked tokens. */
  readonly revokedTokens: readonly string[];
  readonly quotas: readonly QuotaRow[];
  /** null: as the reader knows them. */
  readonly people: PeopleRows | null;
  /** The API tokens that have changed since the version that the reader knows. null: any may have changed. */
  readonly tokenChanges: readonly TokenChange[] | null;
}

/** The lists of an upstream in the upstream's order. A list is null if it could not be read. */
export interface Discovery {
  readonly capabilities: Readonly<Record<string, unknown>>;
  readonly serverInfo: Readonly<Record<string, unknown>> | null;
  readonly instructions: string | null;
  readonly protocolVersion: string;
  readonly protocols: readonly string[];
  readonly stateful: boolean;
  readonly listTtlMs: number | null;
  readonly tools: readonly DiscoveredEntry[] | null;
  readonly resources: readonly DiscoveredEntry[] | null;
  readonly resourceTemplates: readonly DiscoveredEntry[] | null;
  readonly prompts: readonly DiscoveredEntry[] | null;
  /** Entries that clients could not read. The lists do not contain them. */
  readonly skipped: readonly SkippedEntry[];
  readonly warnings: readonly ListWarning[];
  /** The transport, where it was found by trial. */
  readonly transport?: GatewayRow["transport"];
}

/** An entry that every client can read (mcp/list_entries.ts). */
export type DiscoveredEntry = Pick<ListEntry, "key" | "text" | "sessionText">;
