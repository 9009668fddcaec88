// Room `snapshot`: one immutable state of the catalog. Everything here is computed from the store's rows, without I/O.
// This file is the snapshot: everything that the data plane looks up.
import { NOBODY, type People } from "../../auth/people.ts";
import type { Principal } from "../../auth/principal.ts";
import type { UpstreamApproval } from "../../store/approvals/held_changes.ts";
import { isAllowedTime } from "../../auth/api_tokens/time_check.ts";
import { NO_TOKEN_CHANGES, type TokenChanges } from "../../auth/token_changes.ts";
import type {
  CatalogRows,
  GatewayRow,
  OfferedRevisions,
  PromptRow,
  RemovedEntry,
  RightsRows,
  ServerRow,
  ToolRow,
} from "../../store/registry/rows.ts";
import type { KnownVersions } from "../../store/sql/catalog_version.ts";
import { Collection, namedEntry, type Overrides, resourceEntry, templateEntry } from "./collection.ts";
import { inRegistrationOrder } from "./list_order.ts";
import { Scope } from "./scope.ts";
import { RegistryNames } from "./tool_name.ts";
import { nameMembers } from "./scope_names.ts";
import { EntryIndex } from "./entry_index.ts";
import { AppResources, type MemberIds, Membership } from "./membership.ts";
import { TemplateIndex } from "./template_index.ts";

export type { Scope } from "./scope.ts";
export type { Entry, EntryIndex } from "./entry_index.ts";

const EVERYTHING = { toolIds: null, resourceIds: null, promptIds: null };

/** Upstreams, virtual servers and what they offer, indexed. Catalogs between which only rights have changed share one. */
class Offer {
  readonly all: Scope;
  readonly gateways: readonly GatewayRow[];
  readonly naming: ServerRow["naming"];
  readonly removed: readonly RemovedEntry[];
  readonly approvals: ReadonlyMap<string, UpstreamApproval>;
  readonly gatewaysById: ReadonlyMap<string, GatewayRow>;
  readonly scopes: ReadonlyMap<string, Scope>;

  constructor(
    rows: CatalogRows,
    { naming, revisions }: { readonly naming: ServerRow["naming"]; readonly revisions: OfferedRevisions },
  ) {
    this.naming = naming;
    this.removed = rows.removed;
    this.approvals = new Map(rows.approvals.map((approval) => [approval.gatewayId, approval]));
    const registered = this.gateways = inRegistrationOrder(rows.gateways);
    const gateways = this.gatewaysById = new Map(registered.map((row) => [row.id, row]));
    const tools = new Collection(rows.tools, gateways, namedEntry<ToolRow>);
    const prompts = new Collection(rows.prompts, gateways, namedEntry<PromptRow>);
    const isTemplate = ({ isTemplate }: { isTemplate: boolean }) => isTemplate;
    const resources = new Collection(
      rows.resources.filter((row) => !isTemplate(row)),
      gateways,
      resourceEntry,
    );
    const templates = new Collection(rows.resources.filter(isTemplate), gateways, templateEntry);
    const slugs = registered.map(({ slug }) => slug);
    const names = (kind: "tool" | "prompt", rows: readonly (ToolRow | PromptRow)[]) => {
      const removed = this.removed.filter((entry) => entry.kind === kind);
      return new RegistryNames([...rows, ...removed.map(({ row }) => row)].map(({ name }) => name), slugs);
    };
    const allToolNames = names("tool", rows.tools);
    const allPromptNames = names("prompt", rows.prompts);

    const scopeOf = (
      server: ServerRow | null,
      whole: Scope | undefined,
      { toolIds, resourceIds, promptIds }: MemberIds | typeof EVERYTHING,
    ): Scope => {
      const words: Pick<ServerRow, "naming" | "toolOverrides"> = server ?? { naming, toolOverrides: {} };
      const { toolNames, promptNames, conflicts } = nameMembers(words, {
        tools: tools.rowsOf(toolIds),
        prompts: prompts.rowsOf(promptIds),
      });
      const toolOverridesOf = (row: ToolRow): Overrides => ({
        ...words.toolOverrides[row.id],
        ...otherName(row, toolNames),
      });
      const promptOverridesOf = (row: PromptRow): Overrides => otherName(row, promptNames);
      return new Scope(
        {
          server,
          tools: new EntryIndex(tools.entriesOf(toolIds, toolOverridesOf), allToolNames),
          resources: new EntryIndex(resources.entriesOf(resourceIds)),
          templates: new TemplateIndex(templates.entriesOf(resourceIds)),
          prompts: new EntryIndex(prompts.entriesOf(promptIds, promptOverridesOf), allPromptNames),
          conflicts,
          offered: server?.revisions ?? revisions,
          approvals: this.approvals,
        },
        registered,
        whole,
      );
    };
    this.all = scopeOf(null, undefined, EVERYTHING);
    const scopes = this.scopes = new Map<string, Scope>();
    const appResources = new AppResources(rows);
    const membership = new Membership(rows);
    for (const server of rows.servers) {
      if (!server.enabled) continue;
      const members = membership.of(server);
      const resourceIds = appResources.broughtBy(members, server);
      scopes.set(server.id, scopeOf(server, this.all, { ...members, resourceIds }));
    }
  }
}

export class Catalog {
  readonly version: number;
  readonly all: Scope;
  /** All registered upstreams in registration order. */
  readonly gateways: readonly GatewayRow[];
  /** Of tools and prompts, at the endpoints that show everything. */
  readonly naming: ServerRow["naming"];
  /** What operators have decided about entries that upstreams no longer list. */
  readonly removed: readonly RemovedEntry[];
  /** Upstreams whose changes wait for an approval, by id. */
  readonly approvals: ReadonlyMap<string, UpstreamApproval>;
  /** Ids (`jti`) of revoked tokens. */
  readonly revokedTokens: ReadonlySet<string>;
  readonly quotas: CatalogRows["quotas"];
  /** Users, teams and roles. The same object as long as they have not changed. */
  readonly people: People;
  /** The API tokens that have changed lately. The same object as long as none changes. */
  readonly tokenChanges: TokenChanges;
  readonly #offer: Offer;

  /**
   * @param rows with `former`: upstreams, virtual servers and what they offer are those of that catalog, indexes and all
   * @param naming whether the whole catalog has the registry's names of tools and prompts, or the upstreams' own
   * @param revisions MCP_REVISIONS, for the endpoints that show everything
   * @param people those of `rows`, or the former ones if `rows` have none
   * @param tokenChanges the former ones with those of `rows`
   */
  constructor(
    rows: CatalogRows | RightsRows & { readonly former: Catalog },
    { naming = "prefixed", revisions = "auto", people = NOBODY, tokenChanges = NO_TOKEN_CHANGES }: {
      readonly naming?: ServerRow["naming"];
      readonly revisions?: OfferedRevisions;
      readonly people?: People;
      readonly tokenChanges?: TokenChanges;
    } = {},
  ) {
    this.version = rows.version;
    this.revokedTokens = new Set(rows.revokedTokens);
    this.quotas = rows.quotas;
    this.people = people;
    this.tokenChanges = tokenChanges;
    const offer = this.#offer = "former" in rows
      ? rows.former.#offer
      : new Offer(rows, { naming, revisions });
    this.all = offer.all;
    this.gateways = offer.gateways;
    this.naming = offer.naming;
    this.removed = offer.removed;
    this.approvals = offer.approvals;
  }

  /** Returns the scope of a virtual server, or the whole catalog for null; undefined: no such server. */
  scope(serverId: string | null): Scope | undefined {
    return serverId === null ? this.all : this.#offer.scopes.get(serverId);
  }

  /**
   * Was the caller's token revoked or changed, is its time of the day over, or have the rights of its user changed since the caller
   * was found?
   */
  hasLapsed(principal: Principal, now: number): boolean {
    const { jti, apiToken, limits } = principal;
    const times = limits?.times ?? null;
    if (times !== null && !isAllowedTime(times, now)) return true;
    if (apiToken !== null && this.tokenChanges.isOutdated(apiToken)) return true;
    return (jti !== null && this.revokedTokens.has(jti)) || this.people.isOutdated(principal);
  }

  /** A registered upstream, enabled or not. */
  gateway(id: string): GatewayRow | undefined {
    return this.#offer.gatewaysById.get(id);
  }

  /** What the store needs to know to read only what has changed since. */
  get versions(): KnownVersions {
    return { catalog: this.version, people: this.people.version, tokens: this.tokenChanges.version };
  }

  /** The enabled virtual servers. */
  get scopes(): readonly Scope[] {
    return [...this.#offer.scopes.values()];
  }
}

/** Omits a name that equals the registry's name, so that endpoints share one entry. */
function otherName({ id, name }: ToolRow | PromptRow, names: ReadonlyMap<string, string>): Overrides {
  return { name: names.get(id) === name ? undefined : names.get(id) };
}
