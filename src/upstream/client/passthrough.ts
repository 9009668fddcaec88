// Selects the caller's headers that are sent upstream. Passed headers pin a session, so they are also part of the pool key.
import { BoundedMap } from "../../base/bounded_map.ts";
import { CREDENTIAL_HEADERS } from "../../base/credential_headers.ts";
import { TRACEPARENT, TRACESTATE } from "../../telemetry/traces/trace_context.ts";
import type { HeaderList } from "../transport/transport.ts";

export interface PassthroughRules {
  /** ENABLE_HEADER_PASSTHROUGH. If false, only X-Upstream-Authorization is passed. */
  readonly enabled: boolean;
  /** DEFAULT_PASSTHROUGH_HEADERS, for an upstream without a list of its own. */
  readonly defaultNames: readonly string[];
  /** ENABLE_SENSITIVE_HEADER_PASSTHROUGH: lists may contain Authorization, Cookie and similar headers. */
  readonly sensitive: boolean;
  /** ENABLE_OVERWRITE_BASE_HEADERS: the caller's value replaces the upstream's configured value. */
  readonly overwrite: boolean;
  /** The gateway continues traces, so that the caller's trace headers are replaced by those of each call. Default: it does not. */
  readonly isTraced?: boolean;
}

/** The headers of a request; `Headers` satisfies it. */
export interface ReceivedHeaders {
  get(name: string): string | null;
}

/** The headers and the token of a call. */
export interface PassedCall {
  readonly received: ReceivedHeaders;
  /** null: no token was verified. */
  readonly token: { readonly user: string; readonly issuer: string } | null;
}

/** Says whose token a call wants, in a header that pins its sessions and never leaves the gateway. */
export interface TokenOwner {
  /** A name that HTTP does not allow, so that no client can send it. */
  readonly header: string;
  of(call: PassedCall): string;
  /** For the gateway's own requests, which have no caller. No call has this value. */
  readonly own: string;
}

/** The caller's own credential for the upstream. It is always passed, as `authorization`. */
export const UPSTREAM_AUTHORIZATION = "x-upstream-authorization";

const MAX_OWNERS = 5_000;

/** An owner can be as long as a token. */
const MAX_OWNER_CHARS = 4 * 1024 * 1024;

/** Longer values are not passed. */
const MAX_VALUE_CHARS = 4_096;

/**
 * Headers that describe this connection or message instead of the caller, and headers of the protocol that we speak
 * ourselves.
 */
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

/** Whether a list may contain this header name (lower case). */
export function isPassable(name: string, sensitive: boolean): boolean {
  if (!/^[!#$%&'*+.^_`|~0-9a-z-]+$/.test(name) || NEVER.has(name)) return false;
  if (NEVER_PREFIXES.some((prefix) => name.startsWith(prefix))) return false;
  return sensitive || !CREDENTIAL_HEADERS.has(name);
}

const NOTHING: HeaderList = Object.freeze([]);

/** One upstream's rules, prepared once. A call only runs `select`. */
export class Passthrough {
  /** The headers of a request of the gateway's own. */
  readonly ofGateway: HeaderList;
  readonly #names: readonly string[];
  readonly #taken: ReadonlySet<string>;
  readonly #owner: TokenOwner | null;
  /** By owner; for callers without other headers, which are nearly all. */
  readonly #ownedBy = new BoundedMap<string, HeaderList>({
    maxEntries: MAX_OWNERS,
    maxWeight: MAX_OWNER_CHARS,
    weightOf: (owner) => owner.length,
  });

  /**
   * @param ownNames the upstream's own list, which replaces the default list; null: no own list
   * @param standing names of the headers that the upstream always receives, in lower case
   * @param owner null: all callers use the same credentials
   */
  constructor(
    rules: PassthroughRules,
    ownNames: readonly string[] | null,
    standing: readonly string[],
    owner: TokenOwner | null = null,
  ) {
    this.#owner = owner;
    this.ofGateway = owner === null ? NOTHING : Object.freeze([[owner.header, owner.own] as const]);
    const names = rules.enabled ? (ownNames ?? rules.defaultNames) : [];
    this.#taken = new Set(rules.overwrite ? [] : standing);
    this.#names = [...new Set(names.map((name) => name.toLowerCase()))]
      .filter((name) => isPassable(name, rules.sensitive) && !this.#taken.has(name))
      .filter((name) => !rules.isTraced || name !== TRACEPARENT && name !== TRACESTATE);
  }

  /** Returns the headers to pass, in a fixed order. */
  select(call: PassedCall): HeaderList {
    const passed = this.#selected(call.received);
    return this.#owner === null ? passed : this.#owned(passed, this.#owner.header, this.#owner.of(call));
  }

  /** Headers with another owner pin other sessions: users never share one. */
  #owned(passed: HeaderList, ownerHeader: string, owner: string): HeaderList {
    if (passed.length > 0) return [...passed, [ownerHeader, owner]];
    let known = this.#ownedBy.get(owner);
    if (known === undefined) this.#ownedBy.set(owner, known = Object.freeze([[ownerHeader, owner]] as const));
    return known;
  }

  #selected(received: ReceivedHeaders): HeaderList {
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
