// The registry: gateways, what they offer, virtual servers and revoked tokens; the control plane writes it, the catalog reads it whole.
import {
  type DiscoveryKinds,
  type DiscoverySaved,
  type Naming,
  renameDiscovered,
  saveDiscovery,
} from "./save_discovery.ts";
import { type Entities, TableEntities } from "./entities.ts";
import { GatewayEntities, type GatewayHealth, saveHealth } from "./gateway_rows.ts";
import { RevokedTokens } from "./revoked_tokens.ts";
import { ServerEntities } from "./server_rows.ts";
import { type Database, sql } from "../sql/sql.ts";
import type {
  CatalogRows,
  Discovery,
  GatewayRow,
  PromptRow,
  ResourceRow,
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

  /**
   * Takes over what the gateway offers now: adds, updates and removes its tools, resources and prompts in one
   * transaction. What remains keeps its id and the operator's fields. Where nothing is new, no catalog version is raised.
   * @throws {SluiceError} NOT_FOUND when there is no such gateway
   */
  saveDiscovery(
    gatewayId: string,
    discovery: Discovery,
    naming: Naming,
    kinds?: DiscoveryKinds,
  ): Promise<DiscoverySaved>;

  /**
   * Notes the health of the gateway as `row` shows it; nothing where that has changed meanwhile. No write that the data
   * plane hears of, unless `reachable` changes.
   * @returns whether it was noted
   */
  saveHealth(
    row: Pick<GatewayRow, "id" | "version" | "reachable">,
    health: GatewayHealth,
  ): Promise<boolean>;

  /**
   * Names the gateway's tools and prompts anew, after its slug or a custom name has changed.
   * @throws {SluiceError} NOT_FOUND; CONFLICT when a new name belongs to another gateway
   */
  renameDiscovered(gatewayId: string, naming: Naming): Promise<void>;

  /** How much each gateway has, by its id; a gateway that has nothing is not in it. */
  countDiscovered(): Promise<Map<string, DiscoveredCounts>>;

  /** Everything, as of one moment. */
  readCatalog(): Promise<CatalogRows>;
  /** Grows with every write that the data plane reads. */
  readCatalogVersion(): Promise<number>;

  /** All that `fn` does with the registry it is given is done, or nothing. */
  transaction<T>(fn: (registry: Registry) => Promise<T>): Promise<T>;
}

/** @param now is replaced in tests */
export function createRegistry(database: Database, now: () => Date = () => new Date()): Registry {
  const gateways = new GatewayEntities(database, now);
  const tools = new TableEntities(database, TOOLS, now);
  const resources = new TableEntities(database, RESOURCES, now);
  const prompts = new TableEntities(database, PROMPTS, now);
  const servers = new ServerEntities(database, now);
  const transaction: Registry["transaction"] = (fn) =>
    database.transaction((tx) => fn(createRegistry(tx, now)));
  return {
    gateways,
    tools,
    resources,
    prompts,
    servers,
    revokedTokens: new RevokedTokens(database),
    transaction,
    saveDiscovery: (gatewayId, discovery, naming, kinds) =>
      database.transaction((tx) => saveDiscovery(tx, gatewayId, discovery, naming, now(), kinds)),
    saveHealth: (row, health) => saveHealth(database, row, health),
    renameDiscovered: (gatewayId, naming) =>
      database.transaction((tx) => renameDiscovered(tx, gatewayId, naming, now())),
    countDiscovered: () => countDiscovered(database),
    readCatalog: () =>
      database.transaction(async (tx) => {
        const snapshot = createRegistry(tx, now);
        return {
          version: await snapshot.readCatalogVersion(),
          gateways: await snapshot.gateways.list(),
          tools: await snapshot.tools.list(),
          resources: await snapshot.resources.list(),
          prompts: await snapshot.prompts.list(),
          servers: await snapshot.servers.list(),
          revokedTokens: await snapshot.revokedTokens.ids(),
        };
      }, { readOnly: true }),
    readCatalogVersion: async () => {
      const [row] = await database.query<{ version: number }>(sql`SELECT version FROM catalog_version`);
      return Number(row.version);
    },
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
