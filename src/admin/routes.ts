// Every route of the REST API: method, path, the permission it takes, and who handles it.
import {
  createGateway,
  GATEWAY,
  getGateway,
  listGateways,
  refreshGateway,
  updateGateway,
} from "./gateways.ts";
import { deleting, switching } from "./crud.ts";
import type { Handler } from "./deps.ts";
import { health, ready, version } from "./health.ts";
import { createPrompt, getPrompt, listPrompts, PROMPT, renderPrompt, updatePrompt } from "./prompts.ts";
import {
  createResource,
  getResource,
  getResourceInfo,
  listResources,
  listResourceTemplates,
  RESOURCE,
  updateResource,
} from "./resources.ts";
import {
  createServer,
  getServer,
  listServerPrompts,
  listServerResources,
  listServers,
  listServerTools,
  SERVER,
  updateServer,
} from "./servers.ts";
import { listRevokedTokens, revokeToken } from "./tokens.ts";
import { createTool, getTool, listTools, TOOL, updateTool } from "./tools.ts";

export interface Route {
  readonly method: "GET" | "POST" | "PUT" | "DELETE";
  /** `{id}` stands for one segment. Fixed segments win over `{}` ones. */
  readonly path: string;
  /** null: nothing but to be who the caller is. */
  readonly permission: string | null;
  readonly handler: Handler;
}

export const ROUTES: readonly Route[] = [
  route("GET", "/health", null, health),
  route("GET", "/ready", null, ready),
  route("GET", "/version", null, version),

  route("GET", "/gateways", "gateways.read", listGateways),
  route("POST", "/gateways", "gateways.create", createGateway),
  route("GET", "/gateways/{id}", "gateways.read", getGateway),
  route("PUT", "/gateways/{id}", "gateways.update", updateGateway),
  route("DELETE", "/gateways/{id}", "gateways.delete", deleting(GATEWAY)),
  route("POST", "/gateways/{id}/state", "gateways.update", switching(GATEWAY)),
  route("POST", "/gateways/{id}/toggle", "gateways.update", switching(GATEWAY)),
  route("POST", "/gateways/{id}/tools/refresh", "gateways.update", refreshGateway),

  route("GET", "/tools", "tools.read", listTools),
  route("POST", "/tools", "tools.create", createTool),
  route("GET", "/tools/{id}", "tools.read", getTool),
  route("PUT", "/tools/{id}", "tools.update", updateTool),
  route("DELETE", "/tools/{id}", "tools.delete", deleting(TOOL)),
  route("POST", "/tools/{id}/state", "tools.update", switching(TOOL)),
  route("POST", "/tools/{id}/toggle", "tools.update", switching(TOOL)),

  route("GET", "/resources", "resources.read", listResources),
  route("POST", "/resources", "resources.create", createResource),
  route("GET", "/resources/templates/list", "resources.read", listResourceTemplates),
  route("GET", "/resources/{id}", "resources.read", getResource),
  route("GET", "/resources/{id}/info", "resources.read", getResourceInfo),
  route("PUT", "/resources/{id}", "resources.update", updateResource),
  route("DELETE", "/resources/{id}", "resources.delete", deleting(RESOURCE)),
  route("POST", "/resources/{id}/state", "resources.update", switching(RESOURCE)),
  route("POST", "/resources/{id}/toggle", "resources.update", switching(RESOURCE)),

  route("GET", "/prompts", "prompts.read", listPrompts),
  route("POST", "/prompts", "prompts.create", createPrompt),
  route("GET", "/prompts/{id}", "prompts.read", getPrompt),
  route("POST", "/prompts/{id}", "prompts.read", renderPrompt),
  route("PUT", "/prompts/{id}", "prompts.update", updatePrompt),
  route("DELETE", "/prompts/{id}", "prompts.delete", deleting(PROMPT)),
  route("POST", "/prompts/{id}/state", "prompts.update", switching(PROMPT)),
  route("POST", "/prompts/{id}/toggle", "prompts.update", switching(PROMPT)),

  route("GET", "/servers", "servers.read", listServers),
  route("POST", "/servers", "servers.create", createServer),
  route("GET", "/servers/{id}", "servers.read", getServer),
  route("PUT", "/servers/{id}", "servers.update", updateServer),
  route("DELETE", "/servers/{id}", "servers.delete", deleting(SERVER)),
  route("POST", "/servers/{id}/state", "servers.update", switching(SERVER)),
  route("POST", "/servers/{id}/toggle", "servers.update", switching(SERVER)),
  route("GET", "/servers/{id}/tools", "servers.read", listServerTools),
  route("GET", "/servers/{id}/resources", "servers.read", listServerResources),
  route("GET", "/servers/{id}/prompts", "servers.read", listServerPrompts),

  // Both paths of ContextForge: there is no owner of a token here but the administrator.
  route("DELETE", "/tokens/{id}", "tokens.revoke", revokeToken),
  route("DELETE", "/tokens/admin/{id}", "tokens.revoke", revokeToken),
  route("GET", "/tokens/revoked", "tokens.revoke", listRevokedTokens),
];

function route(method: Route["method"], path: string, permission: string | null, handler: Handler): Route {
  return { method, path, permission, handler };
}
