// Caches the pool keys of one upstream's callers, because building a key costs more than a lease.
import { BoundedMap } from "../../base/bounded_map.ts";
import type { HeaderList } from "../transport/transport.ts";
import type { ReceivedHeaders } from "../client/passthrough.ts";
import { type Caller, type IdentityHasher, type PoolKey, poolKey } from "./session_key.ts";

/** The part of a call that decides who shares its session. */
interface KeyedCall {
  readonly token: Caller["token"];
  readonly received: ReceivedHeaders;
  readonly bound: unknown;
  readonly clientCapabilities?: string;
}

/** Limit of cached keys. */
const MAX_KEPT_KEYS = 10_000;

/** Calls with longer capabilities get a session of their own, because thousands of keys are kept. */
export const MAX_CAPABILITIES_CHARS = 1_000;

export class PoolKeys {
  readonly #identities: IdentityHasher;
  readonly #upstream: Pick<PoolKey, "url" | "transport" | "upstreamId" | "upstream">;
  /** By identity and declared capabilities. */
  readonly #kept = new BoundedMap<string, PoolKey>({ maxEntries: MAX_KEPT_KEYS });

  constructor(
    identities: IdentityHasher,
    upstream: Pick<PoolKey, "url" | "transport" | "upstreamId" | "upstream">,
  ) {
    this.#identities = identities;
    this.#upstream = upstream;
  }

  /** Returns null if the call must have a session of its own. */
  of(call: KeyedCall, passed: HeaderList): PoolKey | null {
    const { token, received } = call;
    const capabilities = declaredBy(call);
    if (capabilities !== undefined && capabilities.length > MAX_CAPABILITIES_CHARS) return null;
    const identity = this.#identities.identify({ token, received, passed });
    // Identities contain no spaces.
    const keptAs = capabilities === undefined ? identity : `${identity} ${capabilities}`;
    const known = this.#kept.get(keptAs);
    if (known !== undefined) return known;
    const key = poolKey({ ...this.#upstream, identity, capabilities });
    this.#kept.set(keptAs, key);
    return key;
  }
}

/** The capabilities of a client without a session, as JSON text; undefined: none. */
export function declaredBy({ bound, clientCapabilities }: KeyedCall): string | undefined {
  return bound !== null ? undefined : someIn(clientCapabilities);
}

/** The capabilities of a client with or without a session, as JSON text; undefined: none. */
export function capabilitiesOf(
  { bound, clientCapabilities }: {
    readonly bound: { readonly client: { readonly capabilities: string } } | null;
    readonly clientCapabilities?: string;
  },
): string | undefined {
  return someIn(bound?.client.capabilities ?? clientCapabilities);
}

function someIn(capabilities: string | undefined): string | undefined {
  return capabilities === undefined || /^\{\s*\}$/.test(capabilities) ? undefined : capabilities;
}
