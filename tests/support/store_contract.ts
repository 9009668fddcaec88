// What the store promises, whichever database is under it: every driver runs this one suite.
import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { createNaming } from "../../src/catalog/snapshot/tool_name.ts";
import { SluiceError } from "../../src/base/errors.ts";
import { createLeases } from "../../src/store/leases.ts";
import { migrate } from "../../src/store/sql/migrate.ts";
import { type Migration, MIGRATIONS } from "../../src/store/sql/migrations.ts";
import { createRegistry, type Registry } from "../../src/store/registry/registry.ts";
import { RemovedEntries } from "../../src/store/registry/removed_entries.ts";
import type { EntityRow } from "../../src/store/registry/rows.ts";
import { TOOLS } from "../../src/store/registry/tables.ts";
import { catalogVersionOf } from "../../src/store/sql/catalog_version.ts";
import { ConstraintError, type Database, sql } from "../../src/store/sql/sql.ts";
import { CONTEXTFORGE_TABLES } from "./contextforge_database.ts";
import { approvalContract } from "./approval_contract.ts";
import { auditContract, auditMigrationContract } from "./audit_contract.ts";
import { executionContract } from "./execution_contract.ts";
import { lostWritesContract } from "./lost_writes_contract.ts";
import { peopleChangesContract } from "./people_changes_contract.ts";
import { registryChangesContract } from "./registry_changes_contract.ts";
import { rightsContract } from "./rights_contract.ts";
import { oauthContract } from "./oauth_contract.ts";
import { peopleContract } from "./people_contract.ts";
import { tokenContract } from "./token_contract.ts";
import { catalogNumber, discovery, entryOf, newGateway, newServer } from "./registry_rows.ts";
import { waitFor } from "./wait_for.ts";

/** A database of its own for one test. */
export interface FreshDatabase {
  /** A connection to it; nothing has been migrated. */
  readonly database: Database;
  /** A further connection to the same database. */
  another(): Promise<Database>;
  /** Closes every connection and removes the database. */
  dispose(): Promise<void>;
}

const WARNINGS = [{ list: "prompts/list", name: null, reason: "it broke" }];

const naming = createNaming({ separator: "-", maxLength: 64 });

/**
 * The suite's tests, for `Deno.test` in the test's own file.
 * @param name of the driver, for the tests' names
 * @param open a database; it may have been migrated already, if the test migrates it first
 */
export function storeContract(
  name: string,
  open: (mayBeMigrated: boolean) => Promise<FreshDatabase>,
): Deno.TestDefinition[] {
  const tests: Deno.TestDefinition[] = [];
  const test = (
    criterion: string,
    run: (fresh: FreshDatabase) => Promise<void>,
    { mayBeMigrated = false } = {},
  ) =>
    tests.push({
      name: `${name}: ${criterion}`,
      fn: async () => {
        const fresh = await open(mayBeMigrated);
        try {
          await run(fresh);
        } finally {
          await fresh.dispose();
        }
      },
    });
  const registryTest = (
    criterion: string,
    run: (registry: Registry, fresh: FreshDatabase) => Promise<void>,
  ) =>
    test(criterion, async (fresh) => {
      await migrate(fresh.database);
      await run(createRegistry(fresh.database), fresh);
    }, { mayBeMigrated: true });

  test("Database.query() binds text, numbers, null and times beyond 32 bits", async ({ database }) => {
    await database.run(sql`CREATE TABLE t (a TEXT, b INTEGER, c BIGINT)`);
    await database.run(sql`INSERT INTO t (a, b, c) VALUES (${"it's; --"}, ${null}, ${1_790_000_000_000})`);
    const [row] = await database.query<{ a: string; b: number | null; c: number }>(sql`SELECT * FROM t`);
    assertEquals([row.a, row.b, Number(row.c)], ["it's; --", null, 1_790_000_000_000]);
  });

  test("Database.run() counts the changed rows and names the constraint's kind", async ({ database }) => {
    await database.run(sql`CREATE TABLE t (id INTEGER NOT NULL PRIMARY KEY)`);
    assertEquals(await database.run(sql`INSERT INTO t (id) VALUES (1), (2)`), { changes: 2 });
    const error = await assertRejects(
      () => database.run(sql`INSERT INTO t (id) VALUES (1)`),
      ConstraintError,
    );
    assertEquals(error.kind, "unique");
  });

  test("Database.transaction() undoes everything when its function throws", async ({ database }) => {
    await database.run(sql`CREATE TABLE t (id INTEGER)`);
    await assertRejects(
      () =>
        database.transaction(async (tx) => {
          await tx.run(sql`INSERT INTO t (id) VALUES (1)`);
          throw new Error("no");
        }),
      Error,
      "no",
    );
    assertEquals(await database.query(sql`SELECT id FROM t`), []);
  });

  test("Database.transaction() inside another undoes only its own part", async ({ database }) => {
    await database.run(sql`CREATE TABLE t (id INTEGER)`);
    await database.transaction(async (tx) => {
      await tx.run(sql`INSERT INTO t (id) VALUES (1)`);
      const inner = tx.transaction(async (deeper) => {
        await deeper.run(sql`INSERT INTO t (id) VALUES (2)`);
        throw new Error("inner");
      });
      await assertRejects(() => inner, Error, "inner");
      await tx.run(sql`INSERT INTO t (id) VALUES (3)`);
    });
    assertEquals(await ids(database), [1, 3]);
  });

  test("Database.transaction() takes in no statement of other callers", async ({ database }) => {
    await database.run(sql`CREATE TABLE t (id INTEGER)`);
    const inside = Promise.withResolvers<void>();
    const goOn = Promise.withResolvers<void>();
    const failing = database.transaction(async (tx) => {
      await tx.run(sql`INSERT INTO t (id) VALUES (1)`);
      inside.resolve();
      await goOn.promise;
      throw new Error("rolled back");
    });
    await inside.promise;
    const other = database.run(sql`INSERT INTO t (id) VALUES (2)`);
    const second = database.transaction((tx) => tx.run(sql`INSERT INTO t (id) VALUES (3)`));
    goOn.resolve();
    await assertRejects(() => failing, Error, "rolled back");
    await Promise.all([other, second]);
    assertEquals(await ids(database), [2, 3]);
  });

  test("Database.transaction() readOnly sees one moment, and writers do not wait for it", async (fresh) => {
    const { database } = fresh;
    await database.run(sql`CREATE TABLE t (id INTEGER)`);
    const writer = await fresh.another();
    await database.transaction(async (tx) => {
      assertEquals(await ids(tx), []);
      await writer.run(sql`INSERT INTO t (id) VALUES (1)`);
      assertEquals(await ids(tx), []);
    }, { readOnly: true });
    assertEquals(await ids(database), [1]);
  });

  test("Database.transaction() of several connections loses no increment", async (fresh) => {
    const { database } = fresh;
    await database.run(sql`CREATE TABLE t (id INTEGER)`);
    await database.run(sql`INSERT INTO t (id) VALUES (0)`);
    const databases = [database, await fresh.another(), await fresh.another()];
    await Promise.all(
      databases.flatMap((each) =>
        Array.from({ length: 10 }, () => each.transaction((tx) => tx.run(sql`UPDATE t SET id = id + 1`)))
      ),
    );
    assertEquals(await ids(database), [30]);
  });

  test("migrate() runs each step once for starters that come at the same time", async (fresh) => {
    const starters = [fresh.database, await fresh.another(), await fresh.another()];
    const ran = await Promise.all(starters.map((database) => migrate(database)));
    const names = MIGRATIONS.map(({ name }) => name);
    assertEquals(ran.flat().sort(), names.toSorted()); // between them
    const noted = await fresh.database.query<{ name: string }>(
      sql`SELECT name FROM schema_migrations ORDER BY version`,
    );
    assertEquals(noted.map(({ name }) => name), names);
    assertEquals(await migrate(fresh.database), []);
  });

  test("migrate() leaves nothing of a step that fails, and goes on from it", async ({ database }) => {
    const good: Migration = { name: "good", statements: [sql`CREATE TABLE a (id INTEGER)`] };
    const bad: Migration = { name: "bad", statements: [sql`CREATE TABLE b (id INTEGER)`, sql`NO SQL`] };
    const mended: Migration = { name: "mended", statements: [sql`CREATE TABLE b (id INTEGER)`] };
    const error = await assertRejects(
      () => migrate(database, [...MIGRATIONS, good, bad]),
      SluiceError,
      "syntax error",
    );
    assertEquals(error.code, "STORE_CANNOT_OPEN");
    assertEquals(await migrate(database, [...MIGRATIONS, good, mended]), ["mended"]);
  });

  test("migrate() makes the entries of a former version readable for every client", async ({ database }) => {
    const step = MIGRATIONS.findIndex(({ name }) => name === "entries that clients can read");
    await migrate(database, MIGRATIONS.slice(0, step));
    const shared = sql`enabled, visibility, tags, created_at, updated_at, version, definition, position`;
    const values = (definition: string) => sql`1, 'public', '[]', 't', 't', 1, ${definition}, 0`;
    await database.run(
      sql`INSERT INTO gateways (id, name, slug, url, transport, session_mode, capabilities, reachable, protocol_version,
            enabled, visibility, tags, created_at, updated_at, version)
          VALUES ('g', 'g', 'g', 'u', 'STREAMABLEHTTP', 'bound', '{}', 1, '2026-07-28', 1, 'public', '[]', 't', 't', 1)`,
    );
    const tools = {
      a: '{"name":"a", "inputSchema":{}}',
      b: '{"name":"b","inputSchema":[]}',
      c: '{"name":"c", "inputSchema":{"type":"object"},"outputSchema":{"type":"null"}}',
      d: '{"name":"d",  "inputSchema":{"type":"object"}}',
    };
    for (const [name, definition] of Object.entries(tools)) {
      await database.run(
        sql`INSERT INTO tools (id, gateway_id, name, original_name, ${shared})
            VALUES (${name}, 'g', ${name}, ${name}, ${values(definition)})`,
      );
    }
    for (const [uri, isTemplate] of [["r:1", 0], ["r:{x}", 1]] as const) {
      await database.run(
        sql`INSERT INTO resources (id, gateway_id, uri, name, is_template, ${shared})
            VALUES (${uri}, 'g', ${uri}, ${uri}, ${isTemplate}, ${values('{"title":null}')})`,
      );
    }
    await migrate(database);
    const { tools: after, resources } = await createRegistry(database).readCatalog();
    const wrapped = '{"type":"object","properties":{"result":{"type":"null"}},"required":["result"]}';
    assertEquals(after.map(({ definition, sessionDefinition }) => [definition, sessionDefinition]), [
      ['{"name":"a", "inputSchema":{"type":"object"}}', null],
      ['{"name":"b","inputSchema":{"type":"object"}}', null],
      [tools.c, `{"name":"c", "inputSchema":{"type":"object"},"outputSchema":${wrapped}}`],
      [tools.d, null],
    ]);
    assertEquals(resources.map(({ definition }) => definition), [
      '{"uri":"r:1","name":"r:1"}',
      '{"uriTemplate":"r:{x}","name":"r:{x}"}',
    ]);
  });

  test("migrate() gives servers of a former version ids in one form, with their members", async ({ database }) => {
    const step = MIGRATIONS.findIndex(({ name }) => name === "one form of server ids");
    await migrate(database, MIGRATIONS.slice(0, step));
    const shared = sql`enabled, visibility, tags, created_at, updated_at, version`;
    const values = sql`1, 'public', '[]', 't', 't', 1`;
    const dashed = "550E8400-e29b-41d4-a716-446655440000";
    const plain = "550e8400e29b41d4a716446655440000";
    for (const id of [dashed, "my-server"]) {
      await database.run(
        sql`INSERT INTO servers (id, name, description, ${shared}) VALUES (${id}, ${`name of ${id}`}, 'd', ${values})`,
      );
      await database.run(
        sql`INSERT INTO prompts (id, original_name, name, definition, position, ${shared})
            VALUES (${`p ${id}`}, 'p', ${`p ${id}`}, '{}', 0, ${values})`,
      );
      await database.run(
        sql`INSERT INTO server_prompts (server_id, prompt_id, position) VALUES (${id}, ${`p ${id}`}, 0)`,
      );
    }
    await migrate(database);
    const servers = await createRegistry(database).servers.list();
    assertEquals(servers.map(({ id, name, description, promptIds }) => [id, name, description, promptIds]), [
      [plain, `name of ${dashed}`, "d", [`p ${dashed}`]],
      ["my-server", "name of my-server", "d", ["p my-server"]],
    ]);
  });

  test("migrate() keeps apart the callers of upstreams whose sessions were shared by one caller's calls", async ({ database }) => {
    const step = MIGRATIONS.findIndex(({ name }) => name === "isolation and revisions");
    await migrate(database, MIGRATIONS.slice(0, step));
    const columns =
      sql`id, name, slug, session_mode, protocol_version, url, transport, capabilities, reachable, enabled,
      visibility, tags, created_at, updated_at, version`;
    const rest = sql`'u', 'STREAMABLEHTTP', '{}', 1, 1, 'public', '[]', 't', 't', 1`;
    for (const [id, mode, revision] of [["a", "bound", "2025-11-25"], ["b", "shared", null]] as const) {
      await database.run(
        sql`INSERT INTO gateways (${columns}) VALUES (${id}, ${id}, ${id}, ${mode}, ${revision}, ${rest})`,
      );
    }
    await migrate(database);
    const { gateways } = await createRegistry(database).readCatalog();
    assertEquals(gateways.map(({ isolation, protocol, protocols }) => [isolation, protocol, protocols]), [
      ["session", "auto", ["2025-11-25"]],
      ["caller", "auto", []],
    ]);
  });

  test("migrate() refuses a database that a newer program wrote", async ({ database }) => {
    await migrate(database);
    const error = await assertRejects(() => migrate(database, []), SluiceError, "written by a newer Sluice");
    assertEquals(error.code, "STORE_CANNOT_OPEN");
  });

  test("migrate() refuses ContextForge's database, and leaves nothing in it", async ({ database }) => {
    for (const text of CONTEXTFORGE_TABLES) await database.run({ parts: [text], values: [] });
    const error = await assertRejects(() => migrate(database), SluiceError, "it is ContextForge's database");
    assertEquals(error.code, "STORE_CANNOT_OPEN");
    assertStringIncludes(error.message, "(it has the tables gateways, servers, tools)");
    await assertRejects(() => database.query(sql`SELECT 1 FROM schema_migrations`));
    assertEquals(await database.query(sql`SELECT version_num FROM alembic_version`), [
      { version_num: "f3a1c9d27b64" },
    ]);
  });

  test("migrate() takes a database with tables of another program that are not in the way", async ({ database }) => {
    await database.run(sql`CREATE TABLE invoices (id INTEGER)`);
    assertEquals((await migrate(database)).length, MIGRATIONS.length);
    assertEquals(await migrate(database), []);
  });

  registryTest("Entities.insert() and get() keep every field", async (registry) => {
    const row = newGateway({
      name: "Time",
      tags: ["a", "b"],
      enabled: false,
      passthroughHeaders: ["x-tenant-id"],
      capabilities: { tools: { listChanged: true } },
      serverInfo: { name: "time", version: "1" },
      refreshIntervalSeconds: 60,
      teamId: "t1",
    });
    const inserted = await registry.gateways.insert(row);
    assertEquals(await registry.gateways.get(inserted.id), inserted);
    assertEquals({ ...inserted, ...row }, inserted);
    assertEquals([inserted.version, inserted.id.length], [1, 32]);
    assertEquals(await registry.gateways.get("absent"), null);
  });

  registryTest("Entities.insert() refuses a taken name in words", async (registry) => {
    await registry.gateways.insert(newGateway({ name: "Time" }));
    const error = await assertRejects(
      () => registry.gateways.insert(newGateway({ name: "Time" })),
      SluiceError,
      'A gateway named "Time" exists already',
    );
    assertEquals(error.code, "CONFLICT");
  });

  registryTest("Entities.update() changes only what is given and counts the change", async (registry) => {
    const { id } = await registry.gateways.insert(newGateway({ name: "Time", description: "d" }));
    const updated = await registry.gateways.update(id, { enabled: false, tags: ["x"] });
    assertEquals([updated.enabled, updated.tags, updated.description, updated.version], [
      false,
      ["x"],
      "d",
      2,
    ]);
    assertEquals(await registry.gateways.get(id), updated);
    const absent = await assertRejects(
      () => registry.gateways.update("absent", { enabled: true }),
      SluiceError,
    );
    assertEquals(absent.code, "NOT_FOUND");
  });

  registryTest("Entities.update() refuses a taken name in words", async (registry) => {
    await registry.gateways.insert(newGateway({ name: "One" }));
    const { id } = await registry.gateways.insert(newGateway({ name: "Two" }));
    const error = await assertRejects(
      () => registry.gateways.update(id, { name: "One", slug: "one" }),
      SluiceError,
    );
    assertEquals(error.code, "CONFLICT");
  });

  registryTest("Entities.list() sorts by name and filters by gateway and ids", async (registry) => {
    const one = await registry.gateways.insert(newGateway({ name: "one" }));
    const two = await registry.gateways.insert(newGateway({ name: "Two" }));
    await registry.saveDiscovery(one.id, discovery({ tools: ["b", "a"] }), naming);
    await registry.saveDiscovery(two.id, discovery({ tools: ["c"] }), naming);
    assertEquals((await registry.gateways.list()).map(({ name }) => name), ["Two", "one"]);
    const tools = await registry.tools.list({ gatewayId: one.id });
    assertEquals(tools.map(({ name }) => name), ["one-a", "one-b"]);
    assertEquals(await registry.tools.list({ ids: [tools[1].id, "absent"] }), [tools[1]]);
    assertEquals(await registry.tools.list({ ids: [] }), []);
  });

  registryTest(
    "Entities.delete() of a gateway takes its tools, resources, prompts and memberships with it",
    async (registry) => {
      const gateway = await registry.gateways.insert(newGateway({ name: "one" }));
      const other = await registry.gateways.insert(newGateway({ name: "two" }));
      for (const { id } of [gateway, other]) {
        await registry.saveDiscovery(
          id,
          discovery({ tools: ["a"], resources: ["r:1"], prompts: ["p"] }),
          naming,
        );
      }
      const before = await registry.readCatalog();
      const server = await registry.servers.insert(newServer({
        name: "s",
        toolIds: before.tools.map(({ id }) => id),
        resourceIds: before.resources.map(({ id }) => id),
        promptIds: before.prompts.map(({ id }) => id),
      }));
      assertEquals(await registry.gateways.delete(gateway.id), true);
      assertEquals(await registry.gateways.delete(gateway.id), false);
      const after = await registry.readCatalog();
      assertEquals([after.tools.length, after.resources.length, after.prompts.length], [1, 1, 1]);
      const left = after.servers.find(({ id }) => id === server.id)!;
      assertEquals(left.toolIds, [after.tools[0].id]);
      assertEquals([left.resourceIds.length, left.promptIds.length], [1, 1]);
    },
  );

  registryTest(
    "Entities.update() of a gateway's visibility carries along what shared it",
    async (registry) => {
      const { id } = await registry.gateways.insert(newGateway({ name: "one" }));
      await registry.saveDiscovery(id, discovery({ tools: ["a", "b"] }), naming);
      const [a] = await registry.tools.list();
      await registry.tools.update(a.id, { visibility: "private" });
      await registry.gateways.update(id, { visibility: "team", teamId: "t1" });
      const tools = await registry.tools.list();
      assertEquals(tools.map(({ visibility }) => visibility), ["private", "team"]);
      assertEquals(tools.map(({ teamId }) => teamId), ["t1", "t1"]);
    },
  );

  registryTest(
    "servers keep a chosen id and the members' order, and refuse unknown members whole",
    async (registry) => {
      const { id } = await registry.gateways.insert(newGateway({ name: "one" }));
      await registry.saveDiscovery(id, discovery({ tools: ["a", "b", "c"] }), naming);
      const [a, b, c] = (await registry.tools.list()).map((tool) => tool.id);
      const server = await registry.servers.insert(newServer({ id: "mine", name: "s", toolIds: [c, a, c] }));
      assertEquals((await registry.servers.get("mine"))?.toolIds, [c, a]);
      assertEquals((await registry.servers.update("mine", { toolIds: [b], description: "d" })).toolIds, [b]);
      assertEquals((await registry.servers.update("mine", { description: "e" })).toolIds, [b]);
      const taken = await assertRejects(
        () => registry.servers.insert(newServer({ id: "mine", name: "t" })),
        SluiceError,
      );
      const unknown = await assertRejects(
        () => registry.servers.insert(newServer({ name: "t", toolIds: ["absent"] })),
        SluiceError,
      );
      assertEquals([taken.code, unknown.code], ["CONFLICT", "VALIDATION_FAILED"]);
      assertEquals((await registry.servers.list()).map((row) => row.id), [server.id]);
    },
  );

  registryTest(
    "servers keep what they say of themselves, and words for their own tools only",
    async (registry) => {
      const { id } = await registry.gateways.insert(newGateway({ name: "one" }));
      await registry.saveDiscovery(id, discovery({ tools: ["a", "b"] }), naming);
      const [a, b] = (await registry.tools.list()).map((tool) => tool.id);
      const said = {
        naming: "original",
        serverInfo: { name: "mine", version: "1" },
        instructions: "Do this.",
        toolOverrides: { [a]: { name: "x" }, [b]: { description: "d" } },
      } as const;
      const server = await registry.servers.insert(newServer({ name: "s", toolIds: [a, b], ...said }));
      const read = (await registry.servers.get(server.id))!;
      assertEquals({ ...read, ...said }, read);
      const less = await registry.servers.update(server.id, { toolIds: [b] });
      assertEquals([less.toolOverrides, less.version], [{ [b]: { description: "d" } }, 2]);
      assertEquals(
        (await registry.servers.update(server.id, { toolIds: [a, b] })).toolOverrides,
        less.toolOverrides,
      );
      await registry.tools.delete(b);
      assertEquals((await registry.servers.get(server.id))?.toolOverrides, {});
    },
  );

  registryTest(
    "saveDiscovery() leaves everything in its place, and puts what is new behind it",
    async (registry) => {
      const { id } = await registry.gateways.insert(newGateway({ name: "one" }));
      const places = async () => {
        const { tools, resources } = await registry.readCatalog();
        const placed = [...tools.map((row) => [row.originalName, row.position] as const)]
          .concat(resources.map((row) => [row.uri, row.position] as const));
        return Object.fromEntries(placed);
      };
      const offer = (tools: string[], resources: string[]) =>
        registry.saveDiscovery(id, discovery({ tools, resources, templates: ["t:{x}"] }), naming);
      await offer(["c", "a", "b"], ["r:1"]);
      assertEquals(await places(), { c: 0, a: 1, b: 2, "r:1": 0, "t:{x}": 1 });
      const saved = await offer(["d", "b", "a"], ["r:2", "r:1"]);
      assertEquals(await places(), { a: 1, b: 2, d: 3, "r:1": 0, "t:{x}": 1, "r:2": 2 });
      assertEquals([saved.tools.updated, saved.resources.updated], [[], []]);
    },
  );

  registryTest(
    "saveDiscovery() keeps every field of the upstream's objects, in words and order",
    async (registry) => {
      const { id } = await registry.gateways.insert(
        newGateway({ name: "one", visibility: "team", teamId: "t1" }),
      );
      const tool =
        '{ "name":"a","zeta":{"2":[1.0,null],"1":18446744073709551615},"inputSchema":{},"_meta":{"k":1e400} }';
      const saved = await registry.saveDiscovery(
        id,
        {
          ...discovery({ resources: ["r:1"], templates: ["r:{x}"], prompts: ["p q"] }),
          tools: [{ ...entryOf("a", tool), sessionText: "{}" }],
        },
        naming,
      );
      assertEquals(saved.tools, { added: ["one-a"], updated: [], removed: [] });
      assertEquals(saved.resources.added, ["r:1", "r:{x}"]);
      assertEquals(saved.prompts.added, ["one-p-q"]);
      const [row] = await registry.tools.list();
      assertEquals([row.definition, row.sessionDefinition], [tool, "{}"]);
      assertEquals([row.visibility, row.teamId, row.gatewayId], ["team", "t1", id]);
      assertEquals((await registry.resources.list()).map(({ isTemplate }) => isTemplate), [false, true]);
      const gateway = await registry.gateways.get(id);
      assertEquals([gateway?.protocolVersion, gateway?.reachable], ["2025-11-25", true]);
    },
  );

  registryTest(
    "saveDiscovery() keeps ids and the operator's fields, and tells what changed",
    async (registry) => {
      const { id } = await registry.gateways.insert(newGateway({ name: "one" }));
      await registry.saveDiscovery(
        id,
        discovery({ tools: ["a", "b", "c"], resources: ["r:1"], prompts: ["p"] }),
        naming,
      );
      const [a] = await registry.tools.list();
      const mine = { customName: "mine", displayName: "Mine", description: "d", enabled: false, tags: ["t"] };
      await registry.tools.update(a.id, { ...mine, name: "one-mine", visibility: "private" });
      const now = discovery({ tools: ["d", "c"] });
      const saved = await registry.saveDiscovery(
        id,
        { ...now, tools: [...now.tools!, entryOf("a", '{"name":"a","description":"new"}')] },
        naming,
      );
      assertEquals(saved.tools, { added: ["one-d"], updated: ["one-mine"], removed: ["one-b"] });
      assertEquals([saved.resources.removed, saved.prompts.removed], [["r:1"], ["one-p"]]);
      const after = (await registry.tools.get(a.id))!;
      assertEquals({ ...after, ...mine }, after);
      assertEquals([after.name, after.visibility, JSON.parse(after.definition).description], [
        "one-mine",
        "private",
        "new",
      ]);
    },
  );

  const everything = { tools: ["a", "b"], resources: ["r:1"], templates: ["r:{x}"], prompts: ["p"] };

  registryTest(
    "saveDiscovery() brings back what vanished as the operator left it, and a member of its servers",
    async (registry) => {
      const { id } = await registry.gateways.insert(newGateway({ name: "one", teamId: "t1" }));
      await registry.saveDiscovery(id, discovery(everything), naming);
      const read = async () => {
        const { tools, resources, prompts, servers } = await registry.readCatalog();
        return { tools, resources, prompts, servers };
      };
      const [a, b] = await registry.tools.list();
      const [resource, template] = await registry.resources.list();
      const [prompt] = await registry.prompts.list();
      const shared = { enabled: false, visibility: "private", tags: ["t"], ownerEmail: "o@x" } as const;
      const words = { customName: "mine", name: "one-mine", displayName: "Mine", description: "d" };
      await registry.tools.update(a.id, { ...shared, ...words, timeoutMs: 5 });
      await registry.prompts.update(prompt.id, { ...shared, ...words });
      await registry.resources.update(resource.id, shared);
      await registry.resources.update(template.id, { ...shared, teamId: "t2" });
      await registry.servers.insert(newServer({
        name: "s",
        toolIds: [b.id, a.id],
        resourceIds: [template.id, resource.id],
        promptIds: [prompt.id],
        toolOverrides: { [b.id]: { name: "x" } },
      }));
      const before = await read();
      await registry.saveDiscovery(id, discovery({}), naming);
      const without = await read();
      assertEquals([without.tools, without.resources, without.prompts], [[], [], []]);
      assertEquals([...await registry.countDiscovered()], []);
      assertEquals([without.servers[0].toolIds, without.servers[0].toolOverrides], [[], {}]);

      const saved = await registry.saveDiscovery(id, discovery(everything), naming);
      assertEquals(saved.tools.added.toSorted(), ["one-b", "one-mine"]);
      const after = await read();
      const same = ({ updatedAt: _, version: __, modifiedBy: ___, ...row }: EntityRow) => row;
      for (const kind of ["tools", "resources", "prompts", "servers"] as const) {
        assertEquals(after[kind].map(same), before[kind].map(same), kind);
      }
      await registry.saveDiscovery(id, discovery({}), naming);
      await registry.saveDiscovery(id, discovery(everything), naming);
      assertEquals((await read()).tools.map(same), before.tools.map(same), "the second time");
    },
  );

  registryTest("what vanished follows its gateway's visibility and team", async (registry) => {
    const { id } = await registry.gateways.insert(newGateway({ name: "one" }));
    await registry.saveDiscovery(id, discovery(everything), naming);
    for (const { id } of await registry.tools.list()) await registry.tools.update(id, { enabled: false });
    await registry.saveDiscovery(id, discovery({}), naming);
    await registry.gateways.update(id, { visibility: "team", teamId: "t1" });
    await registry.saveDiscovery(id, discovery(everything), naming);
    const { tools, resources } = await registry.readCatalog();
    const sharing = ({ enabled, visibility, teamId }: EntityRow) => [enabled, visibility, teamId];
    assertEquals([...tools, ...resources].map(sharing), [
      [false, "team", "t1"],
      [false, "team", "t1"],
      [true, "team", "t1"],
      [true, "team", "t1"],
    ]);
  });

  registryTest("an operator's later list of members holds for what comes back too", async (registry) => {
    const { id } = await registry.gateways.insert(newGateway({ name: "one" }));
    await registry.saveDiscovery(id, discovery(everything), naming);
    const [a, b] = await registry.tools.list();
    const resourceIds = (await registry.resources.list()).map((row) => row.id);
    const servers = await Promise.all(
      ["kept", "changed", "deleted"].map((name) =>
        registry.servers.insert(newServer({ id: name, name, toolIds: [a.id, b.id], resourceIds }))
      ),
    );
    assertEquals(servers.length, 3);
    await registry.saveDiscovery(id, discovery({ tools: ["b"] }), naming);
    await registry.servers.update("kept", { description: "d" });
    await registry.servers.update("changed", { toolIds: [b.id] });
    await registry.servers.delete("deleted");
    await registry.saveDiscovery(id, discovery(everything), naming);
    const members = (await registry.servers.list()).map((row) => [row.name, row.toolIds, row.resourceIds]);
    assertEquals(members, [["changed", [b.id], resourceIds], ["kept", [a.id, b.id], resourceIds]]);
  });

  registryTest("what an operator deleted comes back switched off", async (registry) => {
    const { id } = await registry.gateways.insert(newGateway({ name: "one" }));
    await registry.saveDiscovery(id, discovery(everything), naming);
    const [a] = await registry.tools.list();
    const [resource] = await registry.resources.list();
    const { id: serverId } = await registry.servers.insert(newServer({ name: "s", toolIds: [a.id] }));
    assertEquals([await registry.tools.delete(a.id), await registry.resources.delete(resource.id)], [
      true,
      true,
    ]);
    assertEquals(await registry.tools.delete(a.id), false);
    await registry.saveDiscovery(id, discovery(everything), naming);
    const { tools, resources } = await registry.readCatalog();
    assertEquals(tools.map(({ name, enabled }) => [name, enabled]), [["one-a", false], ["one-b", true]]);
    assertEquals(resources.map(({ uri, enabled }) => [uri, enabled]), [["r:1", false], ["r:{x}", true]]);
    assertEquals((await registry.servers.get(serverId))?.toolIds, []);
  });

  registryTest("a dropped entry reserves its name, until an operator forgets it", async (registry) => {
    const { id } = await registry.gateways.insert(newGateway({ name: "one" }));
    await registry.saveDiscovery(id, discovery({ tools: ["a", "b"], prompts: ["p"] }), naming);
    const [tool] = await registry.tools.list({ gatewayId: id });
    const [prompt] = await registry.prompts.list({ gatewayId: id });
    await registry.tools.update(tool!.id, { tags: ["reviewed"] });
    await registry.prompts.update(prompt!.id, { enabled: false });
    await registry.saveDiscovery(id, discovery({}), naming);
    const removedNames = async () =>
      (await registry.readCatalog()).removed.map(({ kind, row }) => `${kind} ${row.name}`).sort();
    assertEquals(await removedNames(), ["prompt one-p", "tool one-a"]);
    const removed = await registry.tombstones.list(id);
    assertEquals(
      removed.map(({ id, kind, name, enabled }) => [id, kind, name, enabled]).sort(),
      [
        [prompt!.id, "prompt", "one-p", false],
        [tool!.id, "tool", "one-a", true],
      ].sort(),
    );
    const version = await catalogNumber(registry);
    assertEquals(await registry.tombstones.delete("other", tool!.id), false);
    assertEquals(await catalogNumber(registry), version);
    assertEquals(await registry.tombstones.delete(id, tool!.id), true);
    assertEquals(await catalogNumber(registry), version + 1);
    assertEquals(await removedNames(), ["prompt one-p"]);
  });

  registryTest("what comes back does not take the name of another", async (registry) => {
    const { id } = await registry.gateways.insert(newGateway({ name: "one" }));
    await registry.saveDiscovery(id, discovery({ tools: ["a b", "a-b"] }), naming);
    const rows = await registry.tools.list();
    for (const row of rows) await registry.tools.update(row.id, { enabled: false });
    await registry.saveDiscovery(id, discovery({ tools: ["a-b"] }), naming);
    await registry.tools.update(rows[1].id, { name: "one-a-b" });
    await registry.saveDiscovery(id, discovery({ tools: ["a b", "a-b"] }), naming);
    const names = (await registry.tools.list()).map((row) => [row.originalName, row.name, row.enabled]);
    assertEquals(names, [["a-b", "one-a-b", false], ["a b", "one-a-b-2", false]]);
  });

  registryTest(
    "tombstones are only of decisions, bounded per gateway, and go with it",
    async (registry, { database }) => {
      const gateway = await registry.gateways.insert(newGateway({ name: "one" }));
      const names = ["a", "b", "c", "d"];
      await registry.saveDiscovery(gateway.id, discovery({ tools: names }), naming);
      const tools = await registry.tools.list();
      for (const { id } of tools.slice(1)) await registry.tools.update(id, { enabled: false });
      const gone = await registry.tools.list();
      await database.transaction(async (tx) => {
        const tombstones = new RemovedEntries(tx, gateway, TOOLS, "tool", 2);
        for (const [i, row] of gone.entries()) await tombstones.add([row], new Date(1_800_000_000_000 + i));
        assertEquals([...(await tombstones.read()).keys()], ["c", "d"]);
      });
      await registry.gateways.delete(gateway.id);
      assertEquals(await database.query(sql`SELECT 1 FROM removed_entries`), []);
    },
  );

  registryTest("saveDiscovery() leaves alone the kinds that it is not asked for", async (registry) => {
    const { id } = await registry.gateways.insert(newGateway({ name: "one" }));
    await registry.saveDiscovery(id, discovery({ tools: ["a"], resources: ["r:1"], prompts: ["p"] }), naming);
    await registry.saveDiscovery(id, discovery({}), naming, {
      tools: true,
      resources: false,
      prompts: false,
    });
    const { tools, resources, prompts } = await registry.readCatalog();
    assertEquals([tools.length, resources.length, prompts.length], [0, 1, 1]);
  });

  registryTest("saveDiscovery() says what it could not take, and why", async (registry) => {
    const one = await registry.gateways.insert(newGateway({ name: "a" }));
    const two = await registry.gateways.insert(newGateway({ name: "a-b" }));
    await registry.saveDiscovery(one.id, discovery({ tools: ["b-c"] }), naming);
    const saved = await registry.saveDiscovery(
      two.id,
      {
        ...discovery({ resources: ["r:1", "r:1"] }),
        tools: ["c", "d", "d"].map((name) => entryOf(name, "{}")),
        skipped: [{ kind: "tool", name: "#4", reason: "no name" }, {
          kind: "prompt",
          name: "p",
          reason: "no name",
        }],
      },
      naming,
    );
    assertEquals(saved.tools.added, ["a-b-d"]);
    const said = ["tool #4", "prompt p", "tool d", "tool c", "resource r:1"];
    assertEquals(saved.skipped.map(({ kind, name }) => `${kind} ${name}`), said);
    assertEquals((await registry.gateways.get(two.id))?.skipped, saved.skipped);
    await registry.saveDiscovery(two.id, { ...discovery({}), warnings: WARNINGS }, naming, {
      tools: true,
      resources: false,
      prompts: false,
    });
    const { skipped, listWarnings } = (await registry.gateways.get(two.id))!;
    assertEquals([skipped.map(({ kind }) => kind), listWarnings], [["prompt", "resource"], WARNINGS]);
  });

  registryTest("saveDiscovery() leaves alone what a list that failed had", async (registry) => {
    const { id } = await registry.gateways.insert(newGateway({ name: "one" }));
    await registry.saveDiscovery(id, discovery(everything), naming);
    const keys = async () => {
      const { tools, resources, prompts } = await registry.readCatalog();
      return [...tools, ...prompts].map(({ originalName }) => originalName).concat(
        resources.map(({ uri }) => uri),
      );
    };
    const nothing = { tools: null, resources: null, resourceTemplates: null, prompts: null };
    const before = await keys();
    const failed = { ...discovery({}), ...nothing, warnings: WARNINGS };
    assertEquals((await registry.saveDiscovery(id, failed, naming)).hasChanges, false);
    assertEquals(await keys(), before);
    await registry.saveDiscovery(id, { ...failed, resources: [] }, naming);
    assertEquals(await keys(), ["a", "b", "p", "r:{x}"]);
    await registry.saveDiscovery(id, { ...failed, resourceTemplates: [] }, naming);
    assertEquals(await keys(), ["a", "b", "p"]);
    assertEquals((await registry.gateways.get(id))?.listWarnings, WARNINGS);
  });

  registryTest(
    "a NUL character costs a text that character, and nothing else",
    async (registry) => {
      const nul = "a\0b";
      const { id } = await registry.gateways.insert(newGateway({ name: "a", description: nul }));
      assertEquals((await registry.gateways.get(id))!.description, "a\uFFFDb");
      assertEquals(await registry.gateways.get(nul), null);
      const offered = {
        ...discovery({}),
        instructions: nul,
        tools: [entryOf("t", JSON.stringify({ name: "t", description: nul }))],
        resourceTemplates: [entryOf("r:{x}", JSON.stringify({ uriTemplate: "r:{x}", name: nul }))],
      };
      const saved = await registry.saveDiscovery(id, offered, naming);
      assertEquals([saved.tools.added, saved.resources.added, saved.skipped], [["a-t"], ["r:{x}"], []]);
      const [{ definition }] = await registry.tools.list();
      assertEquals(JSON.parse(definition).description, nul);
      assertEquals((await registry.saveDiscovery(id, offered, naming)).hasChanges, false);
    },
  );

  registryTest("saveDiscovery() lets two upstreams have a resource of the same URI", async (registry) => {
    for (const name of ["one", "two"]) {
      const { id } = await registry.gateways.insert(newGateway({ name }));
      await registry.saveDiscovery(id, discovery({ resources: ["r:1"] }), naming);
    }
    assertEquals((await registry.resources.list()).length, 2);
  });

  registryTest(
    "renameDiscovered() follows the slug, even where two names are exchanged",
    async (registry) => {
      const { id } = await registry.gateways.insert(newGateway({ name: "one" }));
      await registry.saveDiscovery(id, discovery({ tools: ["a", "b"], prompts: ["p"] }), naming);
      await registry.gateways.update(id, { name: "Two", slug: "two" });
      await registry.renameDiscovered(id, naming);
      const { tools, prompts } = await registry.readCatalog();
      assertEquals([...tools, ...prompts].map(({ name }) => name), ["two-a", "two-b", "two-p"]);
      await registry.renameDiscovered(
        id,
        (slug, items) =>
          items.map(({ originalName }) => `${slug}-${{ a: "b", b: "a", p: "p" }[originalName]}`),
      );
      assertEquals((await registry.tools.list()).map(({ originalName }) => originalName), ["b", "a"]);
    },
  );

  registryTest("every write raises the catalog version, and no read does", async (registry) => {
    const versions: number[] = [];
    const note = async () => void versions.push(await catalogNumber(registry));
    await note();
    const { id } = await registry.gateways.insert(newGateway({ name: "one" }));
    await note();
    await registry.gateways.update(id, { enabled: false });
    await note();
    await registry.saveDiscovery(id, discovery({ tools: ["a"] }), naming);
    await note();
    const server = await registry.servers.insert(newServer({ name: "s" }));
    await note();
    await registry.servers.update(server.id, {
      toolIds: (await registry.tools.list()).map((tool) => tool.id),
    });
    await note();
    await registry.gateways.delete(id);
    await note();
    assertEquals(versions, [...new Set(versions)].sort((a, b) => a - b));
    const { versions: read } = await registry.readCatalog();
    assertEquals(catalogVersionOf(read), await registry.readCatalogVersion());
  });

  registryTest(
    "saveDiscovery() of what is known already raises no version, and notes when it was",
    async (registry) => {
      const { id } = await registry.gateways.insert(newGateway({ name: "one" }));
      const found = discovery({ tools: ["a"], resources: ["r:1"], prompts: ["p"] });
      assertEquals((await registry.saveDiscovery(id, found, naming)).hasChanges, true);
      const before = (await registry.gateways.get(id))!;
      await registry.saveHealth(before, { failedChecks: 2, lastError: "slow" });
      const version = await catalogNumber(registry);
      assertEquals((await registry.saveDiscovery(id, found, naming)).hasChanges, false);
      const after = (await registry.gateways.get(id))!;
      assertEquals([after.version, after.failedChecks, after.lastError], [before.version, 0, null]);
      assert(after.lastRefreshAt! >= before.lastRefreshAt!);
      assertEquals(await catalogNumber(registry), version);
      const upgraded = { ...found, serverInfo: { name: "fake", version: "2" } };
      assertEquals((await registry.saveDiscovery(id, upgraded, naming)).hasChanges, true);
      assertEquals(await catalogNumber(registry), version + 1);
    },
  );

  registryTest(
    "saveHealth() raises the version where `reachable` changes, and only there",
    async (registry) => {
      const row = await registry.gateways.insert(newGateway({ name: "one", reachable: true }));
      const version = await catalogNumber(registry);
      const at = "2026-01-01T00:00:00.000Z";
      const seen = { reachable: true, lastSeen: at, lastCheckedAt: at, failedChecks: 0, lastError: null };
      assertEquals(await registry.saveHealth(row, seen), true);
      assertEquals(await registry.gateways.get(row.id), { ...row, ...seen });
      assertEquals(await catalogNumber(registry), version);
      const gone = { reachable: false, failedChecks: 3, lastError: "refused" };
      assertEquals(await registry.saveHealth(row, gone), true);
      assertEquals(await registry.gateways.get(row.id), { ...row, ...seen, ...gone });
      assertEquals(await catalogNumber(registry), version + 1);
    },
  );

  registryTest("saveHealth() notes nothing of a gateway that was changed meanwhile", async (registry) => {
    const row = await registry.gateways.insert(newGateway({ name: "one", reachable: true }));
    const changed = await registry.gateways.update(row.id, { url: "http://127.0.0.1:9001/mcp" });
    const version = await catalogNumber(registry);
    for (const reachable of [true, false]) {
      assertEquals(await registry.saveHealth(row, { reachable, lastError: "e" }), false);
    }
    assertEquals(await registry.gateways.get(row.id), changed);
    assertEquals(await catalogNumber(registry), version);
  });

  registryTest("a gateway's history has what changed, each once, and the newest only", async (registry) => {
    const { id } = await registry.gateways.insert(newGateway({ name: "one", reachable: true }));
    const save = (tools: string[]) => registry.saveDiscovery(id, discovery({ tools }), naming);
    await save(["a", "b"]);
    await save(["a", "b"]);
    await save(["b", "c"]);
    for (const reachable of [false, false, true]) {
      const row = (await registry.gateways.get(id))!;
      await registry.saveHealth(row, { reachable, lastError: reachable ? null : "e".repeat(600) });
    }
    const drainingSince = "2026-01-01T00:00:00.000Z";
    await registry.gateways.update(id, { enabled: false, drainingSince, modifiedBy: "ann" });
    await registry.gateways.update(id, { description: "x" });
    assertEquals((await registry.gateways.get(id))!.drainingSince, drainingSince);
    const on = await registry.gateways.update(id, { enabled: true });
    assertEquals(on.drainingSince, null);
    const events = await registry.gatewayEvents(id);
    assertEquals(events.map(({ kind }) => kind), [
      ...["on", "draining", "reachable", "unreachable", "changed", "listed"] as const,
    ]);
    const [, draining, , unreachable] = events;
    const changed = events[4]!;
    assertEquals(draining, { at: draining!.at, kind: "draining", by: "ann" });
    assertEquals("reason" in unreachable! && unreachable.reason?.length, 500);
    if (changed.kind !== "changed") throw new Error(changed.kind);
    const { added, removed, updated } = changed.changes.tools;
    assertEquals([added.keys, removed.keys, updated.count], [["one-c"], ["one-a"], 0]);
    for (let i = 0; i < 60; i++) await registry.gateways.update(id, { enabled: i % 2 === 0 });
    assertEquals((await registry.gatewayEvents(id)).length, 50);
    const failing = await registry.gateways.insert(newGateway({ name: "two", reachable: false }));
    const registration = { tries: 1, nextTryAt: null, isTransportOpen: false };
    for (const lastError of ["refused", "refused", "no route"]) {
      await registry.saveHealth(failing, { registration, lastError });
    }
    const reasons = (await registry.gatewayEvents(failing.id)).map((event) =>
      "reason" in event && event.reason
    );
    assertEquals(reasons, ["no route", "refused"]);
    await registry.gateways.delete(id);
    assertEquals(await registry.gatewayEvents(id), []);
  });

  registryTest("Registry.transaction() does all or nothing", async (registry) => {
    const version = await catalogNumber(registry);
    await assertRejects(() =>
      registry.transaction(async (inside) => {
        const { id } = await inside.gateways.insert(newGateway({ name: "one" }));
        await inside.saveDiscovery(id, discovery({ tools: ["a"] }), naming);
        await inside.gateways.insert(newGateway({ name: "one" }));
      }), SluiceError);
    assertEquals((await registry.gateways.list()).length, 0);
    assertEquals(await catalogNumber(registry), version);
  });

  registryTest("revokedTokens are part of the catalog, and each is one change of it", async (registry) => {
    const { revokedTokens } = registry;
    const revocation = { revokedBy: "a@b.c", reason: "lost", expiresAt: null };
    const before = await catalogNumber(registry);
    await revokedTokens.revoke({ jti: "one", ...revocation });
    await revokedTokens.revoke({ jti: "one", ...revocation, reason: "again" });
    await revokedTokens.revoke({ jti: "two", ...revocation, reason: null });
    const { versions, revokedTokens: ids } = await registry.readCatalog();
    assertEquals([versions.catalog, ids.toSorted()], [before + 2, ["one", "two"]]);
    const [one] = (await revokedTokens.list()).filter(({ jti }) => jti === "one");
    assertEquals(one, { jti: "one", revokedAt: one.revokedAt, ...revocation });
    assertEquals(new Date(one.revokedAt).toISOString(), one.revokedAt);
  });

  registryTest("revokedTokens.sweep() takes what has long expired, and nothing else", async (registry) => {
    const { revokedTokens } = registry;
    const hour = 60 * 60 * 1000;
    const expiries = { gone: Date.now() - 2 * hour, late: Date.now() - hour / 2, valid: Date.now() + hour };
    for (const [jti, expiresAt] of Object.entries(expiries)) {
      await revokedTokens.revoke({ jti, expiresAt, revokedBy: null, reason: null });
    }
    await revokedTokens.revoke({ jti: "unknown", expiresAt: null, revokedBy: null, reason: null });
    assertEquals(await revokedTokens.sweep(), 1);
    assertEquals((await revokedTokens.ids()).toSorted(), ["late", "unknown", "valid"]);
    // An expiry that is learned later is kept.
    await revokedTokens.revoke({ jti: "unknown", expiresAt: expiries.gone, revokedBy: null, reason: null });
    assertEquals(await revokedTokens.sweep(), 1);
  });

  registryTest("readCatalog() takes 2,000 tools and gives them back", async (registry) => {
    const { id } = await registry.gateways.insert(newGateway({ name: "one" }));
    const names = Array.from({ length: 2000 }, (_, i) => `tool ${i}`);
    const saved = await registry.saveDiscovery(id, discovery({ tools: names }), naming);
    assertEquals(saved.tools.added.length, 2000);
    assertEquals((await registry.readCatalog()).tools.length, 2000);
    assertEquals((await registry.saveDiscovery(id, discovery({}), naming)).tools.removed.length, 2000);
  });

  test("Leases.take() gives a lease to one of many that ask at once, and to that one again", async (fresh) => {
    await migrate(fresh.database);
    const databases = [fresh.database, await fresh.another(), await fresh.another()];
    const asked = await Promise.all(
      databases.map((database, i) => createLeases(database).take("l", `holder ${i}`, 60_000)),
    );
    const winner = asked.findIndex(({ isHeld }) => isHeld);
    assertEquals(asked.map(({ isHeld }) => isHeld).filter(Boolean).length, 1);
    for (const answer of asked) {
      if (answer.isHeld) continue;
      assertEquals(answer.holder, `holder ${winner}`);
      assert(answer.freeInMs > 0 && answer.freeInMs <= 60_000, `free in ${answer.freeInMs} ms`);
    }
    const renewed = await createLeases(databases[winner]).take("l", `holder ${winner}`, 60_000);
    assertEquals(renewed, { isHeld: true, term: 1 });
    assertEquals((await createLeases(databases[0]).take("other", "holder", 60_000)).isHeld, true);
  });

  test("Leases.take() gives a lease that ran out to another, in a new term", async (fresh) => {
    await migrate(fresh.database);
    const [one, two] = [createLeases(fresh.database), createLeases(await fresh.another())];
    assertEquals(await one.take("l", "one", 300), { isHeld: true, term: 1 });
    const taken = await waitFor(async () => {
      const answer = await two.take("l", "two", 60_000);
      return answer.isHeld ? answer : null;
    }, { what: "the lease to run out" });
    assertEquals(taken.term, 2);
    const late = await one.take("l", "one", 300);
    assertEquals([late.isHeld, !late.isHeld && late.holder], [false, "two"]);
  });

  test("Leases.release() frees the holder's own lease at once, and nobody else's", async ({ database }) => {
    await migrate(database);
    const leases = createLeases(database);
    await leases.take("l", "one", 60_000);
    await leases.release("l", "two");
    assertEquals((await leases.take("l", "two", 60_000)).isHeld, false);
    await leases.release("l", "one");
    assertEquals(await leases.take("l", "two", 60_000), { isHeld: true, term: 2 });
  });
  oauthContract(registryTest);
  peopleContract(registryTest);
  peopleChangesContract(registryTest);
  rightsContract(registryTest);
  registryChangesContract(registryTest);
  lostWritesContract(registryTest);
  tokenContract(registryTest);
  executionContract(registryTest);
  const migratingTest: typeof test = (criterion, run) => test(criterion, run, { mayBeMigrated: true });
  auditContract(migratingTest);
  auditMigrationContract(test);
  approvalContract(migratingTest);
  return tests;
}

async function ids(database: Database): Promise<number[]> {
  return (await database.query<{ id: number }>(sql`SELECT id FROM t ORDER BY id`)).map(({ id }) => id);
}
