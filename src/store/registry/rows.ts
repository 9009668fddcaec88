// What the database holds: the rows, and the interface that every driver gives the rest of the program.

export type Visibility = "public" | "team" | "private";

/** Columns that every registered entity has. Times are ISO 8601 strings in UTC. */
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
  /** Counts the row's changes, from 1. */
  readonly version: number;
}

/** A registered upstream MCP server; "gateway" on the wire, because ContextForge's users know it so. */
export interface GatewayRow extends EntityRow {
  readonly name: string;
  readonly slug: string;
  /** For STDIO: what is started, as upstream/stdio/launch.ts writes it. */
  readonly url: string;
  readonly description: string | null;
  readonly transport: "STREAMABLEHTTP" | "SSE" | "WEBSOCKET" | "STDIO";
  /** none | basic | bearer | authheaders | query_param | env */
  readonly authType: string | null;
  /** The credentials, sealed (store/secret_box.ts); null where there are none. */
  readonly authSecret: string | null;
  readonly passthroughHeaders: readonly string[] | null;
  readonly caCertificate: string | null;
  /** Who may share a session to it: bound = one downstream session (default), shared = one identity. */
  readonly sessionMode: "bound" | "shared";
  /** From its `initialize` answer, as received. */
  readonly capabilities: Readonly<Record<string, unknown>>;
  readonly serverInfo: Readonly<Record<string, unknown>> | null;
  readonly instructions: string | null;
  readonly protocolVersion: string | null;
  /** Did it give us an Mcp-Session-Id? null: not asked yet. */
  readonly stateful: boolean | null;
  /** The shortest time that it allows any of its lists to be kept, ms; null: it does not say. */
  readonly listTtlMs: number | null;
  readonly reachable: boolean;
  readonly lastSeen: string | null;
  /** By the health checks: when the last one was, and how many have failed since it was last seen. */
  readonly lastCheckedAt: string | null;
  readonly failedChecks: number;
  /** Why the last check or refresh failed; null after one that succeeded. */
  readonly lastError: string | null;
  readonly lastRefreshAt: string | null;
  readonly refreshIntervalSeconds: number | null;
}

export interface ToolRow extends EntityRow {
  /** null: not from a gateway. */
  readonly gatewayId: string | null;
  readonly originalName: string;
  /** The name clients see where no virtual server says otherwise: `{gateway-slug}-{tool-slug}`; unique. */
  readonly name: string;
  /** The operator's choice for the last part of `name`; null: the upstream's. */
  readonly customName: string | null;
  readonly displayName: string | null;
  /** The operator's description; null: the upstream's. */
  readonly description: string | null;
  /** The upstream's tool object as JSON text, every field kept, known to us or not. */
  readonly definition: string;
  /**
   * Its place among its gateway's, kept for life: the upstream's order when it was first seen, what came later behind. An
   * upstream that lists its things in another order moves nothing under a client that is reading pages.
   */
  readonly position: number;
  readonly timeoutMs: number | null;
}

export interface ResourceRow extends EntityRow {
  readonly gatewayId: string | null;
  readonly uri: string;
  readonly name: string;
  readonly isTemplate: boolean;
  readonly definition: string;
  readonly position: number;
}

export interface PromptRow extends EntityRow {
  readonly gatewayId: string | null;
  readonly originalName: string;
  readonly name: string;
  readonly customName: string | null;
  readonly displayName: string | null;
  readonly description: string | null;
  readonly definition: string;
  readonly position: number;
}

/** What an operator calls a tool in one virtual server; what is missing is as elsewhere. */
export interface ToolOverride {
  readonly name?: string;
  readonly description?: string;
}

/** A virtual server: a chosen set of tools, resources and prompts at an endpoint of its own. */
export interface ServerRow extends EntityRow {
  readonly name: string;
  readonly description: string | null;
  readonly icon: string | null;
  /** How its tools and prompts are called where nothing else is said: as in the registry, or as their upstreams call them. */
  readonly naming: "prefixed" | "original";
  /** By tool id. */
  readonly toolOverrides: Readonly<Record<string, ToolOverride>>;
  /** What `initialize` says in place of our own words, member by member. */
  readonly serverInfo: Readonly<Record<string, unknown>> | null;
  /** null: the description. */
  readonly instructions: string | null;
  readonly toolIds: readonly string[];
  readonly resourceIds: readonly string[];
  readonly promptIds: readonly string[];
}

/** Everything that the data plane reads, as of one version. */
export interface CatalogRows {
  readonly version: number;
  readonly gateways: readonly GatewayRow[];
  readonly tools: readonly ToolRow[];
  readonly resources: readonly ResourceRow[];
  readonly prompts: readonly PromptRow[];
  readonly servers: readonly ServerRow[];
  /** Ids (`jti`) of tokens that are refused. */
  readonly revokedTokens: readonly string[];
}

/** What an upstream was found to offer: of its lists each object as the JSON text that it sent, in its order. */
export interface Discovery {
  readonly capabilities: Readonly<Record<string, unknown>>;
  readonly serverInfo: Readonly<Record<string, unknown>> | null;
  readonly instructions: string | null;
  readonly protocolVersion: string;
  readonly stateful: boolean;
  readonly listTtlMs: number | null;
  readonly tools: readonly string[];
  /** Tools that clients must not offer, and why: they are not among the others. */
  readonly refusedTools?: readonly { readonly name: string; readonly reason: string }[];
  readonly resources: readonly string[];
  readonly resourceTemplates: readonly string[];
  readonly prompts: readonly string[];
}
