// The table of permissions, under ContextForge's names, and the built-in roles that grant them. The checks of routes and MCP methods,
// the words of `sluice token`, and the tests of who may do what all read this table.

interface PermissionRow {
  /** What the permission allows, as a verb phrase. */
  readonly allows: string;
  /** A caller without a user record has the permission without being an administrator. */
  readonly isOpen?: true;
  /** Only a role that is assigned everywhere grants it: it concerns more than the entries of one team. */
  readonly isGlobal?: true;
}

const TABLE = {
  "tools.read": { allows: "list tools", isOpen: true },
  "tools.create": { allows: "add tools" },
  "tools.update": { allows: "change tools, switch them on and off" },
  "tools.delete": { allows: "delete tools" },
  "tools.execute": { allows: "call tools, and manage the tasks of these calls", isOpen: true },
  "resources.read": { allows: "list, read and subscribe to resources", isOpen: true },
  "resources.create": { allows: "add resources" },
  "resources.update": { allows: "change resources, switch them on and off" },
  "resources.delete": { allows: "delete resources" },
  "prompts.read": { allows: "list and render prompts", isOpen: true },
  "prompts.create": { allows: "add prompts" },
  "prompts.update": { allows: "change prompts, switch them on and off" },
  "prompts.delete": { allows: "delete prompts" },
  "servers.read": { allows: "list virtual servers", isOpen: true },
  "servers.create": { allows: "add virtual servers" },
  "servers.update": { allows: "change virtual servers, switch them on and off" },
  "servers.delete": { allows: "delete virtual servers" },
  "gateways.read": { allows: "list upstreams", isOpen: true },
  "gateways.create": { allows: "register upstreams" },
  "gateways.update": { allows: "change and refresh upstreams, switch them on and off" },
  "gateways.delete": { allows: "delete upstreams" },
  "gateways.approve": { allows: "see, approve and reject what upstreams change" },
  "tags.read": { allows: "list tags", isOpen: true },
  "teams.create": { allows: "found teams", isGlobal: true },
  "teams.read": { allows: "read teams and their members" },
  "teams.update": { allows: "change teams" },
  "teams.delete": { allows: "delete teams" },
  "teams.join": { allows: "find public teams, ask to join them, accept invitations, leave teams" },
  "teams.manage_members": { allows: "invite, add and remove members of teams" },
  "tokens.create": { allows: "make API tokens of one's own" },
  "tokens.read": { allows: "list API tokens of one's own and of one's teams" },
  "tokens.update": { allows: "change API tokens of one's own" },
  "tokens.revoke": { allows: "revoke API tokens of one's own, disconnect applications and upstreams" },
  "admin.metrics": { allows: "read metrics", isGlobal: true },
  "admin.system_config": {
    allows: "read diagnostics, settings and the log, drain the session pool",
    isGlobal: true,
  },
  "admin.security_audit": { allows: "read the audit trail", isGlobal: true },
  "admin.quotas": { allows: "read and set quotas", isGlobal: true },
  "admin.export": { allows: "export the configuration", isGlobal: true },
  "admin.import": { allows: "import a configuration", isGlobal: true },
  "admin.user_management": {
    allows: "manage users, roles and who has them, and the tokens of everybody",
    isGlobal: true,
  },
} as const satisfies Readonly<Record<string, PermissionRow>>;

export type Permission = keyof typeof TABLE;

export const PERMISSIONS = Object.keys(TABLE) as Permission[];

/** The entry of a token's or role's permissions that stands for all of them. */
export const EVERY_PERMISSION = "*";

export function isPermission(text: string): text is Permission {
  return Object.hasOwn(TABLE, text);
}

/** What the permission allows, as a verb phrase. */
export function allowedBy(permission: Permission): string {
  return TABLE[permission].allows;
}

/** Does a caller without a user record need to be an administrator to use `permission`? */
export function needsAdministrator(permission: Permission): boolean {
  return !("isOpen" in TABLE[permission]);
}

/** Does only a role that is assigned everywhere grant `permission`? */
export function isGlobal(permission: Permission): boolean {
  return "isGlobal" in TABLE[permission];
}

/** Where a role counts: everywhere, for the entries of one team, or for one virtual server. */
export type RoleScope = "global" | "team" | "server";

export interface Role {
  readonly name: string;
  readonly description: string;
  /** The scope that the role is made for. An administrator can assign it in any scope. */
  readonly scope: RoleScope;
  /** May contain EVERY_PERMISSION. */
  readonly permissions: readonly string[];
}

const READ: readonly Permission[] = [
  "tools.read",
  "resources.read",
  "prompts.read",
  "servers.read",
  "gateways.read",
  "tags.read",
  "teams.read",
  "teams.join",
];

const WRITE: readonly Permission[] = (["tools", "resources", "prompts", "servers", "gateways"] as const)
  .flatMap((kind): Permission[] => [`${kind}.create`, `${kind}.update`, `${kind}.delete`]);

/** What users do with their own API tokens. */
const OWN_TOKENS: readonly Permission[] = ["tokens.create", "tokens.read", "tokens.update", "tokens.revoke"];

/**
 * ContextForge's roles of the same names (1.0.8, `bootstrap_default_roles`), as far as their permissions are in the table.
 * `tags.read` is added to all: tags are parts of the entries that a role can read.
 */
export const BUILT_IN_ROLES = {
  platform_admin: {
    name: "platform_admin",
    description: "Everything, for everybody's entries",
    scope: "global",
    permissions: [EVERY_PERMISSION],
  },
  team_admin: {
    name: "team_admin",
    description: "Use and change the entries of a team, and manage the team",
    scope: "team",
    permissions: [
      ...READ,
      ...OWN_TOKENS,
      "tools.execute",
      ...WRITE,
      "gateways.approve",
      "teams.update",
      "teams.delete",
      "teams.manage_members",
    ],
  },
  developer: {
    name: "developer",
    description: "Use and change the entries of a team",
    scope: "team",
    permissions: [...READ, ...OWN_TOKENS, "tools.execute", ...WRITE],
  },
  viewer: {
    name: "viewer",
    description: "Read the entries of a team and call its tools",
    scope: "team",
    permissions: [...READ, ...OWN_TOKENS, "tools.execute"],
  },
  platform_viewer: {
    name: "platform_viewer",
    description: "Read entries, without calling tools",
    scope: "global",
    permissions: [...READ, ...OWN_TOKENS],
  },
} as const satisfies Readonly<Record<string, Role>>;
