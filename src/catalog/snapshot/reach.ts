// Whether a caller may still use an endpoint or an upstream. Sessions, streams and calls are checked by it after each change of the
// catalog.
import type { Principal } from "../../auth/principal.ts";
import { canSee } from "../../auth/rbac.ts";
import { type Barrier, barrierForAll } from "../../upstream/bound/barrier.ts";
import type { Catalog, Scope } from "./catalog.ts";

/** The caller of a session, stream or call. */
export interface Reacher {
  /** Null: not known yet, so only what holds for every caller is checked. */
  readonly principal: Principal | null;
  /** The virtual server in the path; null for endpoints that show everything. */
  readonly serverId: string | null;
}

/** The endpoint that the caller uses; null if its virtual server is disabled, deleted or hidden from the caller. */
export function reachedScope(catalog: Catalog, { principal, serverId }: Reacher): Scope | null {
  const scope = catalog.scope(serverId ?? principal?.serverId ?? null);
  if (scope === undefined) return null;
  return scope.server === null || principal === null || canSee(principal, scope.server) ? scope : null;
}

/**
 * Returns null if the caller may use the upstream. An upstream is as visible as its entries at the endpoint. One that lists nothing
 * at present is as visible as its gateway, so that sessions outlive an empty list.
 */
export function barrierTo(catalog: Catalog, reacher: Reacher, gatewayId: string): Barrier | null {
  const scope = reachedScope(catalog, reacher);
  if (scope === null) return "no endpoint";
  const gateway = catalog.gateway(gatewayId);
  if (gateway === undefined) return "it was deleted";
  const { principal } = reacher;
  const barrier = barrierForAll(gateway);
  if (barrier !== null || principal === null) return barrier;
  const sees = scope.entriesOf(gatewayId).some(({ row, isOn }) => isOn && canSee(principal, row)) ||
    (catalog.all.entriesOf(gatewayId).length === 0 && canSee(principal, gateway));
  return sees ? null : "the caller may not use it";
}
