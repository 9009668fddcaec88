// /tags: which tags there are, and which entities have one.
import { canSee } from "../../auth/rbac.ts";
import type { EntityRow } from "../../store/registry/rows.ts";
import { tagId } from "../../store/registry/tag_id.ts";
import { type AdminResponse, type Call, ok } from "../rest/deps.ts";
import { validated } from "../rest/faults.ts";
import { tagsQuery } from "../rest/queries.ts";
import { promptRead, resourceRead, toolRead } from "../rest/shapes.ts";

const KINDS = ["tools", "resources", "prompts", "servers", "gateways"] as const;

type Kind = typeof KINDS[number];

/** An entity that has tags, in ContextForge's format. */
interface Tagged {
  readonly kind: Kind;
  readonly tagIds: readonly string[];
  readonly shown: Readonly<Record<"id" | "name" | "type" | "description", unknown>>;
}

/** All tags by id, with the number of entities of each kind; with include_entities also the entities. */
export async function listTags(call: Call): Promise<AdminResponse> {
  const { include_entities: withEntities } = readQuery(call);
  const byTag = new Map<string, Tagged[]>();
  for (const entity of await taggedEntities(call)) {
    for (const id of entity.tagIds) {
      const tagged = byTag.get(id);
      if (tagged === undefined) byTag.set(id, [entity]);
      else tagged.push(entity);
    }
  }
  const names = [...byTag.keys()].sort();
  return ok(names.map((name) => {
    const tagged = byTag.get(name)!;
    const amounts = KINDS.map((kind) => [kind, tagged.filter((entity) => entity.kind === kind).length]);
    return {
      name,
      stats: { ...Object.fromEntries(amounts), total: tagged.length },
      entities: withEntities ? tagged.map(({ shown }) => shown) : [],
    };
  }));
}

/** The entities with the tag of the path, which is its id or label. */
export async function listTagged(call: Call): Promise<AdminResponse> {
  const wanted = tagId(call.params.tag);
  const tagged = (await taggedEntities(call)).filter(({ tagIds }) => tagIds.includes(wanted));
  return ok(tagged.map(({ shown }) => shown));
}

function readQuery({ query }: Call) {
  return validated(tagsQuery, Object.fromEntries(query), ["query"]);
}

/** The entities with tags that the caller may see, of the kinds that the query names. */
async function taggedEntities(call: Call): Promise<Tagged[]> {
  const { deps: { store }, principal } = call;
  const { entity_types: kinds = KINDS } = readQuery(call);
  const found: Tagged[] = [];
  const add = <Row extends EntityRow>(kind: Kind, rows: readonly Row[], wordsOf: (row: Row) => Words) => {
    for (const row of rows) {
      if (row.tags.length === 0 || !canSee(principal, row)) continue;
      const { name, description } = wordsOf(row);
      const shown = { id: row.id, name, type: kind.slice(0, -1), description };
      found.push({ kind, tagIds: [...new Set(row.tags.map(tagId))], shown });
    }
  };
  if (kinds.includes("tools")) {
    add("tools", await store.tools.list(), (row) => toolRead(row, undefined, principal));
  }
  if (kinds.includes("resources")) add("resources", await store.resources.list(), resourceRead);
  if (kinds.includes("prompts")) {
    add("prompts", await store.prompts.list(), (row) => promptRead(row, undefined));
  }
  if (kinds.includes("servers")) add("servers", await store.servers.list(), (row) => row);
  if (kinds.includes("gateways")) add("gateways", await store.gateways.list(), (row) => row);
  return found;
}

interface Words {
  readonly name?: unknown;
  readonly description?: unknown;
}
