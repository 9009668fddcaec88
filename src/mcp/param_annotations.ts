// `x-mcp-header` in a tool's input schema: which arguments are repeated in headers (2026-07-28, transports, "Custom Headers from
// Tool Parameters").
import { isObject } from "./json_rpc.ts";

export interface ParamAnnotation {
  /** The header's name, in lower case. */
  readonly header: string;
  /** Where the argument is: only members of objects count, never entries of arrays. */
  readonly path: readonly string[];
}

const PREFIX = "mcp-param-";
/** RFC 9110, section 5.6.2. */
const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
const TYPES: ReadonlySet<unknown> = new Set(["string", "integer", "boolean"]);

/** All annotations of a schema, valid or not. */
export function paramAnnotations(inputSchema: unknown): ParamAnnotation[] {
  return search(inputSchema, []).map(({ name, path }) => ({
    header: PREFIX + String(name).toLowerCase(),
    path,
  }));
}

/** What is wrong with a schema's annotations; null: nothing. Clients must not offer a tool that has any such fault. */
export function annotationFault(inputSchema: unknown): string | null {
  const seen = new Set<string>();
  for (const { name, type, path } of search(inputSchema, [])) {
    const at = path.join(".");
    if (typeof name !== "string" || !TOKEN.test(name)) return `x-mcp-header of "${at}" is no header name`;
    if (!TYPES.has(type)) {
      return `x-mcp-header of "${at}" is on something else than a string, integer or boolean`;
    }
    if (seen.has(name.toLowerCase())) return `x-mcp-header "${name}" is there twice`;
    seen.add(name.toLowerCase());
  }
  return null;
}

interface Found {
  readonly name: unknown;
  readonly type: unknown;
  readonly path: readonly string[];
}

function search(schema: unknown, path: readonly string[]): Found[] {
  if (!isObject(schema) || !isObject(schema.properties)) return [];
  return Object.entries(schema.properties).flatMap(([key, property]) => {
    if (!isObject(property)) return [];
    const at = [...path, key];
    const own = "x-mcp-header" in property
      ? [{ name: property["x-mcp-header"], type: property.type, path: at }]
      : [];
    return [...own, ...search(property, at)];
  });
}
