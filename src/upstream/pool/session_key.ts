// Who may share an upstream session, field by field.
import { Buffer } from "node:buffer";
import { createHmac } from "node:crypto";
import { BoundedMap } from "../../base/bounded_map.ts";

declare const IDENTITY: unique symbol;

/** Who calls, as a keyed hash; made by `IdentityHasher` alone, so no raw credential can take its place. */
export type Identity = string & { readonly [IDENTITY]: true };

/** Nobody in particular: a call with no token, no identity header and nothing passed upstream. */
export const ANONYMOUS = "anonymous" as Identity;

/** Two calls may use one session if and only if `text` of their keys is equal. */
export interface PoolKey {
  /**
   * Where the session lives. The whole URL: a query may choose a tenant or carry a credential.
   * Never shown: metrics print it without query and userinfo.
   */
  readonly url: string;
  /** Whose session it is. Without it one user sees another's state (ContextForge #2055). */
  readonly identity: Identity;
  /** How the session is spoken to: an SSE session cannot be continued by a streamable HTTP one at the same URL. */
  readonly transport: string;
  /**
   * The registration that the call goes through. Two registrations of one URL differ in their own credentials, private CA
   * and timeouts, which are no part of `identity`.
   */
  readonly upstreamId: string;
  /**
   * What the session was opened as being able to do, as JSON text; absent for nothing. An upstream asks only what was declared,
   * so a client that declares nothing must not meet questions that another one could answer.
   */
  readonly capabilities?: string;
  /** The upstream's name for error texts and metrics; no part of `text`, for a renamed upstream is the same one. */
  readonly upstream: string;
  /** The fields above the name in one string. */
  readonly text: string;
}

/*
 * Not in the key, and why:
 * - the downstream session: a stateful upstream in `bound` mode never comes to the pool, its sessions belong to one
 *   downstream session each (ContextForge #4205). What the pool holds is shared by one identity on purpose.
 * - headers of the single request (traceparent, x-request-id): they travel with each request, nothing is pinned to them,
 *   and they would make every key unique. They must not be given as `passed` to `IdentityHasher.identify()`.
 */

/** A pool key. Callers on the hot path keep it: making one costs more than a lease. */
export function poolKey(fields: Omit<PoolKey, "text">): PoolKey {
  const { url, identity, transport, upstreamId, capabilities, upstream } = fields;
  const text = framed(identity) + framed(transport) + framed(upstreamId) + framed(url) +
    (capabilities === undefined ? "" : framed(capabilities));
  return { url, identity, transport, upstreamId, capabilities, upstream, text };
}

export interface Caller {
  /** The verified token's issuer and subject; null where no token was verified. */
  readonly token: { readonly issuer: string; readonly subject: string } | null;
  /** The request's headers as received (a `Headers` will do). */
  readonly received: { get(name: string): string | null };
  /** The headers that go upstream on the caller's account, in a fixed order. */
  readonly passed: ReadonlyArray<readonly [name: string, value: string]>;
}

export interface IdentityHasherOptions {
  /** Random, at least 32 bytes, the same in every worker of the process: else their metrics cannot be merged. */
  readonly key: Uint8Array;
  /** MCP_SESSION_POOL_IDENTITY_HEADERS, in any case. `authorization` among them adds nothing, see below. */
  readonly identityHeaders: readonly string[];
  /** The name of our own login cookie; null where there is none. */
  readonly loginCookie: string | null;
  /** How much raw input the cache may keep, in characters; default 4 Mi. */
  readonly maxCachedChars?: number;
}

/** Tells callers apart. Knows raw credentials, gives away keyed hashes only. */
export class IdentityHasher {
  readonly #key: Uint8Array;
  readonly #headers: readonly string[];
  readonly #loginCookie: string | null;
  /** The keys are raw credentials: they stay in the memory of this process, as the requests do. */
  readonly #cache: BoundedMap<string, Identity>;

  constructor(options: IdentityHasherOptions) {
    this.#key = options.key;
    this.#headers = [...new Set(options.identityHeaders.map((name) => name.toLowerCase()))]
      .filter((name) => name !== "authorization");
    this.#loginCookie = options.loginCookie;
    this.#cache = new BoundedMap({
      // By characters, for a cookie may have eight thousand.
      maxWeight: options.maxCachedChars ?? 4 * 1024 * 1024,
      weightOf: (text) => text.length,
    });
  }

  /** The caller's identity: 32 characters of base64url, or `ANONYMOUS`. No crypto for a caller seen lately. */
  identify(caller: Caller): Identity {
    const text = this.#describe(caller);
    if (text === "") return ANONYMOUS;
    let identity = this.#cache.get(text);
    if (identity === undefined) {
      // UTF-16, because in UTF-8 all lone surrogates (a token's subject may hold them) would be one and the same.
      const digest = createHmac("sha256", this.#key).update(Buffer.from(text, "utf16le")).digest("base64url");
      identity = digest.slice(0, 32) as Identity;
      this.#cache.set(text, identity);
    }
    return identity;
  }

  /** Everything that tells this caller from others. Each part has a tag and its lengths, so no two callers read alike. */
  #describe({ token, received, passed }: Caller): string {
    let text = "";
    if (token !== null) {
      // Issuer and subject, not the token: one that is renewed every few minutes would leave a key behind each time
      // (ContextForge #3952, #3777). The issuer, because subjects are unique within it only.
      text += "T" + framed(token.issuer) + framed(token.subject);
    } else {
      const authorization = received.get("authorization");
      // Not verified by us, yet it says who calls: Basic, an upstream's own key, or AUTH_REQUIRED=false.
      if (authorization) text += "A" + framed(authorization);
    }
    for (const name of this.#headers) {
      // As received, passed upstream or not: a tenant that only we see is still another tenant.
      const value = name === "cookie" ? this.#cookies(received, token !== null) : received.get(name);
      if (value) text += "H" + framed(name) + framed(value);
    }
    for (const [name, value] of passed) {
      // What the session is opened with: it never serves a call that would have opened it with something else.
      text += "P" + framed(name.toLowerCase()) + framed(value);
    }
    return text;
  }

  /** The cookies that count. Ours is left out where it was verified: then it is the token, and it is renewed as tokens are. */
  #cookies(received: Caller["received"], verified: boolean): string | null {
    const header = received.get("cookie");
    if (header === null || !verified || this.#loginCookie === null) return header;
    const own = `${this.#loginCookie}=`;
    if (!header.includes(own)) return header;
    return header.split(";").map((pair) => pair.trim()).filter((pair) => !pair.startsWith(own)).join("; ");
  }
}

/** Text with its length in front: `a` + `bc` and `ab` + `c` stay different. */
function framed(text: string): string {
  return `${text.length}:${text}`;
}
