// Schemas of requests. The names of fields are ContextForge's.
import { z } from "zod";
import { transportOf } from "../../client_config/server_entries.ts";
import { SESSION_REVISIONS, STATELESS_REVISION } from "../../mcp/revisions.ts";
import { isTokenId, TOKEN_ID_RULE } from "../../auth/token_id.ts";
import { serverIdOf } from "../../store/sql/server_ids.ts";
import { tagId } from "../../store/registry/tag_id.ts";

/** Stands for a secret in answers. In a request it means the stored secret. */
export const MASK = "*****";

// deno-lint-ignore no-control-regex -- control characters are what it refuses
const CONTROL = /[\x00-\x1f\x7f]/;

const name = z.string().trim().min(1).max(255).refine(
  (text) => !CONTROL.test(text),
  "must not contain control characters",
);
const text = z.string().max(8192).nullable().optional();
const shortText = z.string().max(255).nullable().optional();
const secret = z.string().max(8192).refine(
  (value) => !CONTROL.test(value),
  "must not contain control characters",
)
  .nullable()
  .optional();
const headerName = z.string().regex(/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/, "must be an HTTP header name");

/** Texts separated by commas, as an alternative to a list. */
const commaSeparated = z.string().transform((joined) =>
  joined.split(",").map((each) => each.trim()).filter((each) => each !== "")
);

function firstOfEachTag(labels: readonly string[]): string[] {
  const seen = new Set<string>();
  return labels.filter((label) => {
    const id = tagId(label);
    return !seen.has(id) && seen.add(id);
  });
}

/** Requests write tags as texts or, like answers, as objects with an id and a label. The labels are stored, one for each id. */
const tags = z.preprocess(
  (value) => typeof value === "string" ? commaSeparated.parse(value) : value,
  z.array(
    z.union([
      z.string(),
      z.object({ label: z.string() }).transform(({ label }) => label),
      z.object({ id: z.string() }).transform(({ id }) => id),
    ]).pipe(z.string().trim().min(1).max(100)),
  ),
)
  .transform(firstOfEachTag).optional();

const url = z.string().trim().max(2048).superRefine((value, context) => {
  const parsed = URL.canParse(value) ? new URL(value) : null;
  // The scheme is checked later, with the transport. Answers show a command as a stdio: URL, which clients send back.
  if (parsed === null || !/^(https?|wss?|stdio):$/.test(parsed.protocol)) {
    context.addIssue({ code: "custom", message: "must be an http or https URL" });
  } else if (parsed.username !== "" || parsed.password !== "") {
    context.addIssue({ code: "custom", message: "must not contain credentials; use auth_type" });
  }
});

/** Also the words of clients' configuration files: http, streamable-http, ws. */
const transport = z.string()
  .transform((value) => transportOf(value) ?? value.toUpperCase().replace(/[-_ ]/g, ""))
  .pipe(z.enum(["STREAMABLEHTTP", "SSE", "WEBSOCKET", "STDIO"]));

const argument = z.string().max(8192).refine(
  (value) => !value.includes("\0"),
  "must not contain a NUL character",
);

const SHARING = {
  tags,
  visibility: z.enum(["public", "team", "private"]).optional(),
  team_id: shortText,
  owner_email: shortText,
};

const GATEWAY = {
  name,
  /** Required with every transport but STDIO. */
  url: url.optional(),
  description: text,
  transport: transport.optional(),
  /** Not in ContextForge. The command of a process, its folder and its variables, for transport STDIO. */
  command: name.optional(),
  args: z.array(argument).max(256).optional(),
  cwd: z.string().max(4096).startsWith("/", "must be an absolute path").nullable().optional(),
  env: z.record(
    z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/, "must be the name of an environment variable"),
    argument,
  )
    .nullable().optional(),
  passthrough_headers: z.array(headerName.transform((header) => header.toLowerCase())).nullable().optional(),
  auth_type: z.enum(["none", "", "basic", "bearer", "authheaders", "query_param", "oauth"]).nullable()
    .optional(),
  auth_username: secret,
  auth_password: secret,
  auth_token: secret,
  auth_header_key: headerName.nullable().optional(),
  auth_header_value: secret,
  auth_headers: z.array(
    z.object({ key: headerName, value: z.string().refine((value) => !CONTROL.test(value)) }),
  )
    .nullable().optional(),
  auth_query_param_key: secret,
  auth_query_param_value: secret,
  ca_certificate: z.string().max(65536).includes("-----BEGIN CERTIFICATE-----").nullable().optional(),
  refresh_interval_seconds: z.int().min(60).max(86_400 * 365).nullable().optional(),
  /** Not in ContextForge. Whose calls may meet the same session, process or socket of the upstream. */
  isolation: z.enum(["session", "caller", "shared"]).optional(),
  /** The former name of `isolation`: bound is session. */
  session_mode: z.enum(["bound", "shared"]).optional(),
  /** Not in ContextForge. The only revision to speak to the upstream. */
  protocol: z.enum(["auto", ...SESSION_REVISIONS, STATELESS_REVISION]).optional(),
  ...SHARING,
};

export const gatewayCreate = z.object(GATEWAY);
export const gatewayUpdate = gatewayCreate.partial();
export type GatewayInput = z.output<typeof gatewayUpdate>;

export const toolUpdate = z.object({
  name: name.optional(),
  custom_name: name.nullable().optional(),
  display_name: shortText,
  description: text,
  timeout_ms: z.int().min(1).max(86_400_000).nullable().optional(),
  ...SHARING,
});

export const promptUpdate = z.object({
  name: name.optional(),
  custom_name: name.nullable().optional(),
  display_name: shortText,
  description: text,
  ...SHARING,
});

export const resourceUpdate = z.object({
  name: name.nullable().optional(),
  description: text,
  mime_type: z.string().trim().regex(/^[\w.+-]+\/[\w.+-]+(\s*;.*)?$/, "must be a media type").max(255)
    .nullable()
    .optional(),
  ...SHARING,
});

/** Bodies of requests that are always refused. */
export const unsupportedTool = z.object({ tool: z.looseObject({}) });
export const unsupportedResource = z.object({ resource: z.looseObject({}) });
export const unsupportedPrompt = z.object({ prompt: z.looseObject({}) });

/** Ids or names, as a list or as a text separated by commas. */
const references = z.union([z.array(z.string().trim().min(1)), commaSeparated]).nullable().optional();

/** MCP 2025-11-25, server/tools, "Tool Names". */
const toolName = z.string().regex(/^[A-Za-z0-9_.-]{1,128}$/, "must be 1 to 128 letters, digits, _, . or -");

const SERVER = {
  name,
  description: text,
  icon: z.string().max(2048).nullable().optional(),
  /** Not in ContextForge. Names of tools and prompts on this server, and its answer to `initialize`. */
  naming: z.enum(["prefixed", "original"]).optional(),
  tool_overrides: z.record(
    z.string(),
    z.strictObject({ name: toolName.nullable().optional(), description: text }),
  ).nullable().optional(),
  server_info: z.strictObject({
    name,
    title: name,
    version: name,
    description: z.string().max(8192),
    websiteUrl: z.url({ protocol: /^https?$/ }).max(2048),
  }).partial().nullable().optional(),
  instructions: text,
  /** Not in ContextForge. The revisions that this server offers to clients. */
  revisions: z.union([
    z.enum(["auto", "all"]),
    z.array(z.enum([...SESSION_REVISIONS, STATELESS_REVISION])).min(1),
  ]).optional(),
  associated_tools: references,
  associated_resources: references,
  associated_prompts: references,
  /** Not in ContextForge. Whole upstreams, everything with a tag, and what of both is left out. */
  associated_gateways: references,
  associated_tags: tags.nullable(),
  excluded: references,
  ...SHARING,
};

export const serverCreate = z.object({
  id: z.string().regex(/^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/, "must be 1 to 64 letters, digits, - or _")
    .transform(serverIdOf).nullable().optional(),
  ...SERVER,
});
/** ContextForge's clients wrap a new server: {"server": {...}, "team_id", "visibility"}. */
export const serverWrapper = z.object({
  server: z.unknown(),
  team_id: SHARING.team_id,
  visibility: SHARING.visibility,
});
/** The body of a request with its fields: the wrapper's fields are the server's where it has none. */
export const serverBody = serverWrapper.extend({ server: serverCreate });
export const serverUpdate = z.object(SERVER).partial();
export type ServerInput = z.output<typeof serverUpdate>;

/** The id of a token is its claim `jti`: tokens are not stored. */
export const jti = z.string().refine(isTokenId, `must be ${TOKEN_ID_RULE}`);

/** `expires_at` is not in ContextForge. A revocation is deleted after the token expires. */
export const tokenRevoke = z.object({
  reason: z.string().max(255).nullable().optional(),
  expires_at: z.iso.datetime({ offset: true }).transform((text) => Date.parse(text)).nullable().optional(),
});

export const promptArguments = z.record(z.string(), z.string());

const flag = z.string().toLowerCase().pipe(z.enum(["true", "false", "1", "0", "yes", "no", "on", "off"]))
  .transform((value) => ["true", "1", "yes", "on"].includes(value));

/** Query parameters of lists. */
export const listQuery = z.object({
  include_inactive: flag.default(false),
  include_pagination: flag.default(false),
  /** 0 means no limit, as in ContextForge. */
  limit: z.coerce.number().int().min(0).max(1_000_000).optional(),
  cursor: z.string().optional(),
  tags: z.string().optional(),
  gateway_id: z.string().optional(),
  team_id: z.string().optional(),
  visibility: z.enum(["public", "team", "private"]).optional(),
});
export type ListQuery = z.output<typeof listQuery>;

/** Query parameters of lists in numbered pages. */
export const pageQuery = z.object({
  page: z.coerce.number().int().min(1).default(1),
  per_page: z.coerce.number().int().min(1).max(500).default(50),
});

/** Query parameters of lists of tags. Unknown kinds of entities are ignored, as in ContextForge. */
export const tagsQuery = z.object({
  entity_types: commaSeparated.transform((kinds) => kinds.map((kind) => kind.toLowerCase())).optional(),
  include_entities: flag.default(false),
});

export const stateQuery = z.object({ activate: flag.default(true) });

export const importQuery = z.object({
  dry_run: flag.default(false),
  wait: flag.default(true),
  /** Answer with a stream of JSON lines that tells the progress. */
  progress: flag.default(false),
});

/** Members of the body of an import that are not the file's. */
export const importOptions = z.object({
  values: z.record(z.string(), z.string().max(8192)).default({}),
  source: z.string().max(1024).default(""),
});

/** The body of an import: a client's file, with members of its own. */
export const importBody = z.looseObject(importOptions.shape);

export const waitQuery = z.object({ wait: flag.default(true) });

export const refreshQuery = z.object({
  include_resources: flag.default(false),
  include_prompts: flag.default(false),
});
