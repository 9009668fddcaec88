// A virtual server of another installation, as the registry would have it.
import type { EntityRow, ServerRow, ToolOverride } from "../../store/registry/rows.ts";
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

type MemberIds<Ids> = Readonly<Record<keyof ServerMembers, Ids>>;

const NOUNS: MemberIds<string> = {
  ...{ toolIds: "tool", resourceIds: "resource", promptIds: "prompt", gatewayIds: "gateway" },
};

/** What the registry has that can be a member of a server. */
interface PresentMembers {
  readonly tools: readonly EntityRow[];
  readonly resources: readonly EntityRow[];
  readonly prompts: readonly EntityRow[];
  readonly gateways: readonly EntityRow[];
}

/**
 * The members of servers by their ids here. A server may come without its members, and then has those that are here. Members that the
 * caller of the import does not see are neither added nor removed: a file does not have the entries that its maker did not see.
 */
export class MembersHere {
  /** The id here by the id of the source, and by the id here. */
  readonly #ids: MemberIds<ReadonlyMap<string, string>>;
  readonly #hidden: ReadonlySet<string>;
  readonly #sees: (row: EntityRow) => boolean;

  /** @param ids the id here by the id of the source, of what the import brings */
  constructor(
    { tools, resources, prompts, gateways }: PresentMembers,
    sees: (row: EntityRow) => boolean,
    ids: MemberIds<ReadonlyMap<string, string>>,
  ) {
    const isHidden = (row: EntityRow) => !sees(row);
    const hidden = [tools, resources, prompts, gateways].flatMap((rows) => rows.filter(isHidden));
    this.#hidden = new Set(hidden.map(({ id }) => id));
    const of = (rows: readonly EntityRow[], field: keyof ServerMembers) =>
      new Map([
        ...rows.filter(sees).map(({ id }) => [id, id] as const),
        // An entry of the file may be a hidden one here, which the import has left as it is.
        ...[...ids[field]].filter(([, here]) => !this.#hidden.has(here)),
      ]);
    this.#ids = {
      ...{ toolIds: of(tools, "toolIds"), resourceIds: of(resources, "resourceIds") },
      ...{ promptIds: of(prompts, "promptIds"), gatewayIds: of(gateways, "gatewayIds") },
    };
    this.#sees = sees;
  }

  /**
   * The server with the members that are here.
   * @param row of the item, with the team that it has here
   * @param present the server that the item changes; undefined: the item becomes a new one
   */
  of(
    item: Item<ServerRow>,
    row: ServerRow,
    present: ServerRow | undefined,
  ): { readonly row: ServerRow; readonly item: Item<ServerRow> } {
    const former = present !== undefined && this.#sees(present) ? present : undefined;
    const notes = [...item.notes];
    const membersOf = (field: keyof ServerMembers): readonly string[] => {
      const ids = this.#ids[field];
      const wanted = [...new Set(row[field].flatMap((id) => ids.get(id) ?? []))];
      const kept = (former?.[field] ?? []).filter((id) => this.#hidden.has(id) && !wanted.includes(id));
      const missing = row[field].filter((id) => !ids.has(id) && !kept.includes(id)).length;
      if (missing > 0) {
        notes.push(`${missing} of its ${NOUNS[field]}${missing === 1 ? " is" : "s are"} not here`);
      }
      return inFormerOrder(former?.[field] ?? [], kept, wanted);
    };
    const members = {
      ...{ toolIds: membersOf("toolIds"), resourceIds: membersOf("resourceIds") },
      ...{ promptIds: membersOf("promptIds"), gatewayIds: membersOf("gatewayIds") },
    };
    return {
      row: {
        ...row,
        ...members,
        toolOverrides: this.#overrides(row.toolOverrides, former?.toolOverrides ?? {}),
      },
      item: { ...item, notes },
    };
  }

  #overrides(
    given: ServerRow["toolOverrides"],
    former: ServerRow["toolOverrides"],
  ): ServerRow["toolOverrides"] {
    const wanted = new Map(
      Object.entries(given).map(([id, override]) => [this.#ids.toolIds.get(id) ?? id, override] as const)
        .filter(([id]) => !this.#hidden.has(id)),
    );
    const kept = Object.keys(former).filter((id) => this.#hidden.has(id));
    const ids = inFormerOrder(Object.keys(former), kept, [...wanted.keys()]);
    return Object.fromEntries(ids.map((id) => [id, wanted.get(id) ?? former[id]!]));
  }
}

/** What is kept beside what is wanted. An import that changes nothing else leaves the order too. */
function inFormerOrder(
  former: readonly string[],
  kept: readonly string[],
  wanted: readonly string[],
): readonly string[] {
  const others = former.filter((id) => !kept.includes(id));
  return kept.length > 0 && String(others) === String(wanted) ? former : [...wanted, ...kept];
}
