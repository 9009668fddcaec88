// Decides who may share an upstream session, field by field.
import { Buffer } from "node:buffer";
import { createHmac } from "node:crypto";
import { BoundedMap } from "../../base/bounded_map.ts";

declare const IDENTITY: unique symbol;

/** The caller as a keyed hash. Only `IdentityHasher` makes one, so a raw credential cannot take its place. */
export type Identity = string & { readonly [IDENTITY]: true };

/** A call without token, identity header or passed header. */
export const ANONYMOUS_IDENTITY = "anonymous" as Identity;

/**
 * Two calls may use one session if and only if `text` of their keys is equal. Two things are deliberately not part of a key:
 * - The downstream session. A stateful upstream in `bound` mode does not use the pool, because its sessions belong to one
 *   downstream session each (https://github.com/IBM/mcp-context-forge/issues/4205). Pooled sessions are shared by one
 *   identity.
 * - Headers of a single request (traceparent, x-request-id). They travel with each request and would make every key unique.
 *   They must not be passed to `IdentityHasher.identify()`.
 */
export interface PoolKey {
  /** The whole URL, since a query may choose a tenant or carry a credential. Metrics show it without query and userinfo. */
  readonly url: string;
  /** The caller. Without it, users would see each other's state (https://github.com/IBM/mcp-context-forge/issues/2055). */
  readonly identity: Identity;
  /** The transport: an SSE session cannot be continued over streamable HTTP at the same URL. */
  readonly transport: string;
  /**
   * The registration. Two registrations of one URL may differ in credentials, private CA and timeouts, which are not part of
   * `identity`.
   */
  readonly upstreamId: string;
  /**
   * The client capabilities declared in the session, as JSON text; undefined: none. A client must not receive requests for
   * capabilities that only another client declared.
   */
  readonly capabilities?: string;
  /** The upstream's name in errors and metrics. Not part of `text`, since a renamed upstream is the same one. */
  readonly upstream: string;
  /** The fields above the name as one string. */
  readonly text: string;
}

/** Builds a pool key. Callers on the hot path cache it, because building one costs more than a lease. */
export function poolKey(fields: Omit<PoolKey, "text">): PoolKey {
  const { url, identity, transport, upstreamId, capabilities, upstream } = fields;
  const text = framed(identity) + framed(transport) + framed(upstreamId) + framed(url) +
    (capabilities === undefined ? "" : framed(capabilities));
  return { url, identity, transport, upstreamId, capabilities, upstream, text };
}

/** The parts of a verified token that distinguish callers. */
export interface VerifiedToken {
  readonly issuer: string;
  readonly subject: string;
  /** The limits of the token, as a key: a narrowed token shares no session with a wider one of its subject. */
  readonly reach: string;
  /** The email address of the user, whose logins at upstreams the caller uses. */
  readonly user: string;
}

export interface Caller {
  /** The verified token; null: no token was verified. */
  readonly token: VerifiedToken | null;
  /** The request's headers as received; `Headers` satisfies it. */
  readonly received: { get(name: string): string | null };
  /** The caller's headers that are sent upstream, in a fixed order. */
  readonly passed: ReadonlyArray<readonly [name: string, value: string]>;
}

export interface IdentityHasherOptions {
  /** Random, at least 32 bytes, and equal in all workers of the process, so that their metrics can be merged. */
  readonly key: Uint8Array;
  /** MCP_SESSION_POOL_IDENTITY_HEADERS, in any case. `authorization` is always considered and need not be listed. */
  readonly identityHeaders: readonly string[];
  /** The name of the gateway's login cookie; null: none. */
  readonly loginCookie: string | null;
  /** Limit of cached raw input in characters; default 4 Mi. */
  readonly maxCachedChars?: number;
}

/** Distinguishes callers. It handles raw credentials and returns keyed hashes only. */
export class IdentityHasher {
  readonly #key: Uint8Array;
  readonly #headers: readonly string[];
  readonly #loginCookie: string | null;
  /** The cache keys are raw credentials. They stay in this process's memory, like the requests themselves. */
  readonly #cache: BoundedMap<string, Identity>;

  constructor(options: IdentityHasherOptions) {
    this.#key = options.key;
    this.#headers = [...new Set(options.identityHeaders.map((name) => name.toLowerCase()))]
      .filter((name) => name !== "authorization");
    this.#loginCookie = options.loginCookie;
    this.#cache = new BoundedMap({
      // The limit counts characters, because a cookie may have eight thousand.
      maxWeight: options.maxCachedChars ?? 4 * 1024 * 1024,
      weightOf: (text) => text.length,
    });
  }

  /** Returns the caller's identity: 32 characters of base64url, or `ANONYMOUS_IDENTITY`. Recent callers need no crypto. */
  identify(caller: Caller): Identity {
    const text = this.#describe(caller);
    if (text === "") return ANONYMOUS_IDENTITY;
    let identity = this.#cache.get(text);
    if (identity === undefined) {
      // UTF-16 keeps lone surrogates apart, which a token's subject may contain. UTF-8 would map them to one character.
      const digest = createHmac("sha256", this.#key).update(Buffer.from(text, "utf16le")).digest("base64url");
      identity = digest.slice(0, 32) as Identity;
      this.#cache.set(text, identity);
    }
    return identity;
  }

  /**
   * Describes everything that distinguishes this caller. Each part has a tag and lengths, so that descriptions are unique.
   */
  #describe({ token, received, passed }: Caller): string {
    let text = "";
    if (token !== null) {
      // These fields instead of the token: a renewed token would leave an unused key behind
      // (https://github.com/IBM/mcp-context-forge/issues/3952, /3777). Subjects are unique only within an issuer.
      text += "T" + framed(token.issuer) + framed(token.subject) + framed(token.reach);
    } else {
      const authorization = received.get("authorization");
      // An unverified value still identifies a caller: Basic, an upstream's own key, or AUTH_REQUIRED=false.
      if (authorization) text += "A" + framed(authorization);
    }
    for (const name of this.#headers) {
      // Headers count whether or not they are passed upstream, because a tenant known only to the gateway is still a tenant.
      const value = name === "cookie" ? this.#cookies(received, token !== null) : received.get(name);
      if (value) text += "H" + framed(name) + framed(value);
    }
    for (const [name, value] of passed) {
      // A session never serves a call that would have opened it with other headers.
      text += "P" + framed(name.toLowerCase()) + framed(value);
    }
    return text;
  }

  /**
   * Returns the cookies that count. Our verified login cookie does not, since it stands for the token and is renewed like
   * one.
   */
  #cookies(received: Caller["received"], verified: boolean): string | null {
    const header = received.get("cookie");
    if (header === null || !verified || this.#loginCookie === null) return header;
    const own = `${this.#loginCookie}=`;
    if (!header.includes(own)) return header;
    return header.split(";").map((pair) => pair.trim()).filter((pair) => !pair.startsWith(own)).join("; ");
  }
}

/** Puts the length before the text, so that `a` + `bc` and `ab` + `c` differ. */
function framed(text: string): string {
  return `${text.length}:${text}`;
}
