// Finds the entry for a client's name or URI, among those that the caller may see.
import { SluiceError } from "../../base/errors.ts";
import { canSee } from "../../auth/rbac.ts";
import type { Principal } from "../../auth/principal.ts";
import type { EntityRow, GatewayRow, PromptRow, ResourceRow, ToolRow } from "../../store/registry/rows.ts";
import type { Entry, EntryIndex, Scope } from "./catalog.ts";
import type { RegistryNames } from "./tool_name.ts";

/** @throws {SluiceError} TOOL_NOT_FOUND (also for a tool that the caller may not see), NAME_AMBIGUOUS */
export function resolveTool(scope: Scope, name: string, principal: Principal): Entry<ToolRow> {
  return resolveName(scope.tools, scope.toolNames, name, principal) ??
    fail(new SluiceError("TOOL_NOT_FOUND", { name }));
}

/** @throws {SluiceError} PROMPT_NOT_FOUND, NAME_AMBIGUOUS */
export function resolvePrompt(scope: Scope, name: string, principal: Principal): Entry<PromptRow> {
  return resolveName(scope.prompts, scope.promptNames, name, principal) ??
    fail(new SluiceError("PROMPT_NOT_FOUND", { name }));
}

/**
 * Finds the owner of a URI among what the caller may see: the resource or template that lists it and was seen first; else the
 * matching template with the longest literal prefix. A disabled owner keeps its URI, so that the URI does not move to another
 * upstream meanwhile, and so does a template whose upstream has a new resource of that URI that nobody has approved.
 * @throws {SluiceError} RESOURCE_NOT_FOUND
 */
export function resolveResource(scope: Scope, uri: string, principal: Principal): Entry<ResourceRow> {
  const owner = findResource(scope, uri, principal);
  if (owner === null) throw new SluiceError("RESOURCE_NOT_FOUND", { uri }, { data: { uri } });
  return owner;
}

/** Like `resolveResource`; null: nothing that the caller may see lists the URI. @throws {SluiceError} RESOURCE_NOT_FOUND */
export function findResource(scope: Scope, uri: string, principal: Principal): Entry<ResourceRow> | null {
  const sees = ({ row }: Entry<ResourceRow>) => canSee(principal, row);
  const owner = scope.resources.byOriginal(uri).find(sees) ?? scope.templates.byOriginal(uri).find(sees) ??
    scope.templates.matching(uri, sees);
  if (owner !== undefined && (!owner.isOn || scope.isHeld(owner.gateway.id, uri))) {
    throw new SluiceError("RESOURCE_NOT_FOUND", { uri }, { data: { uri } });
  }
  return owner ?? null;
}

/** The upstreams of the entries that the caller sees, in list order. */
export function visibleGateways(
  index: EntryIndex<Entry<EntityRow>>,
  principal: Principal,
): readonly GatewayRow[] {
  if (index.allPublic) return index.gateways;
  const seen = index.entries.filter(({ row }) => canSee(principal, row));
  return [...new Set(seen.map(({ gateway }) => gateway))];
}

/** The upstream with this id, if the caller sees an entry of it. */
export function visibleGateway(
  index: EntryIndex<Entry<EntityRow>>,
  gatewayId: string,
  principal: Principal,
): GatewayRow | undefined {
  return index.entries.find(({ gateway, row }) => gateway.id === gatewayId && canSee(principal, row))
    ?.gateway;
}

/**
 * Finds an entry by the gateway's name, else by the upstream's name if only one entry has it. Disabled and hidden entries count:
 * otherwise a call for one of them would reach another upstream, with all its arguments.
 */
function resolveName<Row extends EntityRow>(
  index: EntryIndex<Entry<Row>>,
  registered: RegistryNames,
  name: string,
  principal: Principal,
): Entry<Row> | undefined {
  const exact = index.get(name);
  if (exact !== undefined) return exact.isOn && canSee(principal, exact.row) ? exact : undefined;
  const originals = index.byOriginal(name)
    .filter(({ gateway }) => !registered.isOfAnother(name, gateway.slug));
  const visible = originals.filter(({ row }) => canSee(principal, row));
  const usable = visible.filter(({ isOn }) => isOn);
  if (originals.length <= 1 || usable.length === 0) return usable[0];
  // The answer must not tell of an entry that the caller may not see.
  if (usable.length === 1 && visible.length < originals.length) return undefined;
  const candidates = usable.map(({ key }) => key).sort().join(", ");
  throw new SluiceError("NAME_AMBIGUOUS", { name, candidates });
}

function fail(error: SluiceError): never {
  throw error;
}
