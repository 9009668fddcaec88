// Schemas of requests. The names of fields are ContextForge's.
import * as z from "zod";
import { SESSION_REVISIONS, STATELESS_REVISION } from "../../mcp/revisions.ts";
import { TOOL_APPROVALS } from "../../store/approvals/approval_record.ts";
import { serverIdOf } from "../../store/sql/server_ids.ts";
import { field } from "./described.ts";
import { awsConfig } from "./credentials/aws_config.ts";
import { oauthConfig } from "./credentials/oauth_config.ts";
import {
  argument,
  commaSeparated,
  CONTROL,
  headerName,
  name,
  secret,
  SHARING,
  shortText,
  tags,
  text,
  transport,
  url,
} from "./values.ts";

/** Stands for a secret in answers. In a request it means the stored secret. */
export const MASK = "*****";

const pem = z.string().max(65_536);
/** To a secret of the operator. */
const reference = z.string().regex(/^\$\{(file|secret):[^{}]+\}$/);

const CREDENTIALS = {
  auth_type: field(
    z.enum(["none", "", "basic", "bearer", "authheaders", "query_param", "oauth", "aws_sigv4"]).nullable()
      .optional(),
    "The kind of credentials for the upstream. `oauth`: the gateway logs in by `oauth_config`. `aws_sigv4`: requests are signed with " +
      "the keys of `aws_config`.",
    "bearer",
  ),
  auth_username: field(secret, "The user name, with `basic`."),
  auth_password: field(secret, "The password, with `basic`."),
  auth_token: field(secret, "The token, with `bearer`.", "TOKEN"),
  auth_header_key: field(
    headerName.nullable().optional(),
    "The name of a single header, with `authheaders`.",
  ),
  auth_header_value: field(secret, "The value of that header."),
  auth_headers: field(
    z.array(
      z.object({
        key: field(headerName, "The name of the header.", "X-API-Key"),
        value: field(
          z.string().refine((value) => !CONTROL.test(value)),
          "The value of the header.",
          "SECRET",
        ),
      }),
    )
      .nullable().optional(),
    "The headers, with `authheaders`.",
  ),
  auth_query_param_key: field(secret, "The name of the query parameter, with `query_param`."),
  auth_query_param_value: field(secret, "The value of the query parameter, with `query_param`."),
  oauth_config: field(
    oauthConfig.nullable().optional(),
    "How the gateway logs in to the upstream, with `oauth`.",
  ),
  aws_config: field(
    awsConfig.nullable().optional(),
    "The keys that sign requests with AWS Signature Version 4, with `aws_sigv4`.",
  ),
};

const GATEWAY = {
  name: field(
    name,
    "The name of the gateway. Its slug begins the names of the upstream's tools and prompts.",
    "time",
  ),
  url: field(
    url.optional(),
    "The address of the upstream. Required with every transport but `STDIO`. Credentials belong into the `auth_` fields.",
    "https://mcp.example.com/mcp",
  ),
  description: field(text, "A description for people.", "Time zones"),
  transport: field(
    transport.optional(),
    "`STREAMABLEHTTP`, `SSE`, `WEBSOCKET`, `STDIO`, or a word of configuration files, such as `http`. " +
      "Without it, streamable HTTP is tried, then SSE.",
    "STREAMABLEHTTP",
  ),
  // Not in ContextForge: command, args, cwd, env.
  command: field(
    name.optional(),
    "The program of a `STDIO` upstream. Must be allowed by `STDIO_ALLOWED_COMMANDS`.",
  ),
  args: field(
    z.array(argument).max(256).optional(),
    "The arguments of the program. Do not put secrets here.",
  ),
  cwd: field(
    z.string().max(4096).startsWith("/", "must be an absolute path").nullable().optional(),
    "The working directory of the program. The default is the gateway's own.",
  ),
  env: field(
    z.record(
      z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/, "must be the name of an environment variable"),
      argument,
    )
      .nullable().optional(),
    "The environment variables of the program. The place for its secrets.",
  ),
  passthrough_headers: field(
    z.array(headerName.transform((header) => header.toLowerCase())).nullable().optional(),
    "Headers of clients that the gateway passes to this upstream.",
  ),
  ...CREDENTIALS,
  ca_certificate: field(
    z.string().max(65536).includes("-----BEGIN CERTIFICATE-----").nullable().optional(),
    "The CA certificate that verifies the upstream, PEM.",
  ),
  client_cert: field(
    z.union([pem.includes("-----BEGIN CERTIFICATE-----"), reference]).nullable().optional(),
    "The certificate that the gateway presents to the upstream (mTLS), PEM, with those of authorities in between. " +
      "Null removes certificate and key.",
  ),
  client_key: field(
    z.union([z.literal(MASK), pem.includes("PRIVATE KEY-----"), reference]).nullable().optional(),
    "The private key of `client_cert`, PEM without a passphrase. Answers mask it.",
  ),
  refresh_interval_seconds: field(
    z.int().min(60).max(86_400 * 365).nullable().optional(),
    "How often the upstream is listed again, in seconds. Null: the gateway's default.",
  ),
  // Not in ContextForge.
  isolation: field(
    z.enum(["session", "caller", "shared"]).optional(),
    "Who shares a session, process or socket of the upstream: one client session, one caller, or everybody. " +
      "The default is `session`.",
  ),
  session_mode: field(
    z.enum(["bound", "shared"]).optional(),
    "The former name of `isolation`: `bound` is `session`.",
  ),
  // Not in ContextForge.
  protocol: field(
    z.enum(["auto", ...SESSION_REVISIONS, STATELESS_REVISION]).optional(),
    "The only MCP revision to speak to the upstream. The default, `auto`, is every revision that both sides know.",
  ),
  // Not in ContextForge.
  tool_approval: field(
    z.enum(TOOL_APPROVALS).nullable().optional(),
    "Which changes of the upstream wait for an approval: none (`off`), what it adds or changes after its first lists " +
      "(`changed`), or its first lists too (`all`). Null: as the setting `TOOL_APPROVAL` says.",
    "changed",
  ),
  ...SHARING,
};

export const gatewayCreate = z.object(GATEWAY);
export const gatewayUpdate = gatewayCreate.partial();

/** Words of configuration files that a registration understands too. */
const FILE_WORDS = {
  type: field(z.string().optional(), "The same as `transport`, as configuration files write it."),
  headers: field(
    z.record(z.string(), z.string()).optional(),
    "Headers for the upstream, as configuration files write them: the same as `auth_headers`.",
  ),
};
export const gatewayCreateBody = gatewayCreate.extend(FILE_WORDS).describe("A new gateway.");
export const gatewayUpdateBody = gatewayUpdate.extend(FILE_WORDS).describe("Changes of a gateway.");

export type GatewayInput = z.output<typeof gatewayUpdate>;

const WORDS = {
  custom_name: field(
    name.nullable().optional(),
    "The name after the gateway's slug. Null: the upstream's name.",
    "now",
  ),
  display_name: field(shortText, "The title for people. Null: the upstream's title."),
  description: field(text, "The description for models. Null: the upstream's description.", "Tells the time"),
};

export const toolUpdate = z.object({
  name: field(name.optional(), "The same as `custom_name`. The current name changes nothing."),
  ...WORDS,
  timeout_ms: field(
    z.int().min(1).max(86_400_000).nullable().optional(),
    "The time limit of a call in milliseconds. Null: the gateway's default.",
    30_000,
  ),
  ...SHARING,
}).describe("Changes of a tool.");

export const promptUpdate = z.object({
  name: field(name.optional(), "The same as `custom_name`. The current name changes nothing."),
  ...WORDS,
  ...SHARING,
}).describe("Changes of a prompt.");

export const resourceUpdate = z.object({
  name: field(name.nullable().optional(), "The name in lists. Null: the upstream's name.", "Notes"),
  description: field(text, "The description in lists. Null: the upstream's description."),
  mime_type: field(
    z.string().trim().regex(/^[\w.+-]+\/[\w.+-]+(\s*;.*)?$/, "must be a media type").max(255)
      .nullable()
      .optional(),
    "The media type in lists. Null: the upstream's media type.",
    "text/markdown",
  ),
  ...SHARING,
}).describe("Changes of a resource or template.");

const SINGLE = "The tool as ContextForge's clients describe it. Always refused.";

/** Bodies of requests that are always refused. */
export const unsupportedTool = z.object({ tool: field(z.looseObject({}), SINGLE) });
export const unsupportedResource = z.object({
  resource: field(z.looseObject({}), SINGLE.replace("tool", "resource")),
});
export const unsupportedPrompt = z.object({
  prompt: field(z.looseObject({}), SINGLE.replace("tool", "prompt")),
});

/** Ids or names, as a list or as a text separated by commas. */
const references = z.union([z.array(z.string().trim().min(1)), commaSeparated]).nullable().optional();

/** MCP 2025-11-25, server/tools, "Tool Names". */
const toolName = z.string().regex(/^[A-Za-z0-9_.-]{1,128}$/, "must be 1 to 128 letters, digits, _, . or -");

const SERVER = {
  name: field(name, "The name of the virtual server.", "Travel"),
  description: field(text, "A description for people and models.", "Tools for travellers"),
  icon: field(z.string().max(2048).nullable().optional(), "The address of an icon."),
  // Not in ContextForge: naming, tool_overrides, server_info, instructions, revisions.
  naming: field(
    z.enum(["prefixed", "original"]).optional(),
    "Whether members have their names from the registry (`prefixed`, the default) or from their upstreams (`original`).",
    "prefixed",
  ),
  tool_overrides: field(
    z.record(
      z.string(),
      z.strictObject({
        name: field(toolName.nullable().optional(), "The name of the tool on this server.", "now"),
        description: field(text, "The description of the tool on this server."),
      }),
    ).nullable().optional(),
    "Names and descriptions of tools on this server, by the tool's id or name.",
  ),
  server_info: field(
    z.strictObject({
      name: field(name, "The name of the server.", "travel"),
      title: field(name, "The title of the server for people.", "Travel"),
      version: field(name, "The version of the server.", "1.0"),
      description: field(z.string().max(8192), "What the server is for."),
      websiteUrl: field(z.url({ protocol: /^https?$/ }).max(2048), "The address of the server's web site."),
    }).partial().nullable().optional(),
    "Members of `serverInfo` that replace those of the gateway.",
  ),
  instructions: field(text, "The instructions for models. Null: the description."),
  revisions: field(
    z.union([
      z.enum(["auto", "all"]),
      z.array(z.enum([...SESSION_REVISIONS, STATELESS_REVISION])).min(1),
    ]).optional(),
    "The MCP revisions that the server offers: those of its upstreams (`auto`, the default), `all`, or a list.",
    "auto",
  ),
  associated_tools: field(references, "Tools by id or name: a list, or one text with commas.", [
    "time-convert-time",
  ]),
  associated_resources: field(references, "Resources and templates by id, URI or name."),
  associated_prompts: field(references, "Prompts by id or name."),
  // Not in ContextForge: whole upstreams, everything with a tag, and what of both is left out.
  associated_gateways: field(
    references,
    "Gateways by id or name. All their entries are members, also those that the upstream adds later.",
  ),
  associated_tags: field(tags.nullable(), "Tags. Entries and gateways with one of them are members."),
  excluded: field(references, "Names and URIs that gateways and tags do not bring in."),
  ...SHARING,
};

export const serverCreate = z.object({
  id: field(
    z.string().regex(/^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/, "must be 1 to 64 letters, digits, - or _")
      .transform(serverIdOf).nullable().optional(),
    "The id of the virtual server, which is part of its address. The default is a new id.",
  ),
  ...SERVER,
}).describe("A new virtual server.");
/** ContextForge's clients wrap a new server: {"server": {...}, "team_id", "visibility"}. */
export const serverWrapper = z.object({
  server: z.unknown(),
  team_id: SHARING.team_id,
  visibility: SHARING.visibility,
});
/** The wrapper with the fields of the server, which win over the wrapper's own. */
export const serverBody = serverWrapper.extend({ server: field(serverCreate, "The virtual server.") })
  .describe("A new virtual server, as ContextForge's clients wrap it.");
export const serverUpdate = z.object(SERVER).partial().describe("Changes of a virtual server.");
export type ServerInput = z.output<typeof serverUpdate>;

export const promptArguments = z.record(z.string(), z.string());

/** Members of the body of an import that are not the file's. */
export const importOptions = z.object({
  values: field(
    z.record(z.string(), z.string().max(8192)).default({}),
    "Values of the file's variables, by name. They win over the gateway's environment.",
  ),
  source: field(
    z.string().max(1024).default(""),
    "Where the file lies. A later import of the same file may change what this one has registered.",
    "/home/me/mcp.json",
  ),
  tool_approval: GATEWAY.tool_approval,
});

/** The body of an import: a client's file, with members of its own. */
export const importBody = z.looseObject({
  mcpServers: field(
    z.record(z.string(), z.unknown()).optional(),
    "The servers by name, as Claude Desktop, Claude Code, Cursor and others write them.",
    { time: { type: "http", url: "https://mcp.example.com/mcp" } },
  ),
  servers: field(
    z.record(z.string(), z.unknown()).optional(),
    "The servers by name, as VS Code writes them.",
  ),
  ...importOptions.shape,
});
