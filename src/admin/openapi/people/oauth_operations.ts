// The operations of OAuth clients, which are outside of the route table.
import * as z from "zod";
import { field } from "../../rest/described.ts";
import type { EndpointOperation } from "../operation.ts";

const common = { tag: "Logins", permission: null } as const;

const resourceMetadata = z.strictObject({
  resource: field(z.string(), "The address of the resource.", "https://gateway.example.com/mcp"),
  resource_name: field(z.string(), "A name for people.", "Sluice"),
  authorization_servers: field(z.array(z.string()), "The issuers where clients log in.", [
    "https://gateway.example.com",
  ]),
  scopes_supported: field(z.array(z.string()), "The scopes that MCP clients need to use everything.", [
    "tools.read",
  ]),
  bearer_methods_supported: field(z.array(z.literal("header")), "Where the token goes.", ["header" as const]),
}).describe("Metadata of a protected resource (RFC 9728).");

const SERVER = { server: "The id of the virtual server." };

function metadataAt(
  operationId: string,
  at: string,
  of: string,
  path?: EndpointOperation["path"],
): EndpointOperation {
  return {
    ...common,
    ...(path === undefined ? {} : { path }),
    operationId,
    method: "GET",
    at,
    summary: `Read where clients log in: ${of}`,
    description:
      "404 if clients cannot log in to this gateway. Web pages of every origin may read the answer.",
    answers: { 200: resourceMetadata },
    errors: ["NOT_FOUND", "INVALID_REQUEST"],
  };
}

export const OAUTH_OPERATIONS: readonly EndpointOperation[] = [
  metadataAt("getGatewayResource", "/.well-known/oauth-protected-resource", "the whole gateway"),
  metadataAt("getMcpResource", "/.well-known/oauth-protected-resource/mcp", "everything at `/mcp`"),
  metadataAt(
    "getServerResource",
    "/.well-known/oauth-protected-resource/servers/{server}/mcp",
    "one virtual server",
    SERVER,
  ),
  metadataAt(
    "getServerResourceByContextForge",
    "/servers/{server}/.well-known/oauth-protected-resource",
    "one virtual server, by ContextForge's path",
    SERVER,
  ),
];
