// A virtual server of another installation, as the registry would have it.
import type { ServerRow, ToolOverride } from "../../store/registry/rows.ts";
import { serverIdOf } from "../../store/sql/server_ids.ts";
import { serverUpdate } from "../rest/schemas.ts";
import type { Item } from "./bundle.ts";
import { type Fields, fittingFields, originOf, sharingOf, Unfit } from "./item_fields.ts";

/** Members by the ids that they have where they come from. */
export type ServerMembers = Pick<ServerRow, "toolIds" | "resourceIds" | "promptIds" | "gatewayIds">;

/**
 * @param fields those of the REST API by their snake_case names, and `id`, `enabled`, `created_at`, `updated_at`
 * @throws {Unfit}
 */
export function serverItem(fields: Fields, members: ServerMembers, now: string): Item<ServerRow> {
  const { input, notes } = fittingFields(serverUpdate, fields, [
    "name",
    "visibility",
    "team_id",
    "owner_email",
  ]);
  if (input.name === undefined) throw new Unfit("it has no name");
  const row: ServerRow = {
    ...originOf(fields, now),
    id: serverIdOf(String(fields.id)),
    ...sharingOf(input, notes),
    tags: input.tags ?? [],
    name: input.name,
    description: input.description ?? null,
    icon: input.icon ?? null,
    naming: input.naming ?? "prefixed",
    toolOverrides: overridesOf(input.tool_overrides ?? {}),
    serverInfo: input.server_info ?? null,
    instructions: input.instructions ?? null,
    revisions: input.revisions ?? "auto",
    memberTags: input.associated_tags ?? [],
    excluded: input.excluded ?? [],
    ...members,
  };
  return { row, label: row.name, notes };
}

function overridesOf(
  given: Readonly<Record<string, { name?: string | null; description?: string | null }>>,
): ServerRow["toolOverrides"] {
  const overrides = Object.entries(given).map(([id, { name, description }]): [string, ToolOverride] => [id, {
    ...(name === undefined || name === null ? {} : { name }),
    ...(description === undefined || description === null ? {} : { description }),
  }]);
  return Object.fromEntries(overrides);
}
