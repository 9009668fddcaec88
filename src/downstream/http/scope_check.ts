// Scopes of access tokens, before a request is served: MCP wants HTTP 403 with the scopes that are missing, also within a session
// (MCP 2025-11-25, authorization, "Runtime Insufficient Scope Errors").
import { COMPLETION_PERMISSIONS, METHOD_PERMISSIONS } from "../../auth/method_permissions.ts";
import { MCP_SCOPES } from "../../auth/oauth/scopes.ts";
import type { Permission } from "../../auth/permission_table.ts";
import type { Principal } from "../../auth/principal.ts";
import { includesPermission } from "../../auth/rbac.ts";
import { SluiceError } from "../../base/errors.ts";
import { isObject, parseJson } from "../../mcp/json_rpc.ts";

/**
 * Checks that an access token includes what the messages of a body need. Other tokens, and bodies that are not JSON-RPC, are left to
 * the endpoint that serves the request.
 * @throws {SluiceError} INSUFFICIENT_SCOPE, PARSE_ERROR, BODY_TOO_DEEP
 */
export function requireScopes(principal: Principal, body: string, maxJsonDepth: number): void {
  if (principal.resource === undefined || body === "" || hasAllScopes(principal)) return;
  const value = parseJson(body, maxJsonDepth);
  for (const message of Array.isArray(value) ? value : [value]) {
    const permission = isObject(message) ? permissionOf(message.method, message.params) : null;
    if (permission === null || includesPermission(principal, permission)) continue;
    const scope = [...principal.permissions ?? [], permission].join(" ");
    throw new SluiceError("INSUFFICIENT_SCOPE", { permission, scope });
  }
}

function hasAllScopes(principal: Principal): boolean {
  return MCP_SCOPES.every((permission) => includesPermission(principal, permission));
}

function permissionOf(method: unknown, params: unknown): Permission | null {
  if (typeof method !== "string" || !Object.hasOwn(METHOD_PERMISSIONS, method)) return null;
  if (method !== "completion/complete") return METHOD_PERMISSIONS[method as keyof typeof METHOD_PERMISSIONS];
  const type = isObject(params) && isObject(params.ref) ? params.ref.type : undefined;
  return type === "ref/prompt" || type === "ref/resource" ? COMPLETION_PERMISSIONS[type] : null;
}
