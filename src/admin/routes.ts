// The routes of the REST API: method, path, permission, handler and operation.
import type { Permission } from "../auth/permission_table.ts";
import type { OperationName } from "./openapi/operations.ts";
import type { Handler } from "./rest/deps.ts";
import { registerClient } from "./client_registration.ts";
import { health, ready, version } from "./health_routes.ts";

// Handlers are loaded on first use, with zod: a worker without admin requests saves the memory. `deno compile` embeds modules
// with literal names only.
const gateways = () => import("./gateways/gateway_routes.ts");
const history = () => import("./gateways/history_routes.ts");
const removed = () => import("./gateways/removed_routes.ts");
const approvals = () => import("./approvals/held_routes.ts");
const tools = () => import("./entities/tool_routes.ts");
const resources = () => import("./entities/resource_routes.ts");
const prompts = () => import("./entities/prompt_routes.ts");
const servers = () => import("./servers/server_routes.ts");
const imports = () => import("./imports/import_routes.ts");
const transfer = () => import("./transfer/transfer_routes.ts");
const importStatuses = () => import("./configurations/import_statuses.ts");
const tags = () => import("./entities/tag_routes.ts");
const tokenReads = () => import("./tokens/token_reads.ts");
const tokenWrites = () => import("./tokens/token_writes.ts");
const audit = () => import("./entities/audit_routes.ts");
const checkup = () => import("./operation/checkup_routes.ts");
const settings = () => import("./operation/setting_routes.ts");
const logs = () => import("./operation/log_routes.ts");
const logins = () => import("./people/login_routes.ts");
const applications = () => import("./people/application_routes.ts");
const connections = () => import("./gateways/connection_routes.ts");
const users = () => import("./people/user_routes.ts");
const teams = () => import("./people/team_routes.ts");
const members = () => import("./people/member_routes.ts");
const joins = () => import("./people/join_routes.ts");
const sessions = () => import("./people/session_routes.ts");
const events = () => import("./entities/event_routes.ts");
const ssoAdmin = () => import("./people/sso_admin_routes.ts");
const quotas = () => import("./people/quota_routes.ts");
const executions = () => import("./metrics/metrics_routes.ts");
const roles = () => import("./people/role_routes.ts");

export interface Route {
  readonly method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  /** `{id}` matches one segment. A path without parameters wins over one with parameters. */
  readonly path: string;
  /** "token": every caller with a verified token. null: every caller, also without a token. */
  readonly permission: Permission | "token" | null;
  /**
   * May the answer be cached until the catalog's version changes? It may if it depends only on the catalog, the query and the
   * caller's visibility. Reads of gateways are not cached: health checks change them. Reads that ask an upstream are not, either.
   */
  readonly isKept: boolean;
  /** The answer is the same for every caller who has the permission: it depends on the query and on this replica alone. */
  readonly isCallerless: boolean;
  readonly handler: Handler;
  /** The entry that describes the route in the OpenAPI document (openapi/operations.ts). */
  readonly operation: OperationName;
}

export const ROUTES: readonly Route[] = [
  route("GET", "/health", null, { handler: health, operation: "getHealth" }),
  route("GET", "/ready", null, { handler: ready, operation: "getReadiness" }),
  route("GET", "/version", "admin.system_config", { handler: version, operation: "getVersion" }),
  route("POST", "/register", null, { handler: registerClient, operation: "registerClient" }),

  route("GET", "/gateways", "gateways.read", on(gateways, "listGateways")),
  route("POST", "/gateways", "gateways.create", on(gateways, "createGateway")),
  route("POST", "/gateways/test", "gateways.create", on(gateways, "testGateway")),
  route("GET", "/gateways/{id}", "gateways.read", on(gateways, "getGateway")),
  route("PUT", "/gateways/{id}", "gateways.update", on(gateways, "updateGateway")),
  route("DELETE", "/gateways/{id}", "gateways.delete", on(gateways, "deleteGateway")),
  route("POST", "/gateways/{id}/state", "gateways.update", on(gateways, "switchGateway")),
  route("POST", "/gateways/{id}/toggle", "gateways.update", on(gateways, "switchGateway", "toggleGateway")),
  route("POST", "/gateways/{id}/drain", "gateways.update", on(gateways, "drainGateway")),
  route("GET", "/gateways/{id}/history", "gateways.update", on(history, "listGatewayHistory")),
  route("POST", "/gateways/{id}/tools/refresh", "gateways.update", on(gateways, "refreshGateway")),
  route("GET", "/gateways/{id}/removed", "gateways.update", on(removed, "listRemoved")),
  route("DELETE", "/gateways/{id}/removed/{entry}", "gateways.update", on(removed, "forgetRemoved")),
  route("GET", "/gateways/{id}/held", "gateways.approve", on(approvals, "listHeldOfGateway")),
  route("POST", "/gateways/{id}/held/approve", "gateways.approve", on(approvals, "approveHeld")),
  route("POST", "/gateways/{id}/held/reject", "gateways.approve", on(approvals, "rejectHeld")),
  route("GET", "/held", "gateways.approve", on(approvals, "listHeldChanges")),

  // Lists in numbered pages, under ContextForge's paths for its user interface.
  route("GET", "/admin/gateways", "gateways.read", on(gateways, "pageGateways")),
  kept("/admin/tools", "tools.read", on(tools, "pageTools")),
  kept("/admin/resources", "resources.read", on(resources, "pageResources")),
  kept("/admin/prompts", "prompts.read", on(prompts, "pagePrompts")),
  kept("/admin/servers", "servers.read", on(servers, "pageServers")),

  kept("/tags", "tags.read", on(tags, "listTags")),
  kept("/tags/{tag}/entities", "tags.read", on(tags, "listTagged")),

  route("GET", "/export", "admin.export", on(transfer, "exportConfiguration")),
  route("POST", "/export/selective", "admin.export", on(transfer, "exportSelection")),
  route("POST", "/import", "admin.import", on(transfer, "importConfiguration")),
  route("GET", "/import/status", "admin.import", on(importStatuses, "listImportStatuses")),
  route("GET", "/import/status/{id}", "admin.import", on(importStatuses, "getImportStatus")),
  route("POST", "/import/cleanup", "admin.import", on(importStatuses, "cleanUpImports")),
  route("POST", "/import/mcp-servers", "gateways.create", on(imports, "importMcpServers")),

  kept("/tools", "tools.read", on(tools, "listTools")),
  route("POST", "/tools", "tools.create", on(tools, "createTool")),
  // The metrics of an entry change without the registry, so the answer is not kept.
  route("GET", "/tools/{id}", "tools.read", on(tools, "getTool")),
  route("PUT", "/tools/{id}", "tools.update", on(tools, "updateTool")),
  route("DELETE", "/tools/{id}", "tools.delete", on(tools, "deleteTool")),
  route("POST", "/tools/{id}/state", "tools.update", on(tools, "switchTool")),
  route("POST", "/tools/{id}/toggle", "tools.update", on(tools, "switchTool", "toggleTool")),

  kept("/resources", "resources.read", on(resources, "listResources")),
  route("POST", "/resources", "resources.create", on(resources, "createResource")),
  kept("/resources/templates/list", "resources.read", on(resources, "listResourceTemplates")),
  route("GET", "/resources/{id}", "resources.read", on(resources, "getResource")),
  route("GET", "/resources/{id}/info", "resources.read", on(resources, "getResourceInfo")),
  route("PUT", "/resources/{id}", "resources.update", on(resources, "updateResource")),
  route("DELETE", "/resources/{id}", "resources.delete", on(resources, "deleteResource")),
  route("POST", "/resources/{id}/state", "resources.update", on(resources, "switchResource")),
  route(
    "POST",
    "/resources/{id}/toggle",
    "resources.update",
    on(resources, "switchResource", "toggleResource"),
  ),

  kept("/prompts", "prompts.read", on(prompts, "listPrompts")),
  route("POST", "/prompts", "prompts.create", on(prompts, "createPrompt")),
  route("GET", "/prompts/{id}", "prompts.read", on(prompts, "getPrompt")),
  route("POST", "/prompts/{id}", "prompts.read", on(prompts, "renderPrompt")),
  route("GET", "/prompts/{id}/info", "prompts.read", on(prompts, "getPromptInfo")),
  route("PUT", "/prompts/{id}", "prompts.update", on(prompts, "updatePrompt")),
  route("DELETE", "/prompts/{id}", "prompts.delete", on(prompts, "deletePrompt")),
  route("POST", "/prompts/{id}/state", "prompts.update", on(prompts, "switchPrompt")),
  route("POST", "/prompts/{id}/toggle", "prompts.update", on(prompts, "switchPrompt", "togglePrompt")),

  kept("/servers", "servers.read", on(servers, "listServers")),
  route("POST", "/servers", "servers.create", on(servers, "createServer")),
  route("GET", "/servers/{id}", "servers.read", on(servers, "getServer")),
  route("PUT", "/servers/{id}", "servers.update", on(servers, "updateServer")),
  route("DELETE", "/servers/{id}", "servers.delete", on(servers, "deleteServer")),
  route("POST", "/servers/{id}/state", "servers.update", on(servers, "switchServer")),
  route("POST", "/servers/{id}/toggle", "servers.update", on(servers, "switchServer", "toggleServer")),
  kept("/servers/{id}/tools", "servers.read", on(servers, "listServerTools")),
  kept("/servers/{id}/resources", "servers.read", on(servers, "listServerResources")),
  kept("/servers/{id}/prompts", "servers.read", on(servers, "listServerPrompts")),

  route("POST", "/auth/login", null, on(logins, "login")),
  route("POST", "/auth/email/login", null, on(logins, "login", "loginByEmail")),
  route("POST", "/auth/setup", null, on(logins, "setUp")),
  route("POST", "/auth/reset-password", null, on(logins, "resetPassword")),
  route("POST", "/auth/email/forgot-password", null, on(logins, "forgotPassword")),
  route("GET", "/auth/email/reset-password/{token}", null, on(logins, "checkPasswordToken")),
  route("POST", "/auth/email/reset-password/{token}", null, on(logins, "resetPasswordByPath")),
  route("POST", "/auth/change-password", null, on(logins, "changeOldPassword")),
  route("POST", "/auth/email/change-password", "token", on(logins, "changePassword")),
  route("POST", "/auth/logout", "token", on(logins, "logout")),
  route("GET", "/oauth/applications", "token", on(applications, "listApplications")),
  route("DELETE", "/oauth/applications/{id}", "tokens.revoke", on(applications, "disconnectApplication")),
  route("GET", "/connections", "token", on(connections, "listConnections")),
  route("GET", "/connections/all", "gateways.update", on(connections, "listAllConnections")),
  route("DELETE", "/connections/{id}", "tokens.revoke", on(connections, "disconnectUpstream")),
  route("DELETE", "/connections/{id}/users/{owner}", "gateways.update", on(connections, "disconnectUser")),
  route("GET", "/auth/validate", "token", on(sessions, "validateSession")),
  route("POST", "/auth/refresh", "token", on(sessions, "refreshSession")),
  route("GET", "/auth/email/events", "token", on(events, "listMyEvents")),
  route("GET", "/auth/email/admin/events", "admin.user_management", on(events, "listAllEvents")),
  route("GET", "/auth/email/me", "token", on(logins, "getMe")),
  route("GET", "/auth/email/admin/users", "admin.user_management", on(users, "listUsers")),
  route("POST", "/auth/email/admin/users", "admin.user_management", on(users, "createUser")),
  route("POST", "/auth/email/register", "admin.user_management", on(users, "createUser", "registerUser")),
  route("GET", "/auth/email/admin/users/{email}", "admin.user_management", on(users, "getUser")),
  route("PATCH", "/auth/email/admin/users/{email}", "admin.user_management", on(users, "updateUser")),
  route(
    "PUT",
    "/auth/email/admin/users/{email}",
    "admin.user_management",
    on(users, "updateUser", "replaceUser"),
  ),
  route("DELETE", "/auth/email/admin/users/{email}", "admin.user_management", on(users, "deleteUser")),
  route("POST", "/auth/email/admin/users/{email}/unlock", "admin.user_management", on(users, "unlockUser")),
  route(
    "POST",
    "/auth/email/admin/users/{email}/reset-password",
    "admin.user_management",
    on(users, "makePasswordLink"),
  ),

  route(
    "GET",
    "/auth/sso/admin/providers",
    "admin.user_management",
    on(ssoAdmin, "listSsoProvidersOfSettings"),
  ),
  route(
    "POST",
    "/auth/sso/admin/providers",
    "admin.user_management",
    on(ssoAdmin, "createSsoProvider"),
  ),
  route(
    "GET",
    "/auth/sso/admin/providers/{provider}",
    "admin.user_management",
    on(ssoAdmin, "getSsoProvider"),
  ),
  route(
    "PUT",
    "/auth/sso/admin/providers/{provider}",
    "admin.user_management",
    on(ssoAdmin, "createSsoProvider", "updateSsoProvider"),
  ),
  route(
    "DELETE",
    "/auth/sso/admin/providers/{provider}",
    "admin.user_management",
    on(ssoAdmin, "createSsoProvider", "deleteSsoProvider"),
  ),
  route("GET", "/auth/sso/pending-approvals", "admin.user_management", on(ssoAdmin, "listPendingApprovals")),
  route(
    "POST",
    "/auth/sso/pending-approvals/{approval}/action",
    "admin.user_management",
    on(ssoAdmin, "decideApproval"),
  ),

  route("GET", "/teams", "teams.read", on(teams, "listTeams")),
  route("POST", "/teams", "teams.create", on(teams, "createTeam")),
  route("GET", "/teams/discover", "teams.join", on(teams, "discoverTeams")),
  route("GET", "/teams/{id}", "teams.read", on(teams, "getTeam")),
  route("PUT", "/teams/{id}", "teams.update", on(teams, "updateTeam")),
  route("DELETE", "/teams/{id}", "teams.delete", on(teams, "deleteTeam")),
  route("POST", "/teams/{id}/join", "teams.join", on(joins, "joinTeam")),
  route("GET", "/teams/{id}/join-requests", "teams.manage_members", on(joins, "listJoinRequests")),
  route(
    "POST",
    "/teams/{id}/join-requests/{request}/approve",
    "teams.manage_members",
    on(joins, "approveJoinRequest"),
  ),
  route(
    "DELETE",
    "/teams/{id}/join-requests/{request}",
    "teams.manage_members",
    on(joins, "rejectJoinRequest"),
  ),
  route("DELETE", "/teams/{id}/leave", "teams.join", on(members, "leaveTeam")),
  route("GET", "/teams/{id}/members", "teams.read", on(members, "listMembers")),
  route("POST", "/teams/{id}/members", "teams.manage_members", on(members, "addMember")),
  route("PUT", "/teams/{id}/members/{email}", "teams.manage_members", on(members, "updateMember")),
  route("DELETE", "/teams/{id}/members/{email}", "teams.manage_members", on(members, "removeMember")),
  route("GET", "/teams/{id}/invitations", "teams.manage_members", on(members, "listInvitations")),
  route("POST", "/teams/{id}/invitations", "teams.manage_members", on(members, "inviteMember")),
  route("POST", "/teams/invitations/{token}/accept", "teams.join", on(members, "acceptInvitation")),
  route("DELETE", "/teams/invitations/{invitation}", "teams.manage_members", on(members, "cancelInvitation")),

  route("GET", "/rbac/roles", "admin.user_management", on(roles, "listRoles")),
  route("POST", "/rbac/roles", "admin.user_management", on(roles, "createRole")),
  route("GET", "/rbac/roles/{role}", "admin.user_management", on(roles, "getRole")),
  route("PUT", "/rbac/roles/{role}", "admin.user_management", on(roles, "updateRole")),
  route("DELETE", "/rbac/roles/{role}", "admin.user_management", on(roles, "deleteRole")),
  route("GET", "/rbac/users/{email}/roles", "admin.user_management", on(roles, "listUserRoles")),
  route("POST", "/rbac/users/{email}/roles", "admin.user_management", on(roles, "assignRole")),
  route("DELETE", "/rbac/users/{email}/roles/{role}", "admin.user_management", on(roles, "revokeRole")),
  route("POST", "/rbac/permissions/check", "admin.user_management", on(roles, "checkPermission")),
  route("GET", "/rbac/permissions/user/{email}", "admin.user_management", on(roles, "listUserPermissions")),
  route("GET", "/rbac/permissions/available", "token", on(roles, "listPermissions")),
  route("GET", "/rbac/my/roles", "token", on(roles, "listMyRoles")),
  route("GET", "/rbac/my/permissions", "token", on(roles, "listMyPermissions")),

  route("GET", "/tokens", "tokens.read", on(tokenReads, "listTokens")),
  route("POST", "/tokens", "tokens.create", on(tokenWrites, "createToken")),
  route("GET", "/tokens/{id}", "tokens.read", on(tokenReads, "getToken")),
  route("PUT", "/tokens/{id}", "tokens.update", on(tokenWrites, "updateToken")),
  route("DELETE", "/tokens/{id}", "tokens.revoke", on(tokenWrites, "revokeToken")),
  route("GET", "/tokens/{id}/usage", "tokens.read", on(tokenReads, "getTokenUsage")),
  route("GET", "/tokens/teams/{team}", "tokens.read", on(tokenReads, "listTeamTokens")),
  route("POST", "/tokens/teams/{team}", "tokens.create", on(tokenWrites, "createTeamToken")),
  route("GET", "/tokens/admin/all", "admin.user_management", on(tokenReads, "listAllTokens")),
  route(
    "DELETE",
    "/tokens/admin/{id}",
    "admin.user_management",
    on(tokenWrites, "revokeToken", "revokeTokenAsAdmin"),
  ),
  route("GET", "/tokens/revoked", "admin.user_management", on(tokenReads, "listRevokedTokens")),

  route("GET", "/quotas", "admin.quotas", on(quotas, "listQuotas")),
  route("POST", "/quotas", "admin.quotas", on(quotas, "createQuota")),
  route("GET", "/quotas/{id}", "admin.quotas", on(quotas, "getQuota")),
  route("PUT", "/quotas/{id}", "admin.quotas", on(quotas, "updateQuota")),
  route("DELETE", "/quotas/{id}", "admin.quotas", on(quotas, "deleteQuota")),

  callerless("/logs", "admin.system_config", on(logs, "listLogLines")),
  route("GET", "/logs/stream", "admin.system_config", on(logs, "streamLogLines")),
  // ContextForge's paths.
  route("GET", "/admin/logs", "admin.system_config", on(logs, "listLogLines", "listLogLinesAsAdmin")),
  route(
    "GET",
    "/admin/logs/stream",
    "admin.system_config",
    on(logs, "streamLogLines", "streamLogLinesAsAdmin"),
  ),
  callerless("/settings", "admin.system_config", on(settings, "listSettings")),
  callerless("/settings/advice", "admin.system_config", on(settings, "adviseSettings")),
  callerless("/doctor", "admin.system_config", on(checkup, "readCheckup")),
  route("POST", "/doctor", "admin.system_config", on(checkup, "examine")),
  route("GET", "/metrics/history", "admin.metrics", on(executions, "readExecutionHistory")),
  route("POST", "/metrics/reset", "admin.metrics", on(executions, "resetMetrics")),

  route("GET", "/audit", "admin.security_audit", on(audit, "listAuditRecords")),
];

/** A handler and the operation that it carries out. */
type Served = Pick<Route, "handler" | "operation">;

function route(
  method: Route["method"],
  path: string,
  permission: Route["permission"],
  served: Served,
): Route {
  return { method, path, permission, isKept: false, isCallerless: false, ...served };
}

function kept(path: string, permission: Permission, served: Served): Route {
  return { ...route("GET", path, permission, served), isKept: true };
}

function callerless(path: string, permission: Permission, served: Served): Route {
  return { ...route("GET", path, permission, served), isCallerless: true };
}

/** A handler in a module that is loaded on its first call. The operation has the handler's name, unless another is given. */
function on<Name extends OperationName>(
  load: () => Promise<Readonly<Record<Name, Handler>>>,
  name: Name,
  operation: OperationName = name,
): Served {
  return { handler: async (call) => await (await load())[name](call), operation };
}
