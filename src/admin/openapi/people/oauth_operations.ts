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
  scopes_supported: field(z.array(z.string()).optional(), "The scopes that MCP clients ask for.", [
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

const serverMetadata = z.looseObject({
  issuer: field(z.string(), "The gateway's address.", "https://gateway.example.com"),
  authorization_endpoint: field(
    z.string(),
    "Where the browser goes.",
    "https://gateway.example.com/oauth/authorize",
  ),
  token_endpoint: field(z.string(), "Where tokens are issued.", "https://gateway.example.com/oauth/token"),
  code_challenge_methods_supported: field(z.array(z.literal("S256")), "PKCE is required.", ["S256" as const]),
}).describe("Metadata of the authorization server (RFC 8414).");

const keySet = z.looseObject({
  keys: field(z.array(z.looseObject({})), "JSON Web Keys. Empty if a secret signs the tokens.", []),
}).describe("A JSON Web Key Set (RFC 7517).");

const fault = z.strictObject({
  error: field(z.string(), "The code of the fault.", "invalid_grant"),
  error_description: field(z.string(), "What is wrong, in words.", "the authorization code was used again"),
}).describe("A fault in the form of OAuth (RFC 6749, section 5.2).");

const tokens = z.strictObject({
  access_token: field(z.string(), "The access token.", "eyJ…"),
  token_type: field(z.literal("Bearer"), "Always `Bearer`.", "Bearer"),
  expires_in: field(z.number(), "Seconds until it expires.", 3_600),
  refresh_token: field(z.string().optional(), "Works once.", "7b1f….dGhp…"),
  scope: field(z.string(), "What the user has allowed.", "tools.read tools.execute"),
}).describe("Tokens of a client (RFC 6749, section 5.1).");

const deviceLogin = z.strictObject({
  device_code: field(z.string(), "What the terminal asks for tokens with.", "dGhp…"),
  user_code: field(z.string(), "What the person types.", "BCDF-GHJK"),
  verification_uri: field(z.string(), "The page for the code.", "https://gateway.example.com/admin/device"),
  verification_uri_complete: field(z.string(), "The same with the code."),
  expires_in: field(z.number(), "Seconds until it expires.", 600),
  interval: field(z.number(), "Seconds between two requests for tokens.", 5),
}).describe("The login of a terminal (RFC 8628, section 3.2).");

const registration = z.looseObject({
  redirect_uris: field(z.array(z.string()).optional(), "Where the browser may go back to.", [
    "http://127.0.0.1/callback",
  ]),
  client_name: field(z.string().optional(), "The name for people.", "Example"),
  token_endpoint_auth_method: field(
    z.enum(["none", "client_secret_basic", "client_secret_post"]).optional(),
    "Without it: none.",
  ),
}).describe("Metadata of a client (RFC 7591, section 2).");

const registered = z.looseObject({
  client_id: field(z.string(), "The id of the client.", "dGhp…"),
  client_secret: field(z.string().optional(), "Of a client that wants one."),
}).describe("A registered client (RFC 7591, section 3.2.1).");

const FORM = "The body is a form (`application/x-www-form-urlencoded`). ";

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
  {
    ...common,
    operationId: "getAuthorizationServer",
    method: "GET",
    at: "/.well-known/oauth-authorization-server",
    summary: "Read the metadata of the authorization server",
    answers: { 200: serverMetadata },
    errors: ["NOT_FOUND", "INVALID_REQUEST"],
  },
  {
    ...common,
    operationId: "getOpenIdConfiguration",
    method: "GET",
    at: "/.well-known/openid-configuration",
    summary: "Read the metadata of the authorization server, at the address of OpenID Connect Discovery",
    description: "The gateway issues no ID tokens.",
    answers: { 200: serverMetadata },
    errors: ["NOT_FOUND", "INVALID_REQUEST"],
  },
  {
    ...common,
    operationId: "getOAuthKeys",
    method: "GET",
    at: "/oauth/jwks",
    summary: "Read the public keys of access tokens",
    answers: { 200: keySet },
    errors: ["NOT_FOUND"],
  },
  {
    ...common,
    operationId: "authorizeClient",
    method: "GET",
    at: "/oauth/authorize",
    summary: "Send a browser to the page of consent",
    description:
      "The query is an authorization request with PKCE (S256), a redirect URI of the client, and a resource (RFC 8707).",
    query: z.object({
      client_id: field(z.string(), "The id of the client.", "https://client.example/metadata.json"),
      redirect_uri: field(z.string(), "One of the client's addresses.", "http://127.0.0.1:49152/callback"),
      response_type: field(z.literal("code"), "Always `code`."),
      code_challenge: field(z.string(), "The PKCE challenge of 43 characters."),
      code_challenge_method: field(z.literal("S256"), "Always `S256`."),
      resource: field(z.string().optional(), "The MCP endpoint. Absent: all of them."),
      scope: field(z.string().optional(), "Absent: what MCP clients need.", "tools.read tools.execute"),
      state: field(z.string().optional(), "Comes back with the answer."),
    }),
    answers: { 302: null },
    errors: ["NOT_FOUND", "OAUTH_LIMITED"],
  },
  {
    ...common,
    operationId: "issueTokens",
    method: "POST",
    at: "/oauth/token",
    summary: "Exchange a code or a refresh token for tokens",
    description: `${FORM}A refresh token works once; one that comes again ends the login.`,
    answers: { 200: tokens, 400: fault, 401: fault },
    errors: ["NOT_FOUND", "OAUTH_LIMITED"],
  },
  {
    ...common,
    operationId: "registerOAuthClient",
    method: "POST",
    at: "/oauth/register",
    summary: "Register an OAuth client",
    description: "RFC 7591. `POST /register` does the same while clients can log in.",
    body: {
      schema: registration,
      example: { client_name: "Example", redirect_uris: ["http://127.0.0.1/callback"] },
    },
    answers: { 201: registered, 400: fault, 403: fault },
    errors: ["NOT_FOUND", "OAUTH_LIMITED"],
  },
  {
    ...common,
    operationId: "beginDeviceLogin",
    method: "POST",
    at: "/oauth/device_authorization",
    summary: "Begin the login of a terminal",
    description:
      `${FORM}RFC 8628, with \`client_id\`, and \`resource\` and \`scope\` as an authorization request has them.`,
    answers: { 200: deviceLogin, 400: fault, 401: fault, 503: fault },
    errors: ["NOT_FOUND", "OAUTH_LIMITED"],
  },
  {
    ...common,
    operationId: "revokeOAuthToken",
    method: "POST",
    at: "/oauth/revoke",
    summary: "End the login of a client",
    description: `${FORM}RFC 7009, with \`token\` and \`client_id\`. Either token ends both.`,
    answers: { 200: null, 400: fault, 401: fault },
    errors: ["NOT_FOUND", "OAUTH_LIMITED"],
  },
];
