// Finds the entry for a client's name or URI, among those that the caller may see.
import { SluiceError } from "../../base/errors.ts";
import { canSee } from "../../auth/rbac.ts";
import type { Principal } from "../../auth/principal.ts";
import type { EntityRow, GatewayRow, PromptRow, ResourceRow, ToolRow } from "../../store/registry/rows.ts";
import type { Entry, EntryIndex, Scope } from "./catalog.ts";

/** @throws {SluiceError} TOOL_NOT_FOUND (also for a tool that the caller may not see), NAME_AMBIGUOUS */
export function resolveTool(scope: Scope, name: string, principal: Principal): Entry<ToolRow> {
  return resolveName(scope.tools, name, principal) ?? fail(new SluiceError("TOOL_NOT_FOUND", { name }));
}

/** @throws {SluiceError} PROMPT_NOT_FOUND, NAME_AMBIGUOUS */
export function resolvePrompt(scope: Scope, name: string, principal: Principal): Entry<PromptRow> {
  return resolveName(scope.prompts, name, principal) ?? fail(new SluiceError("PROMPT_NOT_FOUND", { name }));
}

/**
 * Finds a listed resource or template; else the first template that matches the URI. @throws {SluiceError} RESOURCE_NOT_FOUND
 */
export function resolveResource(scope: Scope, uri: string, principal: Principal): Entry<ResourceRow> {
  // If two upstreams list one URI, the first one visible to the caller answers.
  const listed = scope.resources.byOriginal(uri).find(({ row }) => canSee(principal, row)) ??
    scope.templates.byOriginal(uri).find(({ row }) => canSee(principal, row));
  if (listed !== undefined) return listed;
  for (const entry of scope.templates.entries) {
    if (canSee(principal, entry.row) && entry.template.matches(uri)) return entry;
  }
  throw new SluiceError("RESOURCE_NOT_FOUND", { uri }, { data: { uri } });
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

/** Finds an entry by the gateway's name, else by the upstream's name if only one matches. */
function resolveName<Row extends EntityRow>(
  index: EntryIndex<Entry<Row>>,
  name: string,
  principal: Principal,
): Entry<Row> | undefined {
  const exact = index.get(name);
  if (exact !== undefined && canSee(principal, exact.row)) return exact;
  const originals = index.byOriginal(name).filter(({ row }) => canSee(principal, row));
  if (originals.length > 1) {
    const candidates = originals.map(({ key }) => key).sort().join(", ");
    throw new SluiceError("NAME_AMBIGUOUS", { name, candidates });
  }
  return originals[0];
}

function fail(error: SluiceError): never {
  throw error;
}
