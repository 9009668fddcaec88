// Schemas of query parameters. The names are ContextForge's.
import * as z from "zod";
import { EXECUTED_KINDS } from "../../telemetry/executions.ts";
import { LOG_LEVELS } from "../../telemetry/log.ts";
import { field, writtenAs } from "./described.ts";
import { commaSeparated } from "./values.ts";

const truth = z.string().toLowerCase().pipe(z.enum(["true", "false", "1", "0", "yes", "no", "on", "off"]))
  .transform((value) => ["true", "1", "yes", "on"].includes(value));

/** A parameter that is true or false. Other words for both are accepted too. */
export function flag(defaultValue: boolean, description: string) {
  return field(
    writtenAs(truth, { type: "boolean", default: defaultValue }).default(defaultValue),
    description,
  );
}

/** Query parameters of lists. */
export const listQuery = z.object({
  include_inactive: flag(false, "Whether the list has disabled entities too."),
  include_pagination: flag(false, "Whether the answer is an object with the cursor of the next part."),
  /** 0 means no limit, as in ContextForge. */
  limit: field(
    z.coerce.number().int().min(0).max(1_000_000).optional(),
    "The number of entities in one part; 0 for no limit. The default is no limit, and 50 with `include_pagination=true`.",
  ),
  cursor: field(z.string().optional(), "Where the part begins: `nextCursor` of the part before."),
  tags: field(z.string().optional(), "Only entities with one of these tags, separated by commas."),
  gateway_id: field(z.string().optional(), "Only entities of this gateway."),
  team_id: field(z.string().optional(), "Only entities of this team."),
  visibility: field(z.enum(["public", "team", "private"]).optional(), "Only entities with this visibility."),
  q: field(
    z.string().max(200).optional(),
    "Only entities that have each of these words in their name, description, tags or address.",
  ),
});
export type ListQuery = z.output<typeof listQuery>;

/** A further query parameter of lists of gateways. */
export const gatewayStateQuery = z.object({
  state: field(
    z.enum(["reachable", "unreachable", "starting", "failed", "disabled"]).optional(),
    "Only gateways in this state. `starting` and `failed`: the upstream has never been listed.",
  ),
});

/** Query parameters of lists in numbered pages. */
export const pageQuery = z.object({
  page: field(z.coerce.number().int().min(1).default(1), "The number of the page, from 1."),
  per_page: field(z.coerce.number().int().min(1).max(500).default(50), "The size of a page."),
});

/** Query parameters of lists of tags. Unknown kinds of entities are ignored, as in ContextForge. */
export const tagsQuery = z.object({
  entity_types: field(
    commaSeparated.transform((kinds) => kinds.map((kind) => kind.toLowerCase())).optional(),
    "Only these kinds, separated by commas: `tools`, `resources`, `prompts`, `servers`, `gateways`.",
  ),
  include_entities: flag(false, "Whether the answer has the entities of each tag."),
});

export const stateQuery = z.object({
  activate: flag(true, "Whether the entity is enabled (true) or disabled (false)."),
});

export const importQuery = z.object({
  dry_run: flag(false, "Say what would be registered, and register nothing."),
  wait: flag(true, "Try each server before it is registered. With false, the servers are tried afterwards."),
  progress: flag(false, "Answer with a stream of JSON lines that tells the progress."),
});

export const waitQuery = z.object({
  wait: flag(true, "Try the upstream before it is registered. With false, it is tried afterwards."),
});

export const refreshQuery = z.object({
  include_resources: flag(false, "Whether resources and resource templates are listed too."),
  include_prompts: flag(false, "Whether prompts are listed too."),
});

export const resetQuery = z.object({
  entity: field(z.enum(EXECUTED_KINDS).optional(), "Only entities of this kind. Without it: all."),
  entity_id: field(z.string().max(200).optional(), "Only the entity with this id, of the kind `entity`."),
}).refine(({ entity, entity_id }) => entity_id === undefined || entity !== undefined, {
  path: ["entity"],
  error: "must be given with entity_id",
});

export const historyQuery = z.object({
  entity: field(z.enum(EXECUTED_KINDS), "The kind of the entity."),
  entity_id: field(z.string().min(1).max(200), "The id of the entity."),
  by: field(z.enum(["hour", "day"]).default("hour"), "What is added up."),
  last: field(
    z.coerce.number().int().min(1).max(1_000).default(24),
    "So many hours or days, the present one included.",
  ),
});

export const auditQuery = z.object({
  limit: field(z.coerce.number().int().min(1).max(1_000).default(100), "The number of records in one part."),
  cursor: field(
    z.coerce.number().int().min(1).optional(),
    "Where the part begins: `nextCursor` of the part before.",
  ),
  email: field(z.string().optional(), "Only records of this actor."),
  entity_id: field(z.string().optional(), "Only records about this entity."),
});

/** ISO 8601, or a span like `15m` before now. */
const moment = z.string().transform((text, context) => {
  const span = /^(\d{1,6})([smhd])$/.exec(text);
  const units: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };
  const time = span === null ? Date.parse(text) : Date.now() - Number(span[1]) * units[span[2]!]!;
  if (!Number.isNaN(time)) return time;
  context.addIssue({ code: "custom", message: "must be a time in ISO 8601, or a span like 15m" });
  return z.NEVER;
});

const filter = (description: string, example: string) =>
  field(z.string().min(1).max(256, "must have at most 256 characters").optional(), description, example);

export const adviceQuery = z.object({
  users: field(
    z.coerce.number().int().min(1).max(1_000_000).default(100),
    "People or agents that are connected at once.",
    300,
  ),
});

/** Which lines of the log. `request_id`, `search` and `start_time` are ContextForge's names. */
export const logQuery = z.object({
  caller: filter("Only lines of this caller: the subject of the token.", "ann@example.com"),
  tool: filter("Only calls of this tool or prompt, as the client names it, or of this resource.", "time-now"),
  upstream: filter("Only lines of this upstream, by its name.", "time"),
  correlation_id: filter("Only lines of the request with this id.", "0f6e4c1a9b7d4c55a2b8"),
  request_id: filter("The same as `correlation_id`.", "0f6e4c1a9b7d4c55a2b8"),
  level: field(
    z.string().toUpperCase().pipe(z.enum(LOG_LEVELS, `must be one of ${LOG_LEVELS.join(", ")}`)).optional(),
    "Only lines of this level and above.",
    "WARNING",
  ),
  q: filter("Only lines with this text, in upper or lower case.", "refused"),
  search: filter("The same as `q`.", "refused"),
  failed: flag(false, "Only calls that failed, and warnings and errors."),
  since: field(
    writtenAs(moment, { type: "string" }).optional(),
    "Only lines from this time on: ISO 8601, or a span before now, such as `15m`.",
    "15m",
  ),
  start_time: field(writtenAs(moment, { type: "string" }).optional(), "The same as `since`."),
  after: filter("Only lines after the one with this id.", "5f0c1d2e-48211"),
  limit: field(
    z.coerce.number().int().min(1).max(1_000).default(100),
    "The number of lines: the newest ones.",
  ),
});
