// Schemas of answers about upstreams.
import * as z from "zod";
import { field } from "../rest/described.ts";
import { MASK } from "../rest/schemas.ts";
import {
  absent,
  count,
  ENTITY,
  EXAMPLE_ID,
  executions,
  flag,
  json,
  jsonOrNull,
  switched,
  text,
  textOrNull,
  time,
  timeOrNull,
  WARNINGS,
} from "./answers.ts";

const transport = z.enum(["STREAMABLEHTTP", "SSE", "WEBSOCKET", "STDIO"]);

const masked = (description: string) =>
  field(z.literal(MASK).nullable(), `${description} Always masked; null if there is none.`, null);

const entryKind = z.enum(["tool", "resource", "template", "prompt"]);

const skipped = z.strictObject({
  kind: field(entryKind, "The kind of the entry.", "tool"),
  name: text("The name or URI that the upstream gives the entry; empty if it has none.", "broken tool"),
  reason: text("Why clients could not read the entry.", "inputSchema is missing"),
}).describe("An entry of an upstream's list that was left out.");

const skippedTools = field(z.array(skipped), "Entries of the upstream's lists that were left out.", []);

export const gateway = z.strictObject({
  ...ENTITY,
  name: text("The name of the gateway.", "time"),
  slug: text("The name as it begins the names of the gateway's tools and prompts.", "time"),
  url: text(
    "The address of the upstream. Administrators see it with masked query values; other callers see the origin only. " +
      "For `STDIO`, the command as a `stdio:` URL.",
    "https://mcp.example.com/mcp",
  ),
  description: textOrNull("The operator's description.", "Time zones"),
  transport: field(transport, "The transport to the upstream.", "STREAMABLEHTTP"),
  capabilities: field(json, "The capabilities that the upstream announces.", { tools: {} }),
  serverInfo: jsonOrNull("Name and version that the upstream announces; null if not known yet.", {
    name: "time",
    version: "1.0.6",
  }),
  instructions: textOrNull("The upstream's instructions for models.", null),
  protocolVersion: textOrNull("The MCP revision that the gateway speaks to the upstream.", "2025-11-25"),
  stateful: field(
    z.boolean().nullable(),
    "Whether the upstream keeps sessions, a process or a socket; null if not known yet.",
    true,
  ),
  status: field(
    z.enum(["ready", "starting", "failed", "disabled"]),
    "The state of the registration. `starting` and `failed`: the upstream has never been listed.",
    "ready",
  ),
  nextTryAt: timeOrNull("When a failed registration is tried again; null if it is not."),
  reachable: flag("Whether the last health check or call reached the upstream."),
  lastSeen: timeOrNull("When the upstream last answered."),
  lastError: textOrNull("Why the last check, refresh or list failed; null after a success.", null),
  passthroughHeaders: field(
    z.array(z.string()).nullable(),
    "Headers of clients that the gateway passes to this upstream; null for the gateway's default.",
    null,
  ),
  caCertificate: textOrNull("The CA certificate that verifies the upstream, PEM.", null),
  clientCert: textOrNull("The certificate that the gateway presents to the upstream, PEM.", null),
  clientKey: masked("The private key of that certificate."),
  isolation: field(
    z.enum(["session", "caller", "shared"]),
    "Who shares a session, process or socket of the upstream: one client session, one caller, or everybody.",
    "session",
  ),
  sessionMode: field(
    z.enum(["bound", "shared"]),
    "The former name of `isolation`: `bound` is `session`.",
    "bound",
  ),
  protocol: text("The only MCP revision to speak to the upstream, or `auto`.", "auto"),
  protocols: field(z.array(z.string()), "The MCP revisions that the upstream speaks, newest first.", [
    "2025-11-25",
  ]),
  toolApproval: field(
    z.enum(["off", "changed", "all"]).nullable(),
    "Which changes of the upstream wait for an approval; null: as the setting `TOOL_APPROVAL` says.",
    null,
  ),
  heldCount: field(
    z.int().min(0).optional(),
    "How many changes wait for an approval. Only callers who may approve them see it.",
    0,
  ),
  authType: field(
    z.enum(["basic", "bearer", "authheaders", "query_param", "oauth", "aws_sigv4", "env"]).nullable(),
    "The kind of the upstream's credentials; null if there are none.",
    "bearer",
  ),
  authValue: masked("Stands for the credentials."),
  authUsername: textOrNull("The user name, with `basic`.", null),
  authPassword: masked("The password, with `basic`."),
  authToken: field(z.literal(MASK).nullable(), "The token, with `bearer`. Always masked.", MASK),
  authHeaderKey: textOrNull("The name of the first header, with `authheaders`.", null),
  authHeaderValue: masked("The value of the first header, with `authheaders`."),
  authHeaders: field(
    z.array(z.strictObject({
      key: text("The name of the header.", "X-API-Key"),
      value: field(z.literal(MASK), "The value of the header. Always masked.", MASK),
    })).nullable(),
    "The headers, with `authheaders`.",
    null,
  ),
  authQueryParamKey: textOrNull("The name of the query parameter, with `query_param`.", null),
  authQueryParamValueMasked: masked("The value of the query parameter, with `query_param`."),
  oauthConfig: field(
    z.record(z.string(), z.unknown()).nullable(),
    "How the gateway logs in to the upstream, with `oauth`. Secrets are masked.",
    null,
  ),
  awsConfig: field(
    z.record(z.string(), z.unknown()).nullable(),
    "The keys that sign requests, with `aws_sigv4`. Secrets are masked.",
    null,
  ),
  source: field(
    z.string().nullable().optional(),
    "Where the registration comes from: `import:FILE` or `mcp-config:FILE`; null for a single registration. Administrators only.",
    null,
  ),
  command: field(z.string().optional(), "The program of a `STDIO` upstream. Administrators only."),
  args: field(z.array(z.string()).optional(), "The arguments of the program. Administrators only."),
  cwd: field(
    z.string().nullable().optional(),
    "The working directory of the program; null for the gateway's own. Administrators only.",
  ),
  env: field(
    z.record(z.string(), z.literal(MASK)).optional(),
    "The environment variables of the program, with masked values. Administrators only.",
  ),
  refreshIntervalSeconds: field(
    z.int().nullable(),
    "How often the upstream is listed again, in seconds; null for the gateway's default.",
    null,
  ),
  lastRefreshAt: timeOrNull("When the upstream was last listed."),
  gatewayMode: field(z.literal("cache"), "Always `cache`: a field of ContextForge.", "cache"),
  drainingSince: timeOrNull(
    "Since when the gateway is disabled and lets calls under way end; null if it is not drained.",
  ),
  callsUnderWay: field(
    z.int().min(0).nullable(),
    "Calls under way in this replica, while the gateway is drained; null if it is not.",
    null,
  ),
  processCount: field(
    z.int().nullable(),
    "How many processes of the upstream run in this replica; null if its transport is not `STDIO`.",
    null,
  ),
  toolCount: count("How many tools the upstream has.", 2),
  resourceCount: count("How many resources and templates the upstream has.", 0),
  promptCount: count("How many prompts the upstream has.", 0),
  skippedTools,
  metrics: field(
    executions.nullable(),
    "The executions at the upstream, where it is read alone; null in lists and after a change.",
  ),
  ...WARNINGS,
}).describe("A registered upstream MCP server.");

export const switchedGateway = switched("gateway", gateway);

const { transport: usedTransport, serverInfo, instructions, protocolVersion, protocols } = gateway.shape;
const { toolCount, resourceCount, promptCount } = gateway.shape;

export const testedGateway = z.strictObject({
  ...{ transport: usedTransport, serverInfo, instructions, protocolVersion, protocols },
  ...{ toolCount, resourceCount, promptCount, skippedTools },
  ...WARNINGS,
  durationMs: count("How long the test took, in milliseconds.", 120),
}).describe("What an upstream offers that is not registered.");

const counts = <const Kind extends string>(kind: Kind) => ({
  [`${kind}Added`]: count(`How many ${kind} are new.`, 1),
  [`${kind}Updated`]: count(`How many ${kind} have changed.`, 0),
  [`${kind}Removed`]: count(`How many ${kind} are gone.`, 0),
});

export const refreshed = z.strictObject({
  gatewayId: ENTITY.id,
  success: field(z.literal(true), "Always true: a refresh that fails is answered with an error.", true),
  error: absent("Always null: a field of ContextForge."),
  ...counts("tools"),
  ...counts("resources"),
  ...counts("prompts"),
  skippedTools,
  ...WARNINGS,
  durationMs: count("How long the refresh took, in milliseconds.", 180),
  refreshedAt: time("When the refresh ended."),
}).describe("What a refresh has changed.");

export const removedEntry = z.strictObject({
  id: text("The id of the entry, which it has again if it comes back.", "9a4c1f8e6d3a5b7c9e1f207d0c5f1e2b"),
  kind: field(entryKind, "The kind of the entry.", "tool"),
  name: text("The name of a tool or prompt, the URI of a resource or template.", "time-convert-time"),
  enabled: flag("Whether the entry comes back enabled."),
  removedAt: time("When the entry was removed."),
}).describe("An entry that its upstream no longer lists, or that was deleted.");

const imported = z.strictObject({
  name: text("The name of the server in the file.", "time"),
  outcome: field(
    z.enum(["taken", "changed", "unchanged", "left_out", "failed"]),
    "`taken`: registered now. `left_out`: not tried. `failed`: tried, and not registered.",
    "taken",
  ),
  gatewayId: textOrNull("The id of the gateway of this name; null if there is none.", EXAMPLE_ID),
  isDisabled: flag("Whether the gateway is switched off.", false),
  toolCount: field(z.int().nullable(), "How many tools the server has; null if it was not listed.", 2),
  reason: textOrNull("Why the entry was left out or failed.", null),
  missing: field(z.array(z.string()), "The variables of the entry that have no value.", []),
  unread: field(z.array(z.string()), "The fields of the entry that have no effect here.", []),
  warnings: field(z.array(z.string()), "Parts of the entry that were taken otherwise than written.", []),
}).describe("What became of one entry of the file.");

export const importReport = z.strictObject({
  dryRun: flag("Whether nothing was registered, because the request asked for a dry run.", false),
  servers: field(z.array(imported), "What became of each entry, in the order of the file."),
}).describe("The report of an import.");

const changedKeys = z.strictObject({
  keys: field(z.array(z.string()), "The first of the names, or URIs of resources.", ["time-now"]),
  count: count("How many there were.", 1),
});
const kindChanges = z.strictObject({
  added: field(changedKeys, "Entries that are new."),
  updated: field(changedKeys, "Entries that are different."),
  removed: field(changedKeys, "Entries that are gone."),
});

export const gatewayEvent = z.strictObject({
  at: time("When it happened."),
  kind: field(
    z.enum(["unreachable", "reachable", "failed", "listed", "changed", "on", "off", "draining"]),
    "`failed`: it could not be listed for the first time. `changed`: its lists were different.",
    "unreachable",
  ),
  reason: field(
    z.string().nullable().optional(),
    "Why, with `unreachable` and `failed`.",
    "connection refused",
  ),
  by: field(
    z.string().nullable().optional(),
    "Who switched it, with `on`, `off` and `draining`.",
    "ann@example.com",
  ),
  changes: field(
    z.strictObject({
      tools: field(kindChanges, "Of its tools."),
      resources: field(kindChanges, "Of its resources and resource templates."),
      prompts: field(kindChanges, "Of its prompts."),
    }).optional(),
    "What was different, with `changed`.",
  ),
}).describe("Something that happened to a gateway.");
