// What the store promises after a failover that has lost writes, and after a step of the schema: readers take nothing that they have in
// memory for what the database has, whatever numbers its versions have.
import { assertEquals, assertNotEquals } from "@std/assert";
import { People } from "../../src/auth/people.ts";
import { NO_TOKEN_CHANGES } from "../../src/auth/token_changes.ts";
import { Catalog } from "../../src/catalog/snapshot/catalog.ts";
import type { Registry } from "../../src/store/registry/registry.ts";
import { migrate } from "../../src/store/sql/migrate.ts";
import { MIGRATIONS } from "../../src/store/sql/migrations.ts";
import { type Database, sql, type SqlQuery, type SqlValue } from "../../src/store/sql/sql.ts";
import { newUser, type RegistryTest } from "./people_contract.ts";
import { catalogNumber, newGateway } from "./registry_rows.ts";
import { newToken } from "./token_contract.ts";

const OPTIONS = { platformAdminEmail: "root@x", requireUser: false, now: () => 0 };

/** The tables that say which writes the database has. */
const VERSION_TABLES = ["catalog_version", "catalog_writes", "registry_changes", "people_changes"];

/** Reads as a worker does. */
class Reader {
  catalog: Catalog | null = null;

  constructor(readonly registry: Registry) {}

  async read(): Promise<Catalog> {
    const former = this.catalog;
    const changes = former === null ? null : await this.registry.readChanges(former.known);
    const rows = former !== null && changes !== null
      ? { ...changes, former }
      : await this.registry.readCatalog(former?.known.versions);
    return this.catalog = new Catalog(rows, {
      people: rows.people === null
        ? former!.people
        : new People(rows.people, OPTIONS, former?.people ?? null),
      tokenChanges: (former?.tokenChanges ?? NO_TOKEN_CHANGES).with(rows),
    });
  }
}

/** Two upstreams, two users and an API token of each, and a reader that knows them all. */
async function setUp(registry: Registry) {
  const { gateways, people: { users }, apiTokens } = registry;
  const [a, b] = [
    await gateways.insert(newGateway({ name: "a" })),
    await gateways.insert(newGateway({ name: "b" })),
  ];
  for (const name of ["a", "b"]) {
    const { id } = await users.insert(newUser(`${name}@x`));
    await apiTokens.insert(newToken(name, id), 9);
  }
  /** As many writes each time. */
  const write = async (name: "a" | "b") => {
    await gateways.update((name === "a" ? a : b).id, { description: "written" });
    await users.update(`${name}@x`, { isAdmin: true });
    await apiTokens.update(name, { isActive: false });
  };
  const reader = new Reader(registry);
  await reader.read();
  return { reader, write };
}

function contentsOf({ gateways, people }: Catalog) {
  return {
    // Two upstreams of one millisecond have no order that a test could rely on.
    descriptions: ["a", "b"].map((name) => gateways.find((gateway) => gateway.name === name)!.description),
    admins: ["a@x", "b@x"].map((email) => people.callerOf(email)!.isAdmin),
  };
}

/** @returns a function that undoes the writes since: by `undo`, and in the tables of versions */
async function standbyOf(database: Database, undo: readonly SqlQuery[]): Promise<() => Promise<void>> {
  const kept = new Map<string, Record<string, SqlValue>[]>();
  for (const table of VERSION_TABLES) {
    kept.set(table, await database.query(sql`SELECT * FROM ${sql.id(table)}`));
  }
  return () =>
    database.transaction(async (tx) => {
      for (const statement of undo) await tx.run(statement);
      for (const [table, rows] of kept) {
        await tx.run(sql`DELETE FROM ${sql.id(table)}`);
        for (const row of rows) {
          const columns = sql.join(Object.keys(row).map(sql.id));
          await tx.run(sql`INSERT INTO ${sql.id(table)} (${columns}) VALUES ${sql.list(Object.values(row))}`);
        }
      }
    });
}

export function lostWritesContract(registryTest: RegistryTest): void {
  const failover = async (registry: Registry, database: Database, others: () => Promise<unknown>) => {
    const { reader, write } = await setUp(registry);
    const loseWrites = await standbyOf(database, [
      sql`UPDATE gateways SET description = NULL`,
      sql`UPDATE users SET is_admin = 0`,
      sql`UPDATE api_tokens SET is_active = 1`,
    ]);
    await write("a");
    const known = await reader.read();
    const [lost, { readAt }] = [await catalogNumber(registry), await registry.apiTokens.read("a")];
    assertEquals(contentsOf(known), { descriptions: ["written", null], admins: [true, false] });
    await loseWrites();
    await write("b");
    assertEquals(await catalogNumber(registry), lost);
    await others();
    assertNotEquals(await registry.readCatalogVersion(), known.version);
    const now = await reader.read();
    assertEquals(now.version, await registry.readCatalogVersion());
    assertEquals(contentsOf(now), { descriptions: [null, "written"], admins: [false, true] });
    const { readAt: readAgain } = await registry.apiTokens.read("a");
    assertEquals([readAt, readAgain].map((readAt) => now.tokenChanges.isOutdated({ id: "a", readAt })), [
      true,
      false,
    ]);
  };

  registryTest(
    "a reader reads everything anew from a database that has lost writes and has the same version by others",
    (registry, { database }) => failover(registry, database, () => Promise.resolve()),
  );

  registryTest(
    "a reader reads everything anew from a database that has lost writes and has a later version",
    (registry, { database }) =>
      failover(registry, database, async () => {
        const { people: { users }, gateways, apiTokens } = registry;
        await users.insert(newUser("c@x"));
        const { id } = await gateways.insert(newGateway({ name: "c" }));
        await gateways.delete(id);
        await apiTokens.update("b", { isActive: true });
      }),
  );

  registryTest(
    "a replica of the former version reads all rows that a step of the schema rewrites",
    async (registry, { database }) => {
      const { reader } = await setUp(registry);
      const { readAt } = await registry.apiTokens.read("a");
      const { version } = await reader.read();
      const statements = [
        sql`UPDATE gateways SET description = 'rewritten'`,
        sql`UPDATE users SET is_admin = 1`,
        sql`UPDATE api_tokens SET is_active = 0`,
      ];
      await migrate(database, [...MIGRATIONS, { name: "next", statements }]);
      assertNotEquals(await registry.readCatalogVersion(), version);
      const now = await reader.read();
      assertEquals(contentsOf(now), { descriptions: ["rewritten", "rewritten"], admins: [true, true] });
      assertEquals(now.tokenChanges.isOutdated({ id: "a", readAt }), true);
    },
  );
}
