// Reads upstreams, their entries, and virtual servers: all rows, or those that have changed.
import { upstreamApprovals } from "../../approvals/held_changes.ts";
import type { KnownVersions } from "../../sql/catalog_version.ts";
import { type Database, sql } from "../../sql/sql.ts";
import { approvalOf, type ApprovalRules } from "../approval_gate.ts";
import { chunks, TableEntities } from "../entities.ts";
import { MEMBERSHIP } from "../removed_entries.ts";
import type { OfferChange, OfferRows } from "../rows.ts";
import { ServerEntities } from "../server_rows.ts";
import { GATEWAYS, PROMPTS, RESOURCES, TOOLS } from "../tables.ts";
import { Tombstones } from "../tombstones.ts";
import { registryChangedSince } from "./registry_changes.ts";

/** The snapshot that a reader has. */
export interface KnownCatalog {
  readonly versions: KnownVersions;
  readonly offer: KnownOffer;
}

export interface KnownOffer {
  /** The ids of the entries that these upstreams offer. */
  entryIdsOf(gatewayIds: ReadonlySet<string>): ReadonlySet<string>;
  /** The ids of the virtual servers that have chosen one of these entries. */
  serversChoosing(entryIds: ReadonlySet<string>): readonly string[];
  /** The ids of the upstreams that have dropped entries which one of these virtual servers has chosen. */
  gatewaysDroppingFrom(serverIds: ReadonlySet<string>): readonly string[];
}

/** Limit of changed upstreams. If more have changed, everything is read. */
const MAX_GATEWAYS = 500;

const NOTHING: OfferRows = {
  ...{ gateways: [], tools: [], resources: [], prompts: [], servers: [], removed: [], approvals: [] },
};

/** Runs in `tx`. */
export async function readOffer(tx: Database, rules: ApprovalRules): Promise<OfferRows> {
  return { ...await readUpstreams(tx, rules, null), servers: await serversIn(tx).list() };
}

/**
 * Reads the upstreams and virtual servers that have changed. A refresh may take members away from virtual servers or give them back, so
 * these servers are read too. A change of a virtual server may drop its tombstones, so their upstreams are read too. Runs in `tx`.
 * @returns null: everything has to be read
 */
export async function readOfferChange(
  tx: Database,
  rules: ApprovalRules,
  { versions, offer }: KnownCatalog,
): Promise<OfferChange | null> {
  const changed = await registryChangedSince(tx, versions);
  if (changed === null) return null;
  const gatewayIds = new Set([...changed.gateways, ...offer.gatewaysDroppingFrom(new Set(changed.servers))]);
  if (gatewayIds.size > MAX_GATEWAYS) return null;
  const upstreams = gatewayIds.size === 0 ? NOTHING : await readUpstreams(tx, rules, [...gatewayIds]);
  const former = offer.entryIdsOf(gatewayIds);
  const { tools, resources, prompts } = upstreams;
  const present = new Set([...tools, ...resources, ...prompts].map(({ id }) => id));
  const serverIds = new Set([
    ...changed.servers,
    ...offer.serversChoosing(former.difference(present)),
    ...await serversWith(tx, [...present.difference(former)]),
  ]);
  const servers = serverIds.size === 0 ? [] : await serversIn(tx).list({ ids: [...serverIds] });
  return { gatewayIds, serverIds, rows: { ...upstreams, servers } };
}

/** @param only the ids of the upstreams; null: of all */
async function readUpstreams(
  tx: Database,
  rules: ApprovalRules,
  only: readonly string[] | null,
): Promise<Omit<OfferRows, "servers">> {
  const now = () => new Date();
  const [ids, gatewayIds] = only === null ? [{}, {}] : [{ ids: only }, { gatewayIds: only }];
  const gateways = await new TableEntities(tx, GATEWAYS, now).list(ids);
  const guarded = gateways.filter((gateway) => approvalOf(gateway, rules) !== "off").map(({ id }) => id);
  return {
    gateways,
    tools: await new TableEntities(tx, TOOLS, now).list(gatewayIds),
    resources: await new TableEntities(tx, RESOURCES, now).list(gatewayIds),
    prompts: await new TableEntities(tx, PROMPTS, now).list(gatewayIds),
    removed: await new Tombstones(tx).all(only),
    approvals: await upstreamApprovals(tx, guarded),
  };
}

/** The virtual servers that have one of these entries now. */
async function serversWith(tx: Database, entryIds: readonly string[]): Promise<string[]> {
  const found: string[] = [];
  for (const { table, column } of [MEMBERSHIP.tool, MEMBERSHIP.resource, MEMBERSHIP.prompt]) {
    for (const chunk of chunks(entryIds)) {
      const rows = await tx.query<{ server_id: string }>(
        sql`SELECT DISTINCT server_id FROM ${table} WHERE ${column} IN ${sql.list(chunk)}`,
      );
      found.push(...rows.map(({ server_id }) => server_id));
    }
  }
  return found;
}

function serversIn(tx: Database): ServerEntities {
  return new ServerEntities(tx, () => new Date());
}
