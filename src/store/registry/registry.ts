// Room `registry`: gateways, their tools, resources and prompts, virtual servers, and revoked tokens. The REST API writes them;
// the catalog reads them all at once, with users, teams and roles. Other rooms use `Registry` and the rows.
import {
  type DiscoveryKinds,
  type DiscoverySaved,
  holdForSession,
  type Naming,
  renameDiscovered,
  saveDiscovery,
} from "./save_discovery.ts";
import { countPending, type GatewayRecord, heldChanges } from "../approvals/held_changes.ts";
import { approvalOf, type ApprovalRules, NO_APPROVAL } from "./approval_gate.ts";
import { decide, type Decision, type Verdict } from "./decisions.ts";
import type { Entities } from "./entities.ts";
import type { Holding } from "../approvals/approvals.ts";
import type { ToolApproval } from "../approvals/approval_record.ts";
import { type ImportedRows, insertImported } from "./import_rows.ts";
import { type GatewayEventRow, gatewayEvents } from "./history/gateway_history.ts";
import { GatewayEntities, type GatewayHealth, saveHealth } from "./gateway_rows.ts";
import { DiscoveredEntities } from "./removed_entries.ts";
import { createPeopleStore, type PeopleStore } from "../people/people_store.ts";
import { Connections } from "../upstream_tokens/connections.ts";
import { EndedTokens } from "../upstream_tokens/ended_tokens.ts";
import { UpstreamTokens } from "../upstream_tokens/upstream_tokens.ts";
import { createOAuthStore, type OAuthStore } from "../oauth/oauth_store.ts";
import { ExecutionStore } from "../executions/execution_store.ts";
import { QuotaStore } from "../quotas/quota_store.ts";
import { ApiTokens } from "../tokens/api_tokens.ts";
import { TokenUses } from "../tokens/token_uses.ts";
import { RevokedTokens } from "./revoked_tokens.ts";
import { ServerEntities } from "./server_rows.ts";
import { Tombstones } from "./tombstones.ts";
import { catalogVersionOf, hasWrite, type KnownVersions, readVersions } from "../sql/catalog_version.ts";
import { type Database, sql } from "../sql/sql.ts";
import { type KnownCatalog, readOffer, readOfferChange } from "./changes/read_offer.ts";
import type {
  CatalogRows,
  ChangedRows,
  DiscoveredEntry,
  Discovery,
  EntryKind,
  GatewayRow,
  PromptRow,
  ResourceRow,
  RightsRows,
  ServerRow,
  ToolRow,
} from "./rows.ts";
import { PROMPTS, RESOURCES, TOOLS } from "./tables.ts";

export interface DiscoveredCounts {
  readonly tools: number;
  readonly resources: number;
  readonly prompts: number;
}

export interface Registry {
  readonly gateways: Entities<GatewayRow>;
  readonly tools: Entities<ToolRow>;
  readonly resources: Entities<ResourceRow>;
  readonly prompts: Entities<PromptRow>;
  readonly servers: Entities<ServerRow>;
  readonly revokedTokens: RevokedTokens;
  readonly apiTokens: ApiTokens;
  readonly tokenUses: TokenUses;
  readonly tombstones: Tombstones;
  readonly people: PeopleStore;
  readonly quotas: QuotaStore;
  readonly oauth: OAuthStore;
  readonly executions: ExecutionStore;
  readonly upstreamTokens: UpstreamTokens;
  readonly endedTokens: EndedTokens;
  readonly connections: Connections;

  /**
   * Saves the lists of a gateway in one transaction: adds, updates and removes its tools, resources and prompts. Entities that
   * remain or come back keep their ids and the operator's fields. If nothing changed, the catalog version stays.
   * @throws {SluiceError} NOT_FOUND if there is no such gateway
   */
  saveDiscovery(
    gatewayId: string,
    discovery: Discovery,
    naming: Naming,
    kinds?: DiscoveryKinds,
  ): Promise<DiscoverySaved>;

  /**
   * Stores the health of a gateway, unless the gateway has changed since `row` was read. The catalog version grows only if
   * `reachable` changes.
   * @returns whether the health was stored
   */
  saveHealth(
    row: Pick<GatewayRow, "id" | "version" | "reachable">,
    health: GatewayHealth,
  ): Promise<boolean>;

  /** What has happened to a gateway, the newest first. */
  gatewayEvents(gatewayId: string): Promise<GatewayEventRow[]>;

  /**
   * Renames the gateway's tools and prompts after its slug or a custom name has changed.
   * @throws {SluiceError} NOT_FOUND; CONFLICT if another gateway has one of the new names
   */
  renameDiscovered(gatewayId: string, naming: Naming): Promise<void>;

  /** Holds entries that only a client's session lists, if the gateway's changes wait for an approval. */
  holdForSession(gatewayId: string, kind: EntryKind, entries: readonly DiscoveredEntry[]): Promise<Holding>;
  /** The changes of a gateway, or of all gateways (null), that wait for a decision or were rejected, oldest first. */
  heldChanges(gatewayId: string | null): Promise<GatewayRecord[]>;
  /** Decides about held changes of a gateway: all of them or none. @throws {SluiceError} NOT_FOUND; CONFLICT if one has changed again */
  decide(gatewayId: string, verdict: Verdict, decisions: readonly Decision[], naming: Naming): Promise<void>;
  /** The number of changes that wait for a decision, by gateway id. Gateways without any are absent. */
  countPending(): Promise<Map<string, number>>;
  /** Which changes of a gateway wait for an approval. */
  approvalOf(gateway: Pick<GatewayRow, "toolApproval">): ToolApproval;
  /** Inserts the rows of an import in one transaction. @throws {SluiceError} CONFLICT if an id or a name is in use */
  insertImported(rows: ImportedRows, onRows?: (count: number) => void): Promise<void>;

  /** The number of tools, resources and prompts by gateway id. Gateways without any are absent. */
  countDiscovered(): Promise<Map<string, DiscoveredCounts>>;

  /**
   * A consistent snapshot of everything.
   * @param known the versions that the reader has: users, teams, roles and API tokens are read as far as they have changed since
   */
  readCatalog(known?: KnownVersions): Promise<CatalogRows>;
  /**
   * What has changed in a snapshot. It costs as much as what has changed, with many tools too.
   * @returns null: everything has to be read
   */
  readChanges(known: KnownCatalog): Promise<ChangedRows | null>;
  /** Another text after every change that concerns the data plane. */
  readCatalogVersion(): Promise<string>;

  /** Runs `fn` in a transaction. */
  transaction<T>(fn: (registry: Registry) => Promise<T>): Promise<T>;
}

/** @param now for tests */
export function createRegistry(
  database: Database,
  now: () => Date = () => new Date(),
  rules: ApprovalRules = NO_APPROVAL,
): Registry {
  const gateways = new GatewayEntities(database, now);
  const tools = new DiscoveredEntities(database, TOOLS, now);
  const resources = new DiscoveredEntities(database, RESOURCES, now);
  const prompts = new DiscoveredEntities(database, PROMPTS, now);
  const servers = new ServerEntities(database, now);
  const transaction: Registry["transaction"] = (fn) =>
    database.transaction((tx) => fn(createRegistry(tx, now, rules)));
  return {
    gateways,
    tools,
    resources,
    prompts,
    servers,
    revokedTokens: new RevokedTokens(database),
    apiTokens: new ApiTokens(database, now),
    tokenUses: new TokenUses(database),
    tombstones: new Tombstones(database),
    people: createPeopleStore(database, now),
    quotas: new QuotaStore(database, now),
    oauth: createOAuthStore(database, now),
    executions: new ExecutionStore(database),
    upstreamTokens: new UpstreamTokens(database),
    endedTokens: new EndedTokens(database),
    connections: new Connections(database),
    transaction,
    saveDiscovery: (gatewayId, discovery, naming, kinds) =>
      database.transaction((tx) =>
        saveDiscovery(tx, gatewayId, discovery, naming, { now: now(), rules }, kinds)
      ),
    holdForSession: (gatewayId, kind, entries) =>
      database.transaction((tx) => holdForSession(tx, gatewayId, kind, entries, { now: now(), rules })),
    heldChanges: (gatewayId) => heldChanges(database, gatewayId),
    decide: (gatewayId, verdict, decisions, naming) =>
      database.transaction((tx) => decide(tx, gatewayId, verdict, decisions, { naming, rules, now: now() })),
    countPending: () => countPending(database),
    approvalOf: (gateway) => approvalOf(gateway, rules),
    saveHealth: (row, health) => saveHealth(database, row, health, now),
    gatewayEvents: (gatewayId) => gatewayEvents(database, gatewayId),
    renameDiscovered: (gatewayId, naming) =>
      database.transaction((tx) => renameDiscovered(tx, gatewayId, naming, now())),
    insertImported: (rows, onRows) => database.transaction((tx) => insertImported(tx, rows, onRows)),
    countDiscovered: () => countDiscovered(database),
    readCatalog: (known) =>
      database.transaction(async (tx) => ({
        ...await readOffer(tx, rules),
        ...await rightsIn(
          tx,
          createRegistry(tx, now),
          known === undefined || await hasWrite(tx, known) ? known : "lost",
        ),
      }), { readOnly: true }),
    readChanges: (known) =>
      database.transaction(async (tx) => {
        const offer = await readOfferChange(tx, rules, known);
        if (offer === null) return null;
        return { offer, ...await rightsIn(tx, createRegistry(tx, now), known.versions) };
      }, { readOnly: true }),
    readCatalogVersion: async () => catalogVersionOf(await readVersions(database)),
  };
}

/** @param known the versions that the reader has; undefined: none yet; "lost": those of writes that the database does not have */
async function rightsIn(
  tx: Database,
  snapshot: Registry,
  known: KnownVersions | "lost" | undefined,
): Promise<RightsRows> {
  const versions = await readVersions(tx);
  const [revokedTokens, quotas] = [await snapshot.revokedTokens.ids(), await snapshot.quotas.list()];
  if (known === undefined || known === "lost") {
    const tokenChanges = known === undefined ? [] : null;
    return { versions, revokedTokens, quotas, people: await snapshot.people.read(), tokenChanges };
  }
  return {
    ...{ versions, revokedTokens, quotas },
    people: versions.people === known.people ? null : await snapshot.people.read(known.people),
    tokenChanges: versions.tokens === known.tokens ? [] : await snapshot.apiTokens.changes(known.tokens),
  };
}

async function countDiscovered(database: Database): Promise<Map<string, DiscoveredCounts>> {
  const counts = new Map<string, DiscoveredCounts>();
  for (const kind of ["tools", "resources", "prompts"] as const) {
    const rows = await database.query<{ gateway_id: string; amount: number }>(
      sql`SELECT gateway_id, COUNT(*) AS amount FROM ${sql.id(kind)}
          WHERE gateway_id IS NOT NULL GROUP BY gateway_id`,
    );
    for (const { gateway_id, amount } of rows) {
      const known = counts.get(gateway_id) ?? { tools: 0, resources: 0, prompts: 0 };
      counts.set(gateway_id, { ...known, [kind]: Number(amount) });
    }
  }
  return counts;
}
