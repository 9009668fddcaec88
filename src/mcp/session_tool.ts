// Tools of 2026-07-28 for clients of the revisions with sessions. There a property's schema is an object, an output schema
// describes an object, and structured content is one. Everything else is described and wrapped as `{"result": ...}`, as the
// official SDKs' servers do for such clients.
import {
  elementTexts,
  isObject,
  type JsonObject,
  mapMembers,
  memberText,
  removeMember,
  replaceMember,
} from "./json_rpc.ts";
import { isCompilable } from "./output_schema.ts";

/**
 * The tool's text for clients of the revisions with sessions; null: the same.
 * @param text of a tool that may stand in a list
 */
export function sessionTool(tool: JsonObject, text: string): string | null {
  const inputText = memberText(text, "inputSchema")!;
  const input = withObjectProperties(tool.inputSchema, inputText);
  let projected = input === inputText ? text : replaceMember(text, "inputSchema", input);
  if (isObject(tool.outputSchema)) {
    const outputText = memberText(text, "outputSchema")!;
    const output = sessionOutputSchema(tool.outputSchema, outputText);
    if (output === null) projected = removeMember(projected, "outputSchema");
    else if (output !== outputText) projected = replaceMember(projected, "outputSchema", output);
  }
  return projected === text ? null : projected;
}

/** Whether the results of a tool are wrapped for clients of the revisions with sessions. */
export function wrapsResults(text: string, sessionText: string): boolean {
  const schema: unknown = JSON.parse(memberText(text, "outputSchema") ?? "null");
  return isObject(schema) && schema.type !== "object" &&
    memberText(sessionText, "outputSchema") !== undefined;
}

/**
 * A tools/call result for a client of the revisions with sessions: structured content that is no object, or whose schema is
 * wrapped, is wrapped too.
 * @param result the parsed text
 */
export function sessionResult(result: unknown, text: string, isWrapped: boolean): string {
  if (!isObject(result) || !Object.hasOwn(result, "structuredContent")) return text;
  const { structuredContent, content } = result;
  const isPlain = isObject(structuredContent);
  if (isPlain && !isWrapped) return text;
  const valueText = memberText(text, "structuredContent")!;
  const wrapped = replaceMember(text, "structuredContent", `{"result":${valueText}}`);
  if (
    isPlain || !Array.isArray(content) || content.some((block) => isObject(block) && block.type === "text")
  ) {
    return wrapped;
  }
  // 2026-07-28, tools, "Structured Content": clients that do not read structured content find it as text.
  const blocks = elementTexts(memberText(text, "content")!);
  const block = `{"type":"text","text":${JSON.stringify(valueText)}}`;
  return replaceMember(wrapped, "content", `[${[...blocks, block].join(",")}]`);
}

/** Null: no schema that every client of these revisions can compile. */
function sessionOutputSchema(schema: JsonObject, text: string): string | null {
  if (!isCompilable(schema)) return null;
  if (schema.type === "object") return withObjectProperties(schema, text);
  const wrapped = wrappedSchema(schema, text);
  return isCompilable(JSON.parse(wrapped)) ? wrapped : null;
}

/** The schema of `{"result": ...}`. References within the document follow the schema to its new place. */
function wrappedSchema(schema: JsonObject, text: string): string {
  const dialect = typeof schema.$schema === "string" ? `"$schema":${JSON.stringify(schema.$schema)},` : "";
  const inner = REFERENCE.test(text) ? JSON.stringify(moved(schema)) : text;
  return `{${dialect}"type":"object","properties":{"result":${inner}},"required":["result"]}`;
}

/** Only a hint: the words may stand in a text, and a key may be escaped. */
const REFERENCE = /"\$(ref|dynamicRef|recursiveRef)"|\\u/;

/** Keywords whose value is data. A member named `$ref` is none there. */
const HOLDS_DATA: ReadonlySet<string> = new Set(["const", "enum", "default", "examples"]);

/** Keywords whose value holds schemas by names that somebody has chosen. */
const HOLDS_NAMES: ReadonlySet<string> = new Set([
  "properties",
  "patternProperties",
  "$defs",
  "definitions",
  "dependentSchemas",
  "dependencies",
]);

function moved(node: unknown, isByName = false): unknown {
  if (Array.isArray(node)) return node.map((each) => moved(each));
  if (!isObject(node)) return node;
  return Object.fromEntries(
    Object.entries(node).map(([key, value]) => {
      if (isByName) return [key, moved(value)];
      if (key === "$ref" && typeof value === "string" && /^#(\/|$)/.test(value)) {
        return [key, `#/properties/result${value.slice(1)}`];
      }
      return [key, HOLDS_DATA.has(key) ? value : moved(value, HOLDS_NAMES.has(key))];
    }),
  );
}

/** The schemas `true` and `false` as objects. */
function withObjectProperties(schema: unknown, text: string): string {
  const properties = isObject(schema) ? schema.properties : undefined;
  if (!isObject(properties) || !Object.values(properties).some((each) => typeof each === "boolean")) {
    return text;
  }
  const members = mapMembers(
    memberText(text, "properties")!,
    (_, value) => value === "true" ? "{}" : value === "false" ? '{"not":{}}' : value,
  );
  return replaceMember(text, "properties", members);
}
