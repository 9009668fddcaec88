// What the store promises of reading what has changed: the snapshot that comes of it is the one of all rows.
import { assert, assertEquals } from "@std/assert";
import { NO_TOKEN_CHANGES } from "../../src/auth/token_changes.ts";
import { SluiceError } from "../../src/base/errors.ts";
import { Catalog, type Entry, type EntryIndex, type Scope } from "../../src/catalog/snapshot/catalog.ts";
import { createNaming } from "../../src/catalog/snapshot/tool_name.ts";
import { TOOL_APPROVALS } from "../../src/store/approvals/approval_record.ts";
import { createRegistry, type Registry } from "../../src/store/registry/registry.ts";
import type { DiscoveredEntry, EntityRow, GatewayRow, ServerRow } from "../../src/store/registry/rows.ts";
import { raiseRegistryVersion } from "../../src/store/sql/catalog_version.ts";
import { ConstraintError, type Database, sql } from "../../src/store/sql/sql.ts";
import { gatewayRow, serverRow } from "./catalog_rows.ts";
import { newUser, type RegistryTest } from "./people_contract.ts";
import { Prng } from "./prng.ts";
import { RANDOM_SEED } from "./random_seed.ts";
import { discovery, entryOf, newGateway, newServer } from "./registry_rows.ts";
import { NOTHING_IMPORTED } from "./rights_contract.ts";
import { inRandomRounds } from "./random_rounds.ts";

const NAMING = createNaming({ separator: "-", maxLength: 64 });

const GATEWAYS = ["one", "two", "three", "one two"];
const SERVERS = ["s1", "s2", "s3", "s4"];
/** "two-x" of "one" looks like a name of "one two", and the upstream's name of one is the registry's of another. */
const TOOLS = ["x", "y", "two-x", "one-x", "app"];
const RESOURCES = ["r:1", "r:2", "ui://app"];
const TEMPLATES = ["r:{id}", "t:{+path}"];
const PROMPTS = ["ask", "x", "one-x"];
const TAGS = ["safe", "slow"];

/** What a test can see of an entry, whichever snapshot has made it. */
function entriesOf(index: EntryIndex<Entry<EntityRow>>) {
  const shown = (entry: Entry<EntityRow>) => {
    const { template: _, gateway, ...rest } = entry as Entry<EntityRow> & { readonly template?: unknown };
    return { ...rest, gateway: told(gateway) };
  };
  return {
    all: index.all.map(shown),
    entries: index.entries.map(({ key }) => key),
    allPublic: index.allPublic,
    texts: [index.listText, index.sessionListText],
    gateways: index.gateways.map(({ id }) => id),
    named: index.all.map((
      { key, originalKey },
    ) => [index.get(key)!.row.id, index.byOriginal(originalKey).map(({ row }) => row.id)]),
  };
}

/** A change of these alone is not told, because the data plane does not read them. */
const NOT_TOLD: ReadonlySet<string> = new Set([
  ...["lastSeen", "lastCheckedAt", "failedChecks", "lastError", "lastRefreshAt", "skipped", "listWarnings"],
]);

function told(row: GatewayRow): Partial<GatewayRow> {
  return Object.fromEntries(Object.entries(row).filter(([key]) => !NOT_TOLD.has(key)));
}

function scopeContents(scope: Scope, catalog: Catalog) {
  const { server, tools, resources, templates, prompts, conflicts, revisions } = scope;
  const slugs = catalog.gateways.map(({ slug }) => slug);
  const names = [...TOOLS, ...PROMPTS, ...GATEWAYS.flatMap((slug) => TOOLS.map((name) => `${slug}-${name}`))];
  return {
    ...{ server, conflicts, revisions, isWhole: scope.whole === catalog.all },
    indexes: [tools, resources, templates, prompts].map(entriesOf),
    precedence: templates.byPrecedence.map(({ row }) => row.id),
    capabilities: scope.capabilities(() => true),
    upstreams: scope.upstreams(() => true).map(({ id }) => id),
    reserved: [scope.toolNames, scope.promptNames].map((registered) =>
      names.filter((name) => slugs.some((slug) => registered.isOfAnother(name, slug)))
    ),
    guarded: catalog.gateways.map((
      { id },
    ) => [scope.isGuarded(id), RESOURCES.filter((uri) => scope.isHeld(id, uri))]),
    ofUpstreams: catalog.gateways.map(({ id }) => scope.entriesOf(id).map(({ row }) => row.id)),
    apps: scope.toolsShowing("ui://app").map(({ row }) => row.id),
  };
}

function contents(catalog: Catalog): unknown {
  return {
    ...{ version: catalog.version, naming: catalog.naming, quotas: catalog.quotas },
    ...{
      gateways: catalog.gateways.map(told),
      removed: catalog.removed.toSorted(byKey),
      approvals: catalog.approvals,
    },
    scopes: [catalog.all, ...catalog.scopes].map((scope) => scopeContents(scope, catalog)),
  };
}

function byKey(one: Catalog["removed"][number], other: Catalog["removed"][number]): number {
  const keyOf = ({ gatewayId, kind, key }: typeof one) => `${gatewayId} ${kind} ${key}`;
  return keyOf(one) < keyOf(other) ? -1 : 1;
}

/** A worker's catalog, read as workers read it. */
class Reader {
  #catalog: Catalog | null = null;
  /** How often the rows that have changed were enough. */
  partly = 0;

  constructor(readonly registry: Registry) {}

  async read(): Promise<Catalog> {
    const former = this.#catalog;
    const changes = former === null ? null : await this.registry.readChanges(former.known);
    const rows = former === null || changes === null
      ? await this.registry.readCatalog()
      : { ...changes, former };
    if (changes !== null) this.partly++;
    return this.#catalog = new Catalog(rows, { tokenChanges: NO_TOKEN_CHANGES.with(rows) });
  }
}

async function wholeCatalog(registry: Registry): Promise<Catalog> {
  return new Catalog(await registry.readCatalog());
}

function entries(prng: Prng, keys: readonly string[], objectOf: (key: string) => unknown): DiscoveredEntry[] {
  return keys.filter(() => prng.chance(0.6)).map((key) => entryOf(key, JSON.stringify(objectOf(key))));
}

/** Lists in which entries come, go and change. */
function listsAtRandom(prng: Prng) {
  const description = () => prng.pick(["good", "better"]);
  return {
    ...discovery({}),
    tools: entries(prng, TOOLS, (name) => ({
      ...{ name, description: description(), inputSchema: { type: "object" } },
      ...(name === "app" ? { _meta: { ui: { resourceUri: "ui://app" } } } : {}),
    })),
    resources: entries(prng, RESOURCES, (uri) => ({ uri, name: description() })),
    resourceTemplates: entries(prng, TEMPLATES, (uriTemplate) => ({ uriTemplate, name: description() })),
    prompts: entries(prng, PROMPTS, (name) => ({ name, description: description() })),
  };
}

async function selectionAtRandom(prng: Prng, registry: Registry): Promise<Partial<ServerRow>> {
  const { tools, resources, prompts, gateways } = registry;
  const some = <T>(all: readonly T[]) => all.filter(() => prng.chance(0.3));
  return {
    toolIds: some(await ids(tools)),
    resourceIds: some(await ids(resources)),
    promptIds: some(await ids(prompts)),
    ...(prng.chance(0.5) ? {} : { gatewayIds: some(await ids(gateways)), memberTags: some(TAGS) }),
    excluded: prng.chance(0.3) ? ["x"] : [],
    naming: prng.pick(["prefixed", "original"] as const),
    toolOverrides: Object.fromEntries(
      some(await ids(tools)).map((id) => [id, { name: prng.pick(["x", "mine"]) }]),
    ),
  };
}

async function ids(of: { list(): Promise<readonly EntityRow[]> }): Promise<string[]> {
  return (await of.list()).map(({ id }) => id);
}

/** One write at random. Many are refused, for example the second upstream of a name. */
async function writeAtRandom(prng: Prng, database: Database, registry: Registry): Promise<void> {
  const { gateways, tools, resources, prompts, servers, tombstones, people, quotas } = registry;
  const some = <T>(all: readonly T[]) => all.filter(() => prng.chance(0.3));
  const one = async (of: { list(): Promise<readonly EntityRow[]> }) => prng.pick([...await ids(of), "none"]);
  const visibility = () => prng.pick(["public", "public", "team", "private"] as const);
  const gateway = async () => await gateways.get(await one(gateways));
  const selection = () => selectionAtRandom(prng, registry);
  const writes: (() => Promise<unknown>)[] = [
    () => gateways.insert(newGateway({ name: prng.pick(GATEWAYS), toolApproval: prng.pick(TOOL_APPROVALS) })),
    async () => await gateways.delete(prng.chance(0.2) ? await one(gateways) : "none"),
    async () =>
      await gateways.update(await one(gateways), {
        visibility: visibility(),
        teamId: prng.pick([null, "t"]),
      }),
    async () => await gateways.update(await one(gateways), { enabled: prng.chance(0.7), tags: some(TAGS) }),
    async () => await gateways.update(await one(gateways), { toolApproval: prng.pick(TOOL_APPROVALS) }),
    async () => {
      const id = await one(gateways);
      const name = prng.pick(GATEWAYS);
      await registry.transaction(async (store) => {
        await store.gateways.update(id, { name, slug: name.replace(" ", "-") });
        await store.renameDiscovered(id, NAMING);
      });
    },
    ...Array.from(
      { length: 5 },
      () => async () => await registry.saveDiscovery(await one(gateways), listsAtRandom(prng), NAMING),
    ),
    async () => {
      const row = await gateway();
      if (row !== null) await registry.saveHealth(row, { reachable: !row.reachable, lastError: "away" });
    },
    async () => {
      const found = entries(prng, TOOLS, (name) => ({ name, inputSchema: { type: "object" } }));
      await registry.holdForSession(await one(gateways), "tool", found);
    },
    async () => {
      const held = prng.pick(await registry.heldChanges(null));
      const verdict = prng.pick(["approve", "approve", "reject"] as const);
      const decision = { id: held.id, hash: held.held!.hash };
      await registry.decide(held.gatewayId, verdict, [decision], NAMING);
    },
    async () => await tools.update(await one(tools), { enabled: prng.chance(0.5), tags: some(TAGS) }),
    async () =>
      await tools.update(await one(tools), {
        displayName: prng.pick([null, "Tool"]),
        visibility: visibility(),
      }),
    async () => {
      const row = await tools.get(await one(tools));
      await registry.transaction(async (store) => {
        await store.tools.update(row?.id ?? "", { customName: prng.pick([null, "y", "own"]) });
        await store.renameDiscovered(row?.gatewayId ?? "", NAMING);
      });
    },
    async () => await tools.delete(await one(tools)),
    async () =>
      await resources.update(await one(resources), { customName: "Named", enabled: prng.chance(0.5) }),
    async () => await resources.delete(await one(resources)),
    async () => await prompts.update(await one(prompts), { description: prng.pick([null, "Ask."]) }),
    async () => await servers.insert(newServer({ name: prng.pick(SERVERS), ...await selection() })),
    async () => await servers.insert(newServer({ name: prng.pick(SERVERS), ...await selection() })),
    async () => await servers.update(await one(servers), await selection()),
    async () =>
      await servers.update(await one(servers), { enabled: prng.chance(0.7), visibility: visibility() }),
    async () => await servers.delete(await one(servers)),
    async () => {
      const id = await one(gateways);
      await tombstones.delete(id, prng.pick([...await tombstones.list(id), { id: "none" }]).id);
    },
    () => people.users.insert(newUser("ann@x")),
    async () => {
      const quota = { calls: 5, seconds: null, bytes: null, windowS: 60, createdBy: "ann@x" };
      await quotas.insert({ kind: "tool", target: await one(tools), ...quota });
    },
    () => prng.chance(0.3) ? importAtRandom(prng, registry) : Promise.resolve(),
    () => prng.chance(0.3) ? writeAsBefore(database) : Promise.resolve(),
  ];
  await prng.pick(writes)();
}

async function importAtRandom(prng: Prng, registry: Registry): Promise<void> {
  const id = `imported-${prng.int(1_000)}`;
  await registry.insertImported({
    ...NOTHING_IMPORTED,
    gateways: [gatewayRow(id)],
    servers: [serverRow(`${id}-s`)],
  });
}

/** As a gateway writes whose version keeps no ids of what has changed. */
async function writeAsBefore(database: Database): Promise<void> {
  await database.transaction(async (tx) => {
    await raiseRegistryVersion(tx);
    await tx.run(sql`UPDATE tools SET enabled = 1 - enabled`);
  });
}

function isRefusal(error: unknown): boolean {
  // A pick of nothing is undefined, and reading it a TypeError.
  return error instanceof SluiceError || error instanceof ConstraintError || error instanceof TypeError;
}

export function registryChangesContract(registryTest: RegistryTest): void {
  registryTest(
    "a snapshot of what has changed and one of all rows are the same after any writes of two stores",
    async (registry, fresh) => {
      const prng = new Prng(RANDOM_SEED);
      const other = createRegistry(await fresh.another());
      const readers = [new Reader(registry), new Reader(other)];
      const stores = [[fresh.database, registry], [await fresh.another(), other]] as const;
      for (const name of GATEWAYS) {
        const { id } = await registry.gateways.insert(newGateway({ name, createdBy: "root@x" }));
        await registry.saveDiscovery(id, listsAtRandom(prng), NAMING);
      }
      for (const name of SERVERS) {
        await registry.servers.insert(newServer({ name, ...await selectionAtRandom(prng, registry) }));
      }
      await inRandomRounds(prng, {
        ...{ rounds: 60, writes: 5, stores, readers, isRefusal },
        write: ([database, store]) => writeAtRandom(prng, database, store),
        check: async (reader, round) => {
          const read = contents(await reader.read());
          assertEquals(read, contents(await wholeCatalog(registry)), `seed ${RANDOM_SEED}, round ${round}`);
        },
      });
      assert(
        readers.every(({ partly }) => partly > 10),
        `seed ${RANDOM_SEED}: ${readers.map((r) => r.partly)}`,
      );
    },
  );

  registryTest(
    "a reader does not miss a write that commits after other writes have begun and the reader has read",
    async (registry, fresh) => {
      const { id } = await registry.gateways.insert(newGateway({ name: "late" }));
      const [late, next, readers] = await Promise.all([fresh.another(), fresh.another(), fresh.another()]);
      const reader = new Reader(createRegistry(readers));
      const whole = createRegistry(readers);
      await reader.read();
      const [begun, mayCommit] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
      const lateWrite = createRegistry(late).transaction(async (store) => {
        await store.gateways.update(id, { tags: ["late"] });
        begun.resolve();
        await mayCommit.promise;
        await store.servers.insert(newServer({ name: "late" }));
      });
      await begun.promise;
      // Its version is a later one, and must not become visible first.
      const nextWrite = createRegistry(next).servers.insert(newServer({ name: "next" }));
      for (let i = 0; i < 3; i++) {
        const read = await reader.read();
        assertEquals(contents(read), contents(await wholeCatalog(whole)));
        assertEquals([read.gateways[0]!.tags, read.scopes.length], [[], 0]);
      }
      mayCommit.resolve();
      await Promise.all([lateWrite, nextWrite]);
      const read = await reader.read();
      assertEquals(contents(read), contents(await wholeCatalog(whole)));
      assertEquals([read.gateways[0]!.tags, read.scopes.length, reader.partly], [["late"], 2, 4]);
    },
  );
}
