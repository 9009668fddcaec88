// Schemas of answers that several operations have in common. The names of fields are ContextForge's.
import * as z from "zod";
import { field } from "../rest/described.ts";

export const text = (description: string, example?: string) => field(z.string(), description, example);
export const textOrNull = (description: string, example?: string | null) =>
  field(z.string().nullable(), description, example);
export const time = (description: string) =>
  field(z.iso.datetime(), `${description} ISO 8601, UTC.`, "2026-11-29T09:30:00.000Z");
export const timeOrNull = (description: string) =>
  field(z.iso.datetime().nullable(), `${description} ISO 8601, UTC.`, "2026-11-29T09:30:00.000Z");
export const count = (description: string, example = 3) => field(z.int().min(0), description, example);
export const flag = (description: string, example = true) => field(z.boolean(), description, example);
export const json = z.record(z.string(), z.unknown());
export const jsonOrNull = (description: string, example?: Record<string, unknown>) =>
  field(json.nullable(), description, example);
/** A field of ContextForge that the gateway does not have. */
export const absent = (description: string) => field(z.null(), description, null);

const secondsOrNull = (description: string) =>
  field(z.number().min(0).nullable(), `${description} In seconds; null if it is not known.`, 0.012);

/** The fields of ContextForge. */
export const executions = z.strictObject({
  totalExecutions: count("Executions since the last reset, on all replicas."),
  successfulExecutions: count("Those that succeeded."),
  failedExecutions: count("Those that failed, or whose result says `isError`.", 0),
  failureRate: field(z.number().min(0).max(1), "The share of calls that failed, from 0 to 1.", 0),
  minResponseTime: secondsOrNull("The shortest."),
  maxResponseTime: secondsOrNull("The longest."),
  avgResponseTime: secondsOrNull("The mean of all."),
  lastExecutionTime: timeOrNull("When the last one ended."),
}).describe("How often it was executed. Other replicas' executions of the last seconds may be missing.");

export const fault = z.strictObject({
  loc: field(
    z.array(z.union([z.string(), z.int()])),
    "The path of the value in the request, or of the entry at the upstream.",
    ["body", "name"],
  ),
  msg: text("The fault in words.", "Field required"),
  type: text("The kind of the fault, for programs.", "missing"),
}).describe("One fault or warning. The format is FastAPI's.");

/** The body of every error of the catalogue. */
export const error = z.strictObject({
  detail: field(
    z.union([z.string(), z.array(fault)]),
    "One sentence. With `VALIDATION_FAILED`, the list of all faults.",
    "Gateway 7d0c5f1e not found",
  ),
  code: text("The code of the error. Programs should compare this field.", "NOT_FOUND"),
  correlationId: text("The id that the log line of the failure has.", "0f6e4c1a9b7d4c55a2b8"),
}).describe("The body of every error response.");

/** The body of every error of the MCP endpoints. */
export const rpcError = z.strictObject({
  jsonrpc: field(z.literal("2.0"), "Always `2.0`.", "2.0"),
  id: field(
    z.union([z.string(), z.number(), z.null()]),
    "The id of the request; null if the error concerns no single request.",
    1,
  ),
  error: field(
    z.strictObject({
      code: field(z.int(), "The JSON-RPC code of the error.", -32602),
      message: text("One sentence.", "Unknown tool: clock"),
      data: field(
        z.looseObject({
          source: field(
            z.enum(["downstream", "upstream", "internal"]).optional(),
            "Where the error began. Absent if the error is the upstream's own.",
            "downstream",
          ),
          code: field(z.string().optional(), "The code of the error, for programs.", "TOOL_NOT_FOUND"),
          correlationId: field(
            z.string().optional(),
            "The id that the log line of the failure has.",
            "0f6e4c1a9b7d4c55",
          ),
        }).optional(),
        "Details.",
      ),
    }),
    "The error.",
  ),
}).describe("A JSON-RPC error. Errors of upstreams pass through unchanged.");

export const tag = z.strictObject({
  id: text("The label in lower case, with `-` for spaces and underscores.", "time-zones"),
  label: text("The tag as it was written.", "Time zones"),
}).describe("A tag of an entity.");

/** The id of an entity in examples. */
export const EXAMPLE_ID = "7d0c5f1e2b9a4c1f8e6d3a5b7c9e1f20";

/** The fields of every entity. */
export const ENTITY = {
  id: text("The id of the entity.", EXAMPLE_ID),
  enabled: flag("Whether clients can use the entity."),
  visibility: field(
    z.enum(["public", "team", "private"]),
    "Who sees the entity: every caller, the members of its team, or its owner.",
    "public",
  ),
  teamId: textOrNull("The team that sees the entity, with visibility `team`.", null),
  team: absent("Always null: a field of ContextForge."),
  ownerEmail: textOrNull(
    "The owner, who alone sees the entity with visibility `private`.",
    "admin@example.com",
  ),
  tags: field(z.array(tag), "The tags of the entity."),
  createdAt: time("When the entity was registered."),
  updatedAt: time("When the entity last changed."),
  createdBy: textOrNull("Who registered the entity.", "admin@example.com"),
  modifiedBy: textOrNull("Who last changed the entity; null if nobody has.", null),
  version: field(z.int().min(1), "Starts at 1 and grows with each change.", 1),
};

/** A further field of answers to requests with a body. */
export const WARNINGS = {
  warnings: field(
    z.array(fault).optional(),
    "Parts of the request or of the upstream's lists that were ignored or repaired. Absent if there are none.",
  ),
};

export const success = z.strictObject({
  status: field(z.literal("success"), "Always `success`.", "success"),
  message: text("What was done.", "Gateway 7d0c5f1e2b9a4c1f8e6d3a5b7c9e1f20 deleted"),
}).describe("The answer of a request that returns no entity.");

/** The answers of a list: an array, or with `include_pagination=true` an object with a cursor. */
export function listOf<Item extends z.ZodType>(key: string, item: Item) {
  return z.union([
    z.array(item),
    z.strictObject({
      [key]: field(z.array(item), "The entities of this part of the list."),
      nextCursor: textOrNull(
        "The value of `cursor` for the next part; null after the last part.",
        "WyIyMDI2LTExLTI5VDA5OjMwOjAwLjAwMFoiLDAsIjdkMGM1ZjFlIl0",
      ),
    }),
  ]).describe("An array of entities. With `include_pagination=true`, an object with a cursor.");
}

const link = (description: string) =>
  field(z.string(), `The address of ${description} page.`, "/admin/tools?page=1&per_page=50");

export const pagination = z.strictObject({
  page: field(z.int(), "The number of this page, from 1.", 1),
  per_page: field(z.int(), "The size of a page.", 50),
  total_items: count("How many entities there are."),
  total_pages: count("How many pages there are.", 1),
  has_next: flag("Whether there is a next page.", false),
  has_prev: flag("Whether there is a previous page.", false),
}).describe("Where a page stands in its list.");

export const pageLinks = z.strictObject({
  self: link("this"),
  first: link("the first"),
  last: link("the last"),
  next: textOrNull("The address of the next page; null if there is none.", null),
  prev: textOrNull("The address of the previous page; null if there is none.", null),
}).describe("The addresses of pages.");

/** The answers of a list in numbered pages. */
export function pageOf<Item extends z.ZodType>(item: Item) {
  return z.strictObject({
    data: field(z.array(item), "The entities of this page."),
    pagination: field(pagination, "Where this page stands in the list."),
    links: field(pageLinks, "The addresses of other pages."),
  }).describe("One numbered page of a list.");
}

/** The answer of `POST /{kind}/{id}/state`, which has the entity's fields under snake_case names. */
export function switched<Shape extends z.core.$ZodShape>(key: string, entity: z.ZodObject<Shape>) {
  const shape = Object.fromEntries(
    Object.entries(entity.shape).map(([name, schema]) => [
      name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`),
      schema,
    ]),
  );
  return z.strictObject({
    ...success.shape,
    message: text("What was done.", "Tool 7d0c5f1e2b9a4c1f8e6d3a5b7c9e1f20 deactivated"),
    [key]: field(z.strictObject(shape), "The entity, with snake_case names of its fields."),
  }).describe("The entity after it was switched.");
}
