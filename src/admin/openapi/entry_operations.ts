// The operations of /tools, /resources, /prompts and /tags.
import { listQuery, pageQuery, stateQuery, tagsQuery } from "../rest/queries.ts";
import {
  promptArguments,
  promptUpdate,
  resourceUpdate,
  toolUpdate,
  unsupportedPrompt,
  unsupportedResource,
  unsupportedTool,
} from "../rest/schemas.ts";
import { listOf, pageOf, success } from "./answers.ts";
import {
  prompt,
  renderedPrompt,
  resource,
  resourceContent,
  resourceTemplates,
  switchedPrompt,
  switchedResource,
  switchedTool,
  taggedEntities,
  tags,
  tool,
} from "./entry_answers.ts";
import { UPSTREAM_FAILURES } from "./gateway_operations.ts";
import { operations } from "./operation.ts";

const pages = listQuery.extend(pageQuery.shape);

const NOT_SUPPORTED =
  "Always refused with `VALIDATION_FAILED`: the entries of an upstream are registered with its gateway. " +
  "The path is there for clients of ContextForge.";
const SWITCH = "The default of `activate` is true. Clients no longer see a disabled entry.";
const COMES_BACK = "If the upstream still lists the entry, the next refresh brings it back, disabled.";
const UPDATE =
  "Only the fields of the body change. Null restores the upstream's value. A field that the upstream defines can " +
  "be sent back, but not changed.";

const TOOL = { id: "The id of the tool." };
const RESOURCE = { id: "The id of the resource." };
const PROMPT = { id: "The id of the prompt." };
const PROMPT_OR_NAME = { id: "The id or name of the prompt." };

const switchTool = {
  description: SWITCH,
  path: TOOL,
  query: stateQuery,
  answers: { 200: switchedTool },
};
const switchResource = {
  description: SWITCH,
  path: RESOURCE,
  query: stateQuery,
  answers: { 200: switchedResource },
};
const switchPrompt = {
  description: SWITCH,
  path: PROMPT,
  query: stateQuery,
  answers: { 200: switchedPrompt },
};

/** How a call outside of any session fails. */
const CALL_FAILURES = [
  ...UPSTREAM_FAILURES,
  "UPSTREAM_DISABLED",
  "UPSTREAM_SESSION_EXPIRED",
  "UPSTREAM_STATE_LOST",
  "UPSTREAM_NEEDS_INPUT",
  "UPSTREAM_CIRCUIT_OPEN",
  "SESSION_POOL_TIMEOUT",
  "SESSION_POOL_FULL",
] as const;

export const entryOperations = {
  ...operations("Tools", {
    listTools: {
      summary: "List tools",
      description: "Newest first; the tools of one upstream in the upstream's order.",
      query: listQuery,
      answers: { 200: listOf("tools", tool) },
    },
    createTool: {
      summary: "Register a single tool (not supported)",
      description: NOT_SUPPORTED,
      body: { schema: unsupportedTool, example: { tool: { name: "clock", integration_type: "REST" } } },
      answers: {},
    },
    getTool: { summary: "Read a tool", path: TOOL, answers: { 200: tool } },
    updateTool: {
      summary: "Change a tool",
      description: UPDATE,
      path: TOOL,
      body: { schema: toolUpdate, example: { custom_name: "now", description: "Tells the time" } },
      answers: { 200: tool },
      errors: ["CONFLICT"],
    },
    deleteTool: { summary: "Delete a tool", description: COMES_BACK, path: TOOL, answers: { 200: success } },
    switchTool: { summary: "Enable or disable a tool", ...switchTool },
    toggleTool: { summary: "Enable or disable a tool, by the former path", ...switchTool },
    pageTools: { summary: "List tools in numbered pages", query: pages, answers: { 200: pageOf(tool) } },
  }),
  ...operations("Resources", {
    listResources: {
      summary: "List resources",
      description:
        "Newest first; the resources of one upstream in the upstream's order. Templates have a list of their own.",
      query: listQuery,
      answers: { 200: listOf("resources", resource) },
    },
    createResource: {
      summary: "Register a single resource (not supported)",
      description: NOT_SUPPORTED,
      body: {
        schema: unsupportedResource,
        example: { resource: { uri: "file:///notes.txt", name: "notes" } },
      },
      answers: {},
    },
    listResourceTemplates: {
      summary: "List resource templates",
      query: listQuery,
      answers: { 200: resourceTemplates },
    },
    getResource: {
      summary: "Read the content of a resource",
      description: "The gateway reads the resource from its upstream, outside of any session.",
      path: RESOURCE,
      answers: { 200: resourceContent },
      errors: CALL_FAILURES,
    },
    getResourceInfo: {
      summary: "Read a resource's description",
      path: RESOURCE,
      answers: { 200: resource },
    },
    updateResource: {
      summary: "Change a resource",
      description: UPDATE,
      path: RESOURCE,
      body: { schema: resourceUpdate, example: { name: "Notes", mime_type: "text/markdown" } },
      answers: { 200: resource },
      errors: ["CONFLICT"],
    },
    deleteResource: {
      summary: "Delete a resource",
      description: COMES_BACK,
      path: RESOURCE,
      answers: { 200: success },
    },
    switchResource: { summary: "Enable or disable a resource", ...switchResource },
    toggleResource: { summary: "Enable or disable a resource, by the former path", ...switchResource },
    pageResources: {
      summary: "List resources in numbered pages",
      query: pages,
      answers: { 200: pageOf(resource) },
    },
  }),
  ...operations("Prompts", {
    listPrompts: {
      summary: "List prompts",
      description: "Newest first; the prompts of one upstream in the upstream's order.",
      query: listQuery,
      answers: { 200: listOf("prompts", prompt) },
    },
    createPrompt: {
      summary: "Register a single prompt (not supported)",
      description: NOT_SUPPORTED,
      body: { schema: unsupportedPrompt, example: { prompt: { name: "weather", template: "Hello" } } },
      answers: {},
    },
    getPrompt: {
      summary: "Render a prompt without arguments",
      description: "The upstream renders the prompt, outside of any session.",
      path: PROMPT_OR_NAME,
      answers: { 200: renderedPrompt },
      errors: [...CALL_FAILURES, "VALIDATION_FAILED", "CONFLICT"],
    },
    renderPrompt: {
      summary: "Render a prompt",
      description:
        "The body has the arguments by name. The upstream renders the prompt, outside of any session.",
      path: PROMPT_OR_NAME,
      body: { schema: promptArguments, example: { city: "Dublin" }, isOptional: true },
      answers: { 200: renderedPrompt },
      errors: [...CALL_FAILURES, "CONFLICT"],
    },
    getPromptInfo: {
      summary: "Read a prompt's description",
      path: PROMPT,
      answers: { 200: prompt },
    },
    updatePrompt: {
      summary: "Change a prompt",
      description: UPDATE,
      path: PROMPT,
      body: { schema: promptUpdate, example: { custom_name: "forecast" } },
      answers: { 200: prompt },
      errors: ["CONFLICT"],
    },
    deletePrompt: {
      summary: "Delete a prompt",
      description: COMES_BACK,
      path: PROMPT,
      answers: { 200: success },
    },
    switchPrompt: { summary: "Enable or disable a prompt", ...switchPrompt },
    togglePrompt: { summary: "Enable or disable a prompt, by the former path", ...switchPrompt },
    pagePrompts: {
      summary: "List prompts in numbered pages",
      query: pages,
      answers: { 200: pageOf(prompt) },
    },
  }),
  ...operations("Tags", {
    listTags: {
      summary: "List tags",
      description: "The tags of the entities that the caller may see, in alphabetical order.",
      query: tagsQuery,
      answers: { 200: tags },
    },
    listTagged: {
      summary: "List the entities that have a tag",
      path: { tag: "The id or label of the tag." },
      query: tagsQuery.pick({ entity_types: true }),
      answers: { 200: taggedEntities },
    },
  }),
};
