// Tool arguments repeated in headers, so that intermediaries can route without reading the body (2026-07-28, transports,
// "Custom Headers from Tool Parameters"). The tool's input schema names them with `x-mcp-header`.
import { SluiceError } from "../../base/errors.ts";
import type { Entry } from "../../catalog/snapshot/entry_index.ts";
import { isObject } from "../../mcp/json_rpc.ts";
import { type ParamAnnotation, paramAnnotations } from "../../mcp/param_annotations.ts";
import { headerText, textOfHeader } from "../../mcp/header_text.ts";
import type { ToolRow } from "../../store/registry/rows.ts";
import type { HeaderList } from "../../upstream/transport/transport.ts";
import type { ReceivedHeaders } from "../../upstream/client/passthrough.ts";

/** Annotations, read once per tool and catalog. */
const cache = new WeakMap<Entry<ToolRow>, readonly ParamAnnotation[]>();
const NONE: readonly ParamAnnotation[] = [];

/** Returns the headers of a call to this tool; undefined for most tools, which have none. */
export function paramHeadersFor(tool: Entry<ToolRow>, args: unknown): HeaderList | undefined {
  const annotations = annotatedIn(tool);
  return annotations === NONE ? undefined : headersFromArguments(annotations, args);
}

/** The headers that repeat the annotated arguments. */
export function headersFromArguments(annotations: readonly ParamAnnotation[], args: unknown): HeaderList {
  const headers: [string, string][] = [];
  for (const { header, path } of annotations) {
    const value = valueAt(args, path);
    if (value !== undefined) headers.push([header, headerText(value)]);
  }
  return headers;
}

/** @throws {SluiceError} HEADER_MISMATCH if a header and its argument differ, or one of them is missing */
export function checkParamHeaders(tool: Entry<ToolRow>, args: unknown, received: ReceivedHeaders): void {
  for (const { header, path } of annotatedIn(tool)) {
    const value = valueAt(args, path);
    const given = received.get(header);
    if (given === null && value === undefined) continue;
    if (given === null) throw new SluiceError("HEADER_MISMATCH", { header, reason: "is missing" });
    const text = textOfHeader(given);
    if (text === null) {
      throw new SluiceError("HEADER_MISMATCH", { header, reason: "is not encoded correctly" });
    }
    if (value === undefined || !isSame(text, value)) {
      throw new SluiceError("HEADER_MISMATCH", { header, reason: "differs from the argument" });
    }
  }
}

function annotatedIn(tool: Entry<ToolRow>): readonly ParamAnnotation[] {
  let found = cache.get(tool);
  if (found === undefined) {
    const { definition } = tool.row;
    // The definition is the upstream's text, possibly with escapes.
    found = /"x-mcp-header"|\\/.test(definition)
      ? paramAnnotations(JSON.parse(definition).inputSchema)
      : NONE;
    cache.set(tool, found);
  }
  return found;
}

/** The argument as header text; undefined: there is none that a header can carry. */
function valueAt(args: unknown, path: readonly string[]): string | undefined {
  let value = args;
  for (const name of path) value = isObject(value) && Object.hasOwn(value, name) ? value[name] : undefined;
  return typeof value === "string" || typeof value === "number" || typeof value === "boolean"
    ? String(value)
    : undefined;
}

/** Integers are compared as numbers. */
function isSame(given: string, value: string): boolean {
  if (given === value) return true;
  const integer = /^[+-]?\d+(\.0+)?$/;
  return integer.test(given) && integer.test(value) && Number(given) === Number(value);
}
