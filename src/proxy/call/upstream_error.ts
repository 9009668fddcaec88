// An error of an upstream as clients receive it. `data.source` tells the gateway's errors from others, so an upstream's error must not
// carry a value that is ours.
import { ERRORS } from "../../base/errors.ts";
import {
  foldCase,
  isObject,
  type JsonObject,
  memberText,
  replaceMember,
  requireSoleMember,
} from "../../mcp/json_rpc.ts";

export const OUR_SOURCES: ReadonlySet<unknown> = new Set(Object.values(ERRORS).map(({ source }) => source));

/** Anything that a reader could take for "source", whatever its case or spelling. */
const MAY_NAME_SOURCE = /source|\\|[^ -~]/i;

/** @param text an error object as JSON text. It stays as it is, but for a `data.source` of ours: "internal" becomes "upstream:internal" */
export function asUpstreamError(text: string): string {
  const data = memberText(text, "data");
  if (data === undefined || !MAY_NAME_SOURCE.test(text)) return text;
  const error = JSON.parse(text);
  if (!isObject(error.data)) return text;
  try {
    requireSoleMember(text, "data");
    requireSoleMember(data, "source");
  } catch {
    // Two readers could find two different sources.
    return JSON.stringify({ ...error, data: withoutOurSource(error.data) });
  }
  const { source } = error.data;
  if (!OUR_SOURCES.has(source)) return text;
  return replaceMember(text, "data", replaceMember(data, "source", JSON.stringify(upstreams(source))));
}

function withoutOurSource(data: JsonObject): JsonObject {
  return Object.fromEntries(
    Object.entries(data).map(([key, value]) => [
      key,
      foldCase(key) === "source" && OUR_SOURCES.has(value) ? upstreams(value) : value,
    ]),
  );
}

function upstreams(source: unknown): string {
  return `upstream:${source}`;
}
