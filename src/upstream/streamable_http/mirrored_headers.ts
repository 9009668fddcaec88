// The headers that repeat the method and the target of a 2026-07-28 request (transports, "Standard Headers").
import { BoundedMap } from "../../base/bounded_map.ts";
import { headerText } from "../../mcp/header_text.ts";
import { memberText } from "../../mcp/json_rpc.ts";
import { NAMED_BY } from "../../mcp/request_meta.ts";
import type { HeaderList } from "../transport/transport.ts";

/** Limits of the cache. Names come from catalogs, but callers choose URIs of templates and task ids. */
const MAX_KEPT = 2_000;
const MAX_KEPT_CHARS = 1_000;

/** Caches the headers by method and name. The lists are frozen, so that the HTTP client encodes each only once. */
export class MirroredHeaders {
  readonly #kept = new BoundedMap<string, HeaderList>({ maxEntries: MAX_KEPT });

  /** @param params JSON text */
  of(method: string, params: string): HeaderList {
    const member = NAMED_BY[method];
    const name = member === undefined ? undefined : memberText(params, member);
    const key = name === undefined ? method : `${method} ${name}`;
    const known = this.#kept.get(key);
    if (known !== undefined) return known;
    const headers = headersOf(method, name);
    if (key.length > MAX_KEPT_CHARS) return headers;
    this.#kept.set(key, headers);
    return headers;
  }
}

function headersOf(method: string, name: string | undefined): HeaderList {
  const value: unknown = name === undefined ? undefined : JSON.parse(name);
  const headers: [string, string][] = [["mcp-method", headerText(method)]];
  if (typeof value === "string") headers.push(["mcp-name", headerText(value)]);
  return Object.freeze(headers);
}
