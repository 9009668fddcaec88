// Room `resources`: URIs that the endpoint does not list. Handlers use `UnlistedResources`.
// This file decides which upstreams may be asked for one. An upstream that the endpoint or the token narrows, or whose changes wait for
// an approval, is asked only for what one of its tools has named.
import { canSee } from "../../auth/rbac.ts";
import type { Principal } from "../../auth/principal.ts";
import type { Entry, Scope } from "../../catalog/snapshot/catalog.ts";
import type { EntityRow, GatewayRow } from "../../store/registry/rows.ts";

/** A caller at an endpoint. */
export interface Asker {
  readonly scope: Scope;
  readonly principal: Principal;
}

/**
 * The upstreams to ask, in order. A URI that nothing names may be known to each upstream whose resources the caller sees all.
 * @param linkedTo the id of the upstream that has given the link
 */
export function upstreamsFor(asker: Asker, uri: string, linkedTo: string | undefined): readonly GatewayRow[] {
  const named = upstreamNaming(asker, uri, linkedTo);
  if (named !== undefined) return named === null ? [] : [named];
  const { scope, principal } = asker;
  return scope.upstreams((row) => canSee(principal, row)).filter((gateway) =>
    "resources" in gateway.capabilities && isWhole(asker, gateway)
  );
}

/**
 * The upstream that has named the URI: a tool's own resource (MCP Apps) belongs to the tool's upstream, and a link to the one that has
 * given it to this caller. Null: the caller may not have it; undefined: nothing names it.
 */
export function upstreamNaming(
  asker: Asker,
  uri: string,
  linkedTo: string | undefined,
): GatewayRow | null | undefined {
  const { scope, principal } = asker;
  const sees = ({ isOn, row }: Entry<EntityRow>) => isOn && canSee(principal, row);
  const named = scope.toolsShowing(uri).find(sees)?.gateway ??
    (linkedTo === undefined ? undefined : scope.entriesOf(linkedTo).find(sees)?.gateway);
  return named !== undefined && isWithheld(asker, named, uri) ? null : named;
}

/** Whether the registry lists the URI for this upstream: unapproved, switched off, hidden from the caller or excluded from the endpoint. */
function isWithheld(
  { scope: { whole, server }, principal }: Asker,
  { id }: GatewayRow,
  uri: string,
): boolean {
  if (server?.excluded.includes(uri) || whole.isHeld(id, uri)) return true;
  const isOwn = ({ gateway }: Entry<EntityRow>) => gateway.id === id;
  const listed = whole.resources.byOriginal(uri).find(isOwn) ?? whole.templates.byOriginal(uri).find(isOwn) ??
    whole.templates.matching(uri, isOwn);
  return listed !== undefined && !(listed.isOn && canSee(principal, listed.row));
}

/** Whether the endpoint shows the caller every resource of the upstream; if it lists none, everything else of it. */
function isWhole({ scope, principal }: Asker, { id }: GatewayRow): boolean {
  if (scope.isGuarded(id)) return false;
  const shown = new Set(
    scope.entriesOf(id).filter(({ isOn, row }) => isOn && canSee(principal, row)).map(({ row }) => row.id),
  );
  const all = scope.whole.entriesOf(id);
  const resources = all.filter(({ row }) => "uri" in row);
  return (resources.length > 0 ? resources : all).every(({ row }) => shown.has(row.id));
}
