// Room `snapshot`: one immutable state of the catalog. Everything here is computed from the store's rows, without I/O.
// This file is the snapshot: everything that the data plane looks up.
import { NOBODY, type People } from "../../auth/people.ts";
import type { Principal } from "../../auth/principal.ts";
import type { UpstreamApproval } from "../../store/approvals/held_changes.ts";
import { isAllowedTime } from "../../auth/api_tokens/time_check.ts";
import { NO_TOKEN_CHANGES, type TokenChanges } from "../../auth/token_changes.ts";
import { catalogVersionOf, type KnownVersions } from "../../store/sql/catalog_version.ts";
import type { KnownCatalog } from "../../store/registry/changes/read_offer.ts";
import type {
  CatalogRows,
  ChangedRows,
  GatewayRow,
  RemovedEntry,
  ServerRow,
} from "../../store/registry/rows.ts";
import { Offer } from "./offer/offer.ts";
import type { OfferOptions } from "./offer/offered_upstreams.ts";
import type { Scope } from "./scope.ts";

export type { Scope } from "./scope.ts";
export type { Entry, EntryIndex } from "./entry_index.ts";

export class Catalog {
  /** See Registry.readCatalogVersion(). */
  readonly version: string;
  readonly all: Scope;
  /** All registered upstreams in registration order. */
  readonly gateways: readonly GatewayRow[];
  /** Of tools and prompts, at the endpoints that show everything. */
  readonly naming: ServerRow["naming"];
  /** The decisions of operators about entries that upstreams no longer list. */
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
  readonly #versions: KnownVersions;
  readonly #offer: Offer;

  /**
   * @param rows with `former`: what has changed since that catalog, of which the rest is shared
   * @param naming see OfferOptions; those of `former` if there is one
   * @param people those of `rows`, or the former ones if `rows` have none
   * @param tokenChanges the former ones with those of `rows`
   */
  constructor(
    rows: CatalogRows | ChangedRows & { readonly former: Catalog },
    { naming = "prefixed", revisions = "auto", people = NOBODY, tokenChanges = NO_TOKEN_CHANGES }:
      & Partial<OfferOptions>
      & {
        readonly people?: People;
        readonly tokenChanges?: TokenChanges;
      } = {},
  ) {
    this.version = catalogVersionOf(rows.versions);
    this.#versions = rows.versions;
    this.revokedTokens = new Set(rows.revokedTokens);
    this.quotas = rows.quotas;
    this.people = people;
    this.tokenChanges = tokenChanges;
    const offer = this.#offer = "former" in rows
      ? rows.former.#offer.after(rows.offer)
      : Offer.of(rows, { naming, revisions });
    const { upstreams } = offer;
    this.all = upstreams.all;
    this.gateways = upstreams.gateways;
    this.naming = offer.options.naming;
    this.removed = upstreams.removed;
    this.approvals = upstreams.approvals;
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
    return this.#offer.upstreams.gatewaysById.get(id);
  }

  /** Have upstreams, virtual servers and what they offer stayed as they were in the other snapshot? */
  offersAs(other: Catalog): boolean {
    return this.#offer === other.#offer;
  }

  /** The versions of this snapshot: with them the store reads only later changes. */
  get known(): KnownCatalog {
    return { versions: this.#versions, offer: this.#offer };
  }

  /** The enabled virtual servers. */
  get scopes(): readonly Scope[] {
    return [...this.#offer.scopes.values()];
  }
}
