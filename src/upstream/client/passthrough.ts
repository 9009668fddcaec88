// Which of the caller's headers go upstream with its calls. What is sent upstream pins a session, so the same list is part of
// the pool's key.
import type { HeaderList } from "../transport/transport.ts";

export interface PassthroughRules {
  /** ENABLE_HEADER_PASSTHROUGH: without it only X-Upstream-Authorization passes. */
  readonly enabled: boolean;
  /** DEFAULT_PASSTHROUGH_HEADERS, for an upstream without a list of its own. */
  readonly defaultNames: readonly string[];
  /** ENABLE_SENSITIVE_HEADER_PASSTHROUGH: may Authorization, Cookie and their like be on a list? */
  readonly sensitive: boolean;
  /** ENABLE_OVERWRITE_BASE_HEADERS: does the caller's value win over the upstream's standing one? */
  readonly overwrite: boolean;
}

/** A request's headers; a `Headers` will do. */
export interface ReceivedHeaders {
  get(name: string): string | null;
}

/** Always passed, as `authorization`: the caller's own credential for the upstream, told apart from the one for us. */
export const UPSTREAM_AUTHORIZATION = "x-upstream-authorization";

/** Longer values are not headers that anybody meant to pass. */
const MAX_VALUE_CHARS = 4_096;

/** They describe this connection and this message, not the caller; or the protocol that we speak ourselves. */
const NEVER: ReadonlySet<string> = new Set([
  "connection",
  "keep-alive",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
  "host",
  "expect",
  "accept",
  "accept-encoding",
  "last-event-id",
  UPSTREAM_AUTHORIZATION,
]);

const NEVER_PREFIXES = ["content-", "mcp-", "sec-", "proxy-"];

const SENSITIVE: ReadonlySet<string> = new Set(["authorization", "cookie", "set-cookie"]);

/** May a header of this name be on a list at all? Lower case. */
export function isPassable(name: string, sensitive: boolean): boolean {
  if (!/^[!#$%&'*+.^_`|~0-9a-z-]+$/.test(name) || NEVER.has(name)) return false;
  if (NEVER_PREFIXES.some((prefix) => name.startsWith(prefix))) return false;
  return sensitive || !SENSITIVE.has(name);
}

const NOTHING: HeaderList = Object.freeze([]);

/** One upstream's rules, worked out once; `select` is all that a call costs. */
export class Passthrough {
  readonly #names: readonly string[];
  readonly #taken: ReadonlySet<string>;

  /**
   * @param ownNames the upstream's own list, which takes the place of the default one; null: it has none
   * @param standing names of the headers that the upstream is always sent, in lower case
   */
  constructor(rules: PassthroughRules, ownNames: readonly string[] | null, standing: readonly string[]) {
    const names = rules.enabled ? (ownNames ?? rules.defaultNames) : [];
    this.#taken = new Set(rules.overwrite ? [] : standing);
    this.#names = [...new Set(names.map((name) => name.toLowerCase()))]
      .filter((name) => isPassable(name, rules.sensitive) && !this.#taken.has(name));
  }

  /** The headers to pass, in a fixed order. */
  select(received: ReceivedHeaders): HeaderList {
    const own = this.#taken.has("authorization") ? null : received.get(UPSTREAM_AUTHORIZATION);
    if (own === null && this.#names.length === 0) return NOTHING;
    const passed: [string, string][] = [];
    for (const name of this.#names) {
      if (name === "authorization" && own !== null) continue;
      const value = clean(received.get(name));
      if (value !== null) passed.push([name, value]);
    }
    const authorization = clean(own);
    if (authorization !== null) passed.push(["authorization", authorization]);
    return passed;
  }
}

function clean(value: string | null): string | null {
  if (value === null) return null;
  const line = value.replace(/[\r\n\0]/g, "").trim();
  return line === "" || line.length > MAX_VALUE_CHARS ? null : line;
}
