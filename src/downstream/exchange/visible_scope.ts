// The scope that an endpoint shows to a caller: its virtual server, narrowed to the one that the token is for.
import type { Principal } from "../../auth/principal.ts";
import { SluiceError } from "../../base/errors.ts";
import type { Catalog, Scope } from "../../catalog/snapshot/catalog.ts";
import { serverIdOf } from "../../store/sql/server_ids.ts";
import { reachedScope } from "../../catalog/snapshot/reach.ts";

/** @param serverId virtual server in the path; null for endpoints that show everything. @throws {SluiceError} FORBIDDEN, NOT_FOUND */
export function scopeFor(catalog: Catalog, principal: Principal, serverId: string | null): Scope {
  if (principal.serverId !== null && serverId !== null && principal.serverId !== serverId) {
    throw new SluiceError("FORBIDDEN", { reason: "the token is for another server" });
  }
  const scope = reachedScope(catalog, { principal, serverId });
  if (scope === null) throw new SluiceError("NOT_FOUND", { what: "Server" });
  return scope;
}

/** `/servers/{id}/{last}` -> the id in the registry's form; null for every other path. */
export function serverAt(path: string, last: string): string | null {
  const parts = /^\/servers\/([^/]+)\/([^/]+)$/.exec(path);
  return parts !== null && parts[2] === last ? serverIdOf(parts[1]!) : null;
}
