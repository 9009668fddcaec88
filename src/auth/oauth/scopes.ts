// Scopes of access tokens. A scope names a permission of the table, or a virtual server as `server:{id}`. `offline_access` asks for a
// refresh token, as in OpenID Connect; clients may ask for it or not.
import { serverIdOf } from "../../store/sql/server_ids.ts";
import { METHOD_PERMISSIONS } from "../method_permissions.ts";
import { isPermission, type Permission } from "../permission_table.ts";

/** What MCP clients need to use everything that an endpoint lists. */
export const MCP_SCOPES: readonly Permission[] = [
  ...new Set(Object.values(METHOD_PERMISSIONS).filter((permission) => permission !== null)),
];

export const OFFLINE_ACCESS = "offline_access";

const SERVER = "server:";

/** Far more than there are permissions. */
const MAX_SCOPES = 100;

export interface Scopes {
  readonly permissions: readonly Permission[];
  /** The virtual server that a scope names; null: none does. */
  readonly serverId: string | null;
}

/** The scopes of a text (RFC 6749, section 3.3); null: one of them is not known, or they name two virtual servers. */
export function scopesIn(text: string): Scopes | null {
  const words = [...new Set(text.split(" ").filter((word) => word !== ""))];
  if (words.length > MAX_SCOPES) return null;
  const servers = words.filter((word) => word.startsWith(SERVER)).map((word) =>
    serverIdOf(word.slice(SERVER.length))
  );
  const permissions = words.filter(isPermission);
  const isKnown = words.every((word) =>
    isPermission(word) || word === OFFLINE_ACCESS || word.startsWith(SERVER)
  );
  if (!isKnown || new Set(servers).size > 1 || servers.includes("")) return null;
  return { permissions, serverId: servers[0] ?? null };
}

export function scopeText({ permissions, serverId }: Scopes): string {
  return [...permissions, ...(serverId === null ? [] : [`${SERVER}${serverId}`])].join(" ");
}
