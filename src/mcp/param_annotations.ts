// `x-mcp-header` annotations in a tool's input schema, which name the arguments to repeat in headers (2026-07-28, transports,
// "Custom Headers from Tool Parameters").
import { isObject } from "./json_rpc.ts";

export interface ParamAnnotation {
  /** The header's name, in lower case. */
  readonly header: string;
  /** The path to the argument. It leads through members of objects, never through array entries. */
  readonly path: readonly string[];
}

const ANNOTATION = "x-mcp-header";
const PREFIX = "mcp-param-";
/** RFC 9110, section 5.6.2. */
const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
/** Limit of the annotations of a tool. Servers accept about a hundred headers in a request. */
const MAX_ANNOTATIONS = 64;
const TYPES: ReadonlySet<unknown> = new Set(["string", "integer", "boolean"]);

/** Returns the annotations of a schema. A schema with an invalid annotation has none, because the others may be wrong too. */
export function paramAnnotations(inputSchema: unknown): ParamAnnotation[] {
  const found = search(inputSchema);
  if (faultIn(found) !== null) return [];
  return found.map(({ name, path }) => ({ header: PREFIX + String(name).toLowerCase(), path }));
}

/** Returns the fault of a schema's annotations; null: none. Clients must not offer a tool with a fault. */
export function annotationFault(inputSchema: unknown): string | null {
  return faultIn(search(inputSchema));
}

interface Found {
  readonly name: unknown;
  readonly type: unknown;
  /** The keys that lead to the annotation. */
  readonly path: readonly string[];
  /** The annotation is on an argument, or on a member of an object argument: only `properties` lead there. */
  readonly isReachable: boolean;
}

function faultIn(found: readonly Found[]): string | null {
  if (found.length > MAX_ANNOTATIONS) {
    return `there are more than ${MAX_ANNOTATIONS} x-mcp-header annotations`;
  }
  const seen = new Set<string>();
  for (const { name, type, path, isReachable } of found) {
    const at = path.join(".");
    if (typeof name !== "string" || !TOKEN.test(name)) return `x-mcp-header of "${at}" is no header name`;
    if (!isReachable) return `x-mcp-header of "${at}" is on no argument`;
    if (!TYPES.has(type)) {
      return `x-mcp-header of "${at}" is on something else than a string, integer or boolean`;
    }
    if (seen.has(name.toLowerCase())) return `x-mcp-header "${name}" is there twice`;
    seen.add(name.toLowerCase());
  }
  return null;
}

/** The keywords of JSON Schema 2020-12 and older drafts that hold a schema or a list of schemas. */
const HOLDS_SCHEMAS = [
  ...["items", "prefixItems", "additionalItems", "contains", "unevaluatedItems"],
  ...["additionalProperties", "unevaluatedProperties", "propertyNames"],
  ...["allOf", "anyOf", "oneOf", "not", "if", "then", "else", "contentSchema"],
];

/** The keywords that hold schemas by name. A name may be any text. */
const HOLDS_NAMED_SCHEMAS = ["patternProperties", "dependentSchemas", "dependencies", "$defs", "definitions"];

function search(schema: unknown, path: readonly string[] = [], isReachable = true): Found[] {
  if (!isObject(schema)) return [];
  const own = ANNOTATION in schema
    ? [{ name: schema[ANNOTATION], type: schema.type, path, isReachable: isReachable && path.length > 0 }]
    : [];
  const within = (key: string, schemas: readonly unknown[], reaches = false) =>
    schemas.flatMap((held) => search(held, [...path, key], reaches));
  const named = (key: string) => isObject(schema[key]) ? Object.entries(schema[key]) : [];
  return [
    ...own,
    ...named("properties").flatMap(([key, property]) => within(key, [property], isReachable)),
    ...HOLDS_SCHEMAS.flatMap((key) => within(key, [schema[key]].flat())),
    ...HOLDS_NAMED_SCHEMAS.flatMap((key) => named(key).flatMap(([name, held]) => within(name, [held]))),
  ];
}
