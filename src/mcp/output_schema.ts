// Whether every client can compile a tool's output schema. The TypeScript SDK v1 compiles all of them when it lists the tools,
// with Ajv (draft-07), and one schema that Ajv refuses takes the whole list from it.
import { isObject, type JsonObject } from "./json_rpc.ts";

type Check = (value: unknown) => boolean;

const isString: Check = (value) => typeof value === "string";
const isNumber: Check = (value) => typeof value === "number" && Number.isFinite(value);
const isBoolean: Check = (value) => typeof value === "boolean";
const isSchema: Check = (value) => isObject(value) || isBoolean(value);
const isSchemas: Check = (value) => Array.isArray(value) && value.length > 0 && value.every(isSchema);
const isSchemaMap: Check = (value) => isObject(value) && Object.values(value).every(isSchema);
const isStrings: Check = (value) => Array.isArray(value) && value.every(isString);
const isPattern: Check = (value) => isString(value) && compiles(value as string);
const isPatternMap: Check = (value) =>
  isSchemaMap(value) && Object.keys(value as JsonObject).every(isPattern);

const TYPES: ReadonlySet<unknown> = new Set([
  "array",
  "boolean",
  "integer",
  "null",
  "number",
  "object",
  "string",
]);

/** The keywords of draft-07, and what Ajv compiles. Other keywords are ignored, except for the refused ones. */
const KEYWORDS: ReadonlyMap<string, Check> = new Map<string, Check>([
  [
    "type",
    (value) =>
      TYPES.has(value) ||
      (Array.isArray(value) && value.length > 0 && value.every((each) => TYPES.has(each))),
  ],
  ["enum", (value) => Array.isArray(value) && value.length > 0],
  ["multipleOf", isNumber],
  ["maximum", isNumber],
  ["minimum", isNumber],
  ["exclusiveMaximum", isNumber],
  ["exclusiveMinimum", isNumber],
  ["maxLength", isNumber],
  ["minLength", isNumber],
  ["pattern", isPattern],
  ["format", isString],
  ["maxItems", isNumber],
  ["minItems", isNumber],
  ["uniqueItems", isBoolean],
  ["items", (value) => isSchema(value) || (Array.isArray(value) && value.every(isSchema))],
  ["additionalItems", isSchema],
  ["contains", isSchema],
  ["maxProperties", isNumber],
  ["minProperties", isNumber],
  ["required", isStrings],
  ["properties", isSchemaMap],
  ["patternProperties", isPatternMap],
  ["additionalProperties", isSchema],
  ["propertyNames", isSchema],
  [
    "dependencies",
    (value) => isObject(value) && Object.values(value).every((each) => isSchema(each) || isStrings(each)),
  ],
  ["allOf", isSchemas],
  ["anyOf", isSchemas],
  ["oneOf", isSchemas],
  ["not", isSchema],
  ["if", isSchema],
  ["then", isSchema],
  ["else", isSchema],
  ["$ref", isString],
]);

/** Keywords that Ajv refuses, or that need others. */
const REFUSED: ReadonlySet<string> = new Set([
  "id",
  "$id",
  "$anchor",
  "$dynamicAnchor",
  "$async",
  "formatMaximum",
  "formatMinimum",
  "formatExclusiveMaximum",
  "formatExclusiveMinimum",
]);

/**
 * Names of schemas. A client keeps them for all tools together: a name that two tools use makes it refuse the list, or validate
 * the results of one tool by the schema of the other. Ajv finds them wherever they stand.
 */
const NAMES = ["$id", "$anchor", "$dynamicAnchor"];

/** Keywords of draft-07 that hold schemas, by the form of their value. */
const HOLDS_ONE = [
  "additionalItems",
  "contains",
  "additionalProperties",
  "propertyNames",
  "not",
  "if",
  "then",
  "else",
];
const HOLDS_MANY = ["items", "allOf", "anyOf", "oneOf"];
const HOLDS_BY_NAME = ["properties", "patternProperties", "dependencies"];

/** The time is linear in the size of the schema. */
export function isCompilable(schema: JsonObject): boolean {
  if (hasNames(schema)) return false;
  const seen = new Set<JsonObject>();
  const ending = new Set<JsonObject>();
  const waiting: JsonObject[] = [schema];
  for (let each = waiting.pop(); each !== undefined; each = waiting.pop()) {
    if (seen.has(each)) continue;
    seen.add(each);
    if (!isSound(each)) return false;
    for (const inner of schemasIn(each)) waiting.push(inner);
    if (each.$ref === undefined) continue;
    const target = resolved(schema, each.$ref as string);
    if (!isSchema(target) || !hasEnd(schema, each, ending)) return false;
    if (isObject(target)) waiting.push(target);
  }
  return true;
}

function hasNames(schema: JsonObject): boolean {
  const waiting: unknown[] = [schema];
  while (waiting.length > 0) {
    const each = waiting.pop();
    if (typeof each !== "object" || each === null) continue;
    if (isObject(each) && NAMES.some((name) => isString(each[name]))) return true;
    for (const inner of Object.values(each)) waiting.push(inner);
  }
  return false;
}

function isSound(schema: JsonObject): boolean {
  for (const [key, value] of Object.entries(schema)) {
    if (REFUSED.has(key) || KEYWORDS.get(key)?.(value) === false) return false;
  }
  const { nullable, type } = schema;
  return nullable === undefined ||
    (isBoolean(nullable) && type !== undefined && (nullable === true || ![type].flat().includes("null")));
}

function schemasIn(schema: JsonObject): JsonObject[] {
  return [
    ...HOLDS_ONE.map((key) => schema[key]),
    ...HOLDS_MANY.flatMap((key) => schema[key] as unknown),
    ...HOLDS_BY_NAME.flatMap((key) => Object.values((schema[key] ?? {}) as JsonObject)),
  ].filter(isObject);
}

/** The value that a reference within the document points to. */
function resolved(root: JsonObject, ref: string): unknown {
  if (ref === "#") return root;
  if (!ref.startsWith("#/")) return undefined;
  let value: unknown = root;
  for (const part of ref.slice(2).split("/")) {
    const key = unescaped(part);
    if (key === null || typeof value !== "object" || value === null || !Object.hasOwn(value, key)) {
      return undefined;
    }
    value = (value as JsonObject)[key];
  }
  return value;
}

/** Null: no valid part of a pointer. */
function unescaped(part: string): string | null {
  try {
    return decodeURIComponent(part).replaceAll("~1", "/").replaceAll("~0", "~");
  } catch {
    return null;
  }
}

/**
 * Whether the references that start here lead to a schema without one. Ajv follows a circle of references without end.
 * @param ending the schemas that have passed
 */
function hasEnd(root: JsonObject, from: JsonObject, ending: Set<JsonObject>): boolean {
  const passed = new Set<JsonObject>();
  let at: unknown = from;
  while (isObject(at) && typeof at.$ref === "string" && !ending.has(at)) {
    if (passed.has(at)) return false;
    passed.add(at);
    at = resolved(root, at.$ref);
  }
  for (const each of passed) ending.add(each);
  return true;
}

/** Longer patterns count as not compilable: the engine takes quadratic time for a class of many characters. */
const MAX_PATTERN_CHARS = 1_000;

const ESCAPE = /\\(?:([pP]\{\w+(?:=\w+)?\})|[^])/g;

/** The Unicode properties that occurred in patterns; there are some thousand. */
const knownProperties = new Set<string>();

function compiles(pattern: string): boolean {
  if (pattern.length > MAX_PATTERN_CHARS) return false;
  try {
    // A property takes a thousand times as long as another character, so each is compiled once. `\d` may stand where a property may.
    const plain = pattern.replace(ESCAPE, (escape, property?: string) => {
      if (property === undefined) return escape;
      if (!knownProperties.has(property)) new RegExp(escape, "u");
      knownProperties.add(property);
      return "\\d";
    });
    new RegExp(plain, "u");
    return true;
  } catch {
    return false;
  }
}
