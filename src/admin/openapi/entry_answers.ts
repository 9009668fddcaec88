// Schemas of answers about tools, resources and prompts.
import * as z from "zod";
import { field } from "../rest/described.ts";
import {
  absent,
  count,
  ENTITY,
  executions,
  flag,
  json,
  jsonOrNull,
  switched,
  text,
  textOrNull,
  WARNINGS,
} from "./answers.ts";

const FROM = {
  gatewayId: textOrNull(
    "The id of the gateway that the entry comes from.",
    "7d0c5f1e2b9a4c1f8e6d3a5b7c9e1f20",
  ),
  gatewaySlug: textOrNull("The slug of that gateway; null if the caller may not see the gateway.", "time"),
};

const meta = jsonOrNull("The upstream's `_meta` of the entry.");
const annotations = jsonOrNull("The upstream's annotations of the entry.");

/** The names and texts of a tool or prompt. */
const NAMES = {
  name: text(
    "The name by which clients call the entry: slug of the gateway and `customNameSlug`.",
    "time-convert-time",
  ),
  originalName: text("The upstream's name.", "convert_time"),
  displayName: textOrNull("The title for people: the operator's, else the upstream's.", "Convert time"),
  customName: text("The operator's name, else the upstream's.", "convert_time"),
  customNameSlug: text("The last part of `name`.", "convert-time"),
  title: textOrNull("The upstream's title.", "Convert time"),
  description: textOrNull(
    "The operator's description, else the upstream's.",
    "Converts a time between zones",
  ),
  originalDescription: textOrNull("The upstream's description.", "Converts a time between zones"),
};

export const tool = z.strictObject({
  ...ENTITY,
  ...NAMES,
  url: textOrNull(
    "The address of the upstream, as in the gateway; null if the caller may not see the gateway.",
    "https://mcp.example.com/mcp",
  ),
  integrationType: field(z.literal("MCP"), "Always `MCP`.", "MCP"),
  requestType: textOrNull(
    "The transport to the upstream; null if the caller may not see the gateway.",
    "STREAMABLEHTTP",
  ),
  inputSchema: jsonOrNull("The JSON Schema of the arguments.", { type: "object" }),
  outputSchema: jsonOrNull("The JSON Schema of the structured result; null if there is none."),
  annotations,
  _meta: meta,
  headers: absent("Always null: a field of ContextForge."),
  auth: absent("Always null: credentials belong to the gateway."),
  reachable: flag("Whether the upstream can be reached."),
  ...FROM,
  timeoutMs: field(
    z.int().nullable(),
    "The time limit of a call in milliseconds; null for the gateway's default.",
    null,
  ),
  metrics: field(
    executions.nullable(),
    "The calls of the tool, where a tool is read alone; null in lists and after a change.",
  ),
  ...WARNINGS,
}).describe("A tool of an upstream.");

export const switchedTool = switched("tool", tool);

export const resource = z.strictObject({
  ...ENTITY,
  uri: text("The URI or URI template.", "file:///notes.txt"),
  uriTemplate: textOrNull("The URI template (RFC 6570); null for a resource.", null),
  name: text("The operator's name, else the upstream's.", "notes"),
  title: textOrNull("The upstream's title.", "Notes"),
  description: textOrNull("The operator's description, else the upstream's.", null),
  mimeType: textOrNull("The media type: the operator's, else the upstream's.", "text/plain"),
  size: field(z.number().nullable(), "The size in bytes that the upstream announces.", null),
  annotations,
  _meta: meta,
  gatewayId: FROM.gatewayId,
  metrics: field(
    executions.nullable(),
    "The reads of the resource, in the answer of its `/info`; null elsewhere.",
  ),
  ...WARNINGS,
}).describe("A resource or resource template of an upstream.");

export const switchedResource = switched("resource", resource);

export const resourceTemplates = z.strictObject({
  _meta: field(json, "Always empty.", {}),
  next_cursor: absent("Always null: the list is whole."),
  resource_templates: field(
    z.array(resource.pick({
      id: true,
      uriTemplate: true,
      name: true,
      description: true,
      mimeType: true,
      annotations: true,
      _meta: true,
    })),
    "All resource templates.",
  ),
}).describe("All resource templates.");

export const resourceContent = z.strictObject({
  type: field(z.literal("resource"), "Always `resource`.", "resource"),
  id: ENTITY.id,
  uri: text("The URI of the content.", "file:///notes.txt"),
  mime_type: textOrNull("The media type of the content.", "text/plain"),
  text: textOrNull("The content, if it is text.", "Buy milk"),
  blob: textOrNull("The content in Base64, if it is not text.", null),
  _meta: field(z.unknown().optional(), "The upstream's `_meta` of the content."),
  contents: field(
    z.array(json).optional(),
    "All parts, as the upstream sent them. Present only if there are several.",
  ),
}).describe("The content of a resource: its first part.");

export const prompt = z.strictObject({
  ...ENTITY,
  ...NAMES,
  template: absent("Always null: the upstream renders the prompt."),
  arguments: field(
    z.array(z.looseObject({
      name: text("The name of the argument.", "city"),
      description: field(z.string().optional(), "What the argument is for."),
      required: field(z.boolean().optional(), "Whether the argument must be given."),
    })),
    "The arguments of the prompt.",
  ),
  _meta: meta,
  ...FROM,
  metrics: field(
    executions.nullable(),
    "The times that the prompt was rendered, in the answer of its `/info`; null elsewhere.",
  ),
  ...WARNINGS,
}).describe("A prompt of an upstream.");

export const switchedPrompt = switched("prompt", prompt);

export const renderedPrompt = z.looseObject({
  description: field(z.string().optional(), "The upstream's description of the prompt.", "A city's weather"),
  messages: field(z.array(json), "The messages of the prompt.", [
    { role: "user", content: { type: "text", text: "What is the weather in Dublin?" } },
  ]),
}).describe("The upstream's result of `prompts/get`, unchanged.");

const tagged = z.strictObject({
  id: ENTITY.id,
  name: text("The name of the entity.", "time-convert-time"),
  type: field(z.enum(["tool", "resource", "prompt", "server", "gateway"]), "The kind of the entity.", "tool"),
  description: textOrNull("The description of the entity.", "Converts a time between zones"),
}).describe("An entity that has a tag.");

export const taggedEntities = z.array(tagged);

export const tags = z.array(
  z.strictObject({
    name: text("The id of the tag.", "time-zones"),
    stats: field(
      z.strictObject({
        tools: count("How many tools have the tag.", 1),
        resources: count("How many resources have the tag.", 0),
        prompts: count("How many prompts have the tag.", 0),
        servers: count("How many virtual servers have the tag.", 0),
        gateways: count("How many gateways have the tag.", 1),
        total: count("How many entities have the tag.", 2),
      }),
      "How many entities of each kind have the tag.",
    ),
    entities: field(z.array(tagged), "The entities. Empty without `include_entities=true`."),
  }),
);
