// Which lists of upstreams do not depend on what a client can do, as far as this worker has seen. Clients are asked to wait for a session of
// their own only where it may list something else.
import { isObject } from "../../mcp/json_rpc.ts";
import type { GatewayRow } from "../../store/registry/rows.ts";
import type { ListName } from "../../upstream/session/list_filter.ts";

/** Capabilities that are remembered per upstream and list. Clients invent names. */
const MAX_CAPABILITIES = 200;

interface Seen {
  /** The upstream's introduction: another version may behave differently. */
  readonly version: string;
  /** The lists were as in the registry for clients with these. */
  readonly capabilities: Set<string>;
}

export class UniformLists {
  readonly #seen = new Map<string, Seen>();

  /** Whether a session with these capabilities lists what the registry has. */
  isSettled(gateway: GatewayRow, list: ListName, capabilities: ReadonlySet<string>): boolean {
    if (capabilities.size === 0) return true;
    const seen = this.#seen.get(keyOf(gateway, list));
    return seen?.version === versionOf(gateway) && capabilities.isSubsetOf(seen.capabilities);
  }

  /** A session with these capabilities has listed what the registry has. */
  isUniform(gateway: GatewayRow, list: ListName, capabilities: ReadonlySet<string>): void {
    const key = keyOf(gateway, list);
    const version = versionOf(gateway);
    let seen = this.#seen.get(key);
    if (seen?.version !== version) this.#seen.set(key, seen = { version, capabilities: new Set() });
    for (const each of capabilities) {
      if (seen.capabilities.size < MAX_CAPABILITIES) seen.capabilities.add(each);
    }
  }

  /** Forgets upstreams that are gone. */
  keep(gateways: readonly GatewayRow[]): void {
    const present = new Set(gateways.map(({ id }) => id));
    for (const key of this.#seen.keys()) {
      if (!present.has(key.slice(key.indexOf(" ") + 1))) this.#seen.delete(key);
    }
  }
}

/** The capabilities that a client declares, with their members: `elicitation`, `elicitation.url`. @param text JSON */
export function declaredIn(text: string): ReadonlySet<string> {
  const declared: unknown = JSON.parse(text);
  if (!isObject(declared)) return new Set();
  return new Set(
    Object.entries(declared).flatMap(([name, value]) => [
      name,
      ...(isObject(value) ? Object.keys(value).map((member) => `${name}.${member}`) : []),
    ]),
  );
}

function keyOf({ id }: GatewayRow, list: ListName): string {
  return `${list} ${id}`;
}

function versionOf({ serverInfo, url }: GatewayRow): string {
  return JSON.stringify([url, serverInfo]);
}
