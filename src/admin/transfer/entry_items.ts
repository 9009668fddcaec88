// Tools, resources and prompts of a gateway of another installation, as the registry would have them.
import type { z } from "zod";
import { isRefused, judgeEntry, type ListEntry } from "../../mcp/list_entries.ts";
import type { EntryKind, EntryRow, PromptRow, ResourceRow, ToolRow } from "../../store/registry/rows.ts";
import { storable } from "../../store/sql/sql.ts";
import { promptUpdate, resourceUpdate, toolUpdate } from "../rest/schemas.ts";
import type { EntryItem } from "./bundle.ts";
import { type Fields, fittingFields, originOf, sharingOf, textOf, Unfit } from "./item_fields.ts";

/** An entry as another installation has it. */
export interface EntrySource {
  /** Those of the REST API by their snake_case names, and `id`, `gateway_id`, `registry_name`, `enabled`, `created_at`, `updated_at`. */
  readonly fields: Fields;
  /** What the upstream lists, as JSON text. */
  readonly definition: string;
  /** The upstream's revision: its rules judge the definition. */
  readonly revision: string;
  readonly position: number;
  readonly now: string;
}

/** Fields that decide who sees an entry. */
const ESSENTIAL = ["visibility", "team_id", "owner_email"];

/** @throws {Unfit} */
export function toolItem(source: EntrySource): EntryItem<ToolRow> {
  const { input, notes } = fittingFields(toolUpdate, source.fields, ESSENTIAL);
  const { entry, shared } = entryOf("tool", source, input, notes);
  const row: ToolRow = {
    ...shared,
    ...namedFields(source, entry, input),
    sessionDefinition: entry.sessionText === null ? null : storable(entry.sessionText),
    timeoutMs: input.timeout_ms ?? null,
  };
  return { row, label: entry.key, notes };
}

/** @throws {Unfit} */
export function promptItem(source: EntrySource): EntryItem<PromptRow> {
  const { input, notes } = fittingFields(promptUpdate, source.fields, ESSENTIAL);
  const { entry, shared } = entryOf("prompt", source, input, notes);
  const row: PromptRow = {
    ...shared,
    ...namedFields(source, entry, input),
  };
  return { row, label: entry.key, notes };
}

/** @throws {Unfit} */
export function resourceItem(kind: "resource" | "template", source: EntrySource): EntryItem<ResourceRow> {
  const { input, notes } = fittingFields(resourceUpdate, source.fields, ESSENTIAL);
  const { entry, shared } = entryOf(kind, source, input, notes);
  const row: ResourceRow = {
    ...shared,
    tags: input.tags ?? [],
    uri: entry.key,
    name: storable(String(JSON.parse(entry.text).name)),
    isTemplate: kind === "template",
    customName: input.name ?? null,
    description: input.description ?? null,
    mimeType: input.mime_type ?? null,
    definition: storable(entry.text),
  };
  return { row, label: entry.key, notes };
}

/** What tools and prompts have in common: their names and words, the operator's and the upstream's. */
function namedFields(
  { fields }: EntrySource,
  entry: ListEntry,
  input: Pick<z.output<typeof toolUpdate>, "tags" | "custom_name" | "display_name" | "description">,
) {
  return {
    tags: input.tags ?? [],
    originalName: entry.key,
    name: textOf(fields.registry_name) ?? "",
    customName: input.custom_name === entry.key ? null : input.custom_name ?? null,
    displayName: input.display_name ?? null,
    description: input.description ?? null,
    definition: storable(entry.text),
  };
}

function entryOf(
  kind: EntryKind,
  { fields, definition, revision, position, now }: EntrySource,
  sharing: Parameters<typeof sharingOf>[0],
  notes: string[],
): { entry: ListEntry; shared: Omit<EntryRow, "definition" | "tags"> } {
  const entry = judgeEntry(kind, definition, revision);
  if (isRefused(entry)) throw new Unfit(`no client could read it: ${entry.reason}`);
  notes.push(...entry.losses);
  const shared = {
    ...originOf(fields, now),
    ...sharingOf(sharing, notes),
    gatewayId: String(fields.gateway_id),
    position,
  };
  return { entry, shared };
}
