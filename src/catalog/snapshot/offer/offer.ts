// Upstreams, virtual servers and what they offer, indexed. Snapshots share what has not changed between them.
import type { KnownOffer } from "../../../store/registry/changes/read_offer.ts";
import { inOrder } from "../../../store/registry/entities.ts";
import type { OfferChange, OfferRows, ServerRow } from "../../../store/registry/rows.ts";
import type { Scope } from "../scope.ts";
import { OfferedUpstreams, type OfferOptions } from "./offered_upstreams.ts";
import { byUpstream } from "./upstream_entries.ts";

export class Offer implements KnownOffer {
  readonly upstreams: OfferedUpstreams;
  readonly options: OfferOptions;
  /** Of the enabled virtual servers, by name. */
  readonly scopes: ReadonlyMap<string, Scope>;
  /** By name. */
  readonly #servers: readonly ServerRow[];

  /** @param keptOf the endpoint of a virtual server that need not be made anew */
  private constructor(
    upstreams: OfferedUpstreams,
    servers: readonly ServerRow[],
    options: OfferOptions,
    keptOf: (server: ServerRow) => Scope | undefined,
  ) {
    this.upstreams = upstreams;
    this.options = options;
    this.#servers = servers;
    const enabled = servers.filter((server) => server.enabled);
    this.scopes = new Map(enabled.map((server) => [server.id, keptOf(server) ?? upstreams.scopeOf(server)]));
  }

  static of(rows: OfferRows, options: OfferOptions): Offer {
    const isUnowned = ({ gatewayId }: { readonly gatewayId: string | null }) => gatewayId === null;
    const unowned = { tools: rows.tools.filter(isUnowned), prompts: rows.prompts.filter(isUnowned) };
    const upstreams = new OfferedUpstreams(byUpstream(rows), unowned, options);
    return new Offer(upstreams, rows.servers, options, () => undefined);
  }

  /** The offer after a change: equal to one of all rows. */
  after({ gatewayIds, serverIds, rows }: OfferChange): Offer {
    if (gatewayIds.size + serverIds.size === 0) return this;
    const others = this.#servers.filter(({ id }) => !serverIds.has(id));
    const servers = inOrder([...others, ...rows.servers], "name");
    if (gatewayIds.size === 0) {
      const keptOf = ({ id }: ServerRow) => serverIds.has(id) ? undefined : this.scopes.get(id);
      return new Offer(this.upstreams, servers, this.options, keptOf);
    }
    const { byId, unowned } = this.upstreams;
    const unchanged = [...byId].filter(([id]) => !gatewayIds.has(id));
    const upstreams = new OfferedUpstreams(
      new Map([...unchanged, ...byUpstream(rows)]),
      unowned,
      this.options,
    );
    const touched = new Set([
      ...serverIds,
      ...this.serversChoosing(this.entryIdsOf(gatewayIds)),
      ...servers.filter((server) => mayBringIn(server, gatewayIds)).map(({ id }) => id),
    ]);
    const keptOf = ({ id }: ServerRow) =>
      touched.has(id) ? undefined : this.scopes.get(id)?.in(upstreams.context, upstreams.all);
    return new Offer(upstreams, servers, this.options, keptOf);
  }

  entryIdsOf(gatewayIds: ReadonlySet<string>): ReadonlySet<string> {
    return new Set([...gatewayIds].flatMap((id) => this.upstreams.byId.get(id)?.ids ?? []));
  }

  serversChoosing(entryIds: ReadonlySet<string>): readonly string[] {
    const isOne = (id: string) => entryIds.has(id);
    return this.#servers.filter(({ toolIds, resourceIds, promptIds }) =>
      toolIds.some(isOne) || resourceIds.some(isOne) || promptIds.some(isOne)
    ).map(({ id }) => id);
  }

  gatewaysDroppingFrom(serverIds: ReadonlySet<string>): readonly string[] {
    const dropping = this.upstreams.removed.filter((entry) =>
      entry.serverIds.some((id) => serverIds.has(id))
    );
    return [...new Set(dropping.map(({ gatewayId }) => gatewayId))];
  }
}

/** Whether a change of these upstreams may change what they or tags bring into a virtual server. */
function mayBringIn(server: ServerRow, gatewayIds: ReadonlySet<string>): boolean {
  return server.memberTags.length > 0 || server.gatewayIds.some((id) => gatewayIds.has(id));
}
