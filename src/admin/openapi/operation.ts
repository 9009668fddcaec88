// Room `openapi`: describes the REST API. Each operation has one entry here, with the schemas of its request and its answers; the
// document is made from the entries and the routes. All of it is loaded on first use. This file says what an entry has.
import type { z } from "zod";
import type { Permission } from "../../auth/permission_table.ts";
import type { ErrorCode } from "../../base/errors.ts";

/** The groups of operations, in the order of the document. */
export const TAGS = {
  Gateways: "Upstream MCP servers that are registered here. ContextForge's name for them is gateways.",
  Tools: "Tools of the upstreams: their names, descriptions and visibility.",
  Resources: "Resources and resource templates of the upstreams.",
  Prompts: "Prompts of the upstreams.",
  Servers:
    "Virtual servers: selections of tools, resources and prompts, each with an MCP endpoint of its own.",
  Tags: "Tags of all entities.",
  Transfer: "Configurations that move from one gateway to another, in ContextForge's shape.",
  Import: "Registers the servers of an MCP client's configuration file.",
  Logins: "Logins with email and password.",
  Users: "The records of users.",
  Teams: "Teams, their members, and invitations to them.",
  Roles: "Roles, and who has them.",
  Quotas: "What users, teams, tokens and tools may use of upstreams in a window of time.",
  Tokens: "API tokens of users, and the revocation of tokens of every kind.",
  Operation: "Health, metrics and the session pool.",
  MCP: "The endpoints of MCP clients. JSON-RPC 2.0, as the MCP specification defines it.",
  Documents: "This description, and the pages for browsers.",
} as const;

export type Tag = keyof typeof TAGS;

export interface Operation {
  readonly tag: Tag;
  /** One line without a full stop. */
  readonly summary: string;
  /** Further sentences. Names in backticks, paragraphs with an empty line between them. */
  readonly description?: string;
  /** What each `{name}` of the path stands for. */
  readonly path?: Readonly<Record<string, string>>;
  readonly query?: z.ZodObject;
  readonly headers?: z.ZodObject;
  readonly body?: RequestBody;
  /** The bodies of the answers that are no errors of the catalogue, by status; null: no body. */
  readonly answers: Readonly<Record<number, z.ZodType | null>>;
  /** Media types of the answers other than application/json, by status. */
  readonly mediaTypes?: Readonly<Record<number, readonly string[]>>;
  /** Error codes of this operation besides those that follow from its permission, path, query and body. */
  readonly errors?: readonly ErrorCode[];
  /** Errors are JSON-RPC error objects. Any status can have one. */
  readonly isJsonRpc?: boolean;
}

/** An operation with its place. `permission: null` stands for an open endpoint, undefined for a permission by method. */
export interface EndpointOperation extends Operation {
  readonly operationId: string;
  readonly method: "GET" | "POST" | "DELETE";
  readonly at: string;
  readonly permission: Permission | null | undefined;
}

export interface RequestBody {
  readonly schema: z.ZodType;
  /** A valid body. */
  readonly example: unknown;
  readonly isOptional?: boolean;
}

/** The operations of one group. */
export function operations<const Names extends string>(
  tag: Tag,
  described: Readonly<Record<Names, Omit<Operation, "tag">>>,
): Readonly<Record<Names, Operation>> {
  const entries = Object.entries<Omit<Operation, "tag">>(described);
  return Object.fromEntries(entries.map(([name, operation]) => [name, { tag, ...operation }])) as Record<
    Names,
    Operation
  >;
}
