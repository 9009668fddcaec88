// Finds the members of virtual servers: those that are chosen one by one, and those that whole upstreams and tags bring in.
import { appResourceOf } from "../../mcp/apps.ts";
import type {
  EntryRow,
  GatewayRow,
  PromptRow,
  ResourceRow,
  ServerRow,
  ToolRow,
} from "../../store/registry/rows.ts";
import { tagId } from "../../store/registry/tag_id.ts";

export interface Entries {
  readonly gateways: readonly GatewayRow[];
  readonly tools: readonly ToolRow[];
  /** Resources and templates. */
  readonly resources: readonly ResourceRow[];
  readonly prompts: readonly PromptRow[];
}

/** Ids, each at most once. */
export interface MemberIds {
  readonly toolIds: readonly string[];
  readonly resourceIds: readonly string[];
  readonly promptIds: readonly string[];
}

/** What an operator has chosen for a virtual server. */
export type Selection = Pick<
  ServerRow,
  "toolIds" | "resourceIds" | "promptIds" | "gatewayIds" | "memberTags" | "excluded"
>;

/** Whether upstreams or tags bring in members, so that the members change with the registry. */
export function growsByItself({ gatewayIds, memberTags }: Selection): boolean {
  return gatewayIds.length > 0 || memberTags.length > 0;
}

/** The names by which `excluded` may mean an entry. */
function namesOf(row: ToolRow | ResourceRow | PromptRow): readonly string[] {
  return "uri" in row ? [row.uri, row.name, row.customName ?? row.name] : [row.name, row.originalName];
}

/** Whether an upstream or a tag brings this entry into the server. */
export function bringsIn(
  { gatewayIds, memberTags, excluded }: Selection,
  row: ToolRow | ResourceRow | PromptRow,
  gateway: GatewayRow,
): boolean {
  if (namesOf(row).some((name) => excluded.includes(name))) return false;
  return gatewayIds.includes(gateway.id) || haveOneOf(memberTags, [...row.tags, ...gateway.tags]);
}

/** Whether the server takes all entries of the upstream. */
export function takesAllOf(
  { gatewayIds, memberTags }: Pick<Selection, "gatewayIds" | "memberTags">,
  gateway: GatewayRow,
): boolean {
  return gatewayIds.includes(gateway.id) || haveOneOf(memberTags, gateway.tags);
}

/** Labels with one id are one tag. */
function haveOneOf(wanted: readonly string[], labels: readonly string[]): boolean {
  if (wanted.length === 0 || labels.length === 0) return false;
  const ids = new Set(wanted.map(tagId));
  return labels.some((label) => ids.has(tagId(label)));
}

export class Membership {
  readonly #entries: Entries;
  #tools: EntriesByOrigin<ToolRow> | undefined;
  #resources: EntriesByOrigin<ResourceRow> | undefined;
  #prompts: EntriesByOrigin<PromptRow> | undefined;

  constructor(entries: Entries) {
    this.#entries = entries;
  }

  /** The ids of a server's members. Exclusions do not apply to members that are chosen one by one. */
  of(server: Selection): MemberIds {
    if (!growsByItself(server)) return server;
    const { gateways, tools, resources, prompts } = this.#entries;
    const excluded = new Set(server.excluded);
    const all = <Row extends ToolRow | ResourceRow | PromptRow>(
      ids: readonly string[],
      entries: EntriesByOrigin<Row>,
    ) => {
      const brought = entries.selectedBy(server).filter((row) =>
        !namesOf(row).some((name) => excluded.has(name))
      );
      return [...new Set([...ids, ...brought.map(({ id }) => id)])];
    };
    return {
      toolIds: all(server.toolIds, this.#tools ??= new EntriesByOrigin(tools, gateways)),
      resourceIds: all(server.resourceIds, this.#resources ??= new EntriesByOrigin(resources, gateways)),
      promptIds: all(server.promptIds, this.#prompts ??= new EntriesByOrigin(prompts, gateways)),
    };
  }
}

/** The entries of one kind, by upstream and by the id of a tag. */
class EntriesByOrigin<Row extends EntryRow> {
  readonly #byGateway: ReadonlyMap<string | null, readonly Row[]>;
  readonly #byTag = new Map<string, Row[]>();

  constructor(rows: readonly Row[], gateways: readonly GatewayRow[]) {
    this.#byGateway = Map.groupBy(rows, ({ gatewayId }) => gatewayId);
    const tagsOf = new Map(gateways.map(({ id, tags }) => [id, tags]));
    for (const row of rows) {
      const labels = [...row.tags, ...tagsOf.get(row.gatewayId ?? "") ?? []];
      for (const tag of new Set(labels.map(tagId))) {
        const tagged = this.#byTag.get(tag);
        if (tagged === undefined) this.#byTag.set(tag, [row]);
        else tagged.push(row);
      }
    }
  }

  selectedBy({ gatewayIds, memberTags }: Pick<ServerRow, "gatewayIds" | "memberTags">): Row[] {
    return [
      ...gatewayIds.flatMap((id) => this.#byGateway.get(id) ?? []),
      ...memberTags.flatMap((label) => this.#byTag.get(tagId(label)) ?? []),
    ];
  }
}

/** The resources of one upstream that show the results of its tools (MCP Apps), by the tool's id. */
export function appResourcesOf(
  { tools, resources }: Pick<Entries, "tools" | "resources">,
): ReadonlyMap<string, readonly ResourceRow[]> {
  const apps = tools.flatMap(({ id, definition }) => {
    const uri = appResourceOf(definition);
    return uri === null ? [] : [{ id, uri }];
  });
  if (apps.length === 0) return NO_APPS;
  const byUri = Map.groupBy(resources, ({ uri }) => uri);
  return new Map(apps.map(({ id, uri }) => [id, byUri.get(uri) ?? []]));
}

const NO_APPS: ReadonlyMap<string, readonly ResourceRow[]> = new Map();

/** The resources that show the results of tools. A virtual server with the tool has its resource, too. */
export class AppResources {
  /** By the tool's id. */
  readonly #byTool: ReadonlyMap<string, readonly ResourceRow[]>;

  /** @param upstreams those of each upstream */
  constructor(upstreams: readonly ReadonlyMap<string, readonly ResourceRow[]>[]) {
    this.#byTool = new Map(upstreams.flatMap((each) => [...each]));
  }

  /** The ids of a virtual server's resources, with those of its tools. */
  broughtBy({ toolIds, resourceIds }: MemberIds, { excluded }: Selection): readonly string[] {
    const brought = toolIds.flatMap((id) => this.#byTool.get(id) ?? [])
      .filter(({ uri, name }) => !excluded.includes(uri) && !excluded.includes(name));
    return brought.length === 0
      ? resourceIds
      : [...new Set([...resourceIds, ...brought.map(({ id }) => id)])];
  }
}
