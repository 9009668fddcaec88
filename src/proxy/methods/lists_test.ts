import { assertEquals } from "@std/assert";
import fc from "fast-check";
import {
  gatewayRow,
  promptRow,
  resourceRow,
  serverRow,
  toolRow,
} from "../../../tests/support/catalog_rows.ts";
import { dataPlane, requestOf } from "../../../tests/support/data_plane.ts";
import { principal } from "../../../tests/support/fakes.ts";
import { discovery, newGateway } from "../../../tests/support/registry_rows.ts";
import { Catalog, type Scope } from "../../catalog/snapshot/catalog.ts";
import { createNaming } from "../../catalog/snapshot/tool_name.ts";
import { migrate } from "../../store/sql/migrate.ts";
import { createRegistry } from "../../store/registry/registry.ts";
import { openSqlite } from "../../store/sqlite/sqlite.ts";
import type { CatalogRows } from "../../store/registry/rows.ts";

const HIDDEN = { visibility: "team", teamId: "t1" } as const;
const naming = createNaming({ separator: "-", maxLength: 64 });

interface Page {
  readonly names: string[];
  readonly nextCursor: string | undefined;
  readonly error: { code: number } | undefined;
}

/** Reads the lists of a scope, which a test may replace between two pages. */
async function lister(rows: Partial<CatalogRows>, pageSize: number) {
  const plane = await dataPlane(rows, {}, { pageSize });
  return {
    catalog: plane.catalog,
    page: async (
      scope: Scope,
      cursor?: unknown,
      { method = "tools/list", teams = [] as string[] } = {},
    ): Promise<Page> => {
      const text = JSON.stringify({ jsonrpc: "2.0", id: 1, method, params: { cursor } });
      const call = plane.context({ scope, principal: principal({ teams }) });
      const { result, error } = JSON.parse(await plane.dispatcher.respond(call, requestOf(text)));
      const items = Object.values<{ name: string }[]>(result ?? { none: [] })[0];
      return { names: items.map(({ name }) => name), nextCursor: result?.nextCursor, error };
    },
  };
}

const FIVE = ["1", "2", "3", "4", "5"];

const ROWS = {
  gateways: [gatewayRow("a")],
  tools: FIVE.map((name, position) => toolRow("a", name, { position })),
  prompts: FIVE.map((name, position) => promptRow("a", name, { position })),
  resources: [
    ...FIVE.map((name, position) => resourceRow("a", `x://${name}`, { name, position })),
    ...FIVE.map((name, position) => resourceRow("a", `t://{id}/${name}`, { name, position })),
  ],
  servers: [serverRow("s", { toolIds: ["a-5", "a-1", "a-3"] })],
};

Deno.test("every list gives pages of MCP_LIST_PAGE_SIZE, the last one without a cursor", async () => {
  const { page, catalog } = await lister(ROWS, 2);
  for (const method of ["tools/list", "prompts/list", "resources/list", "resources/templates/list"]) {
    const sizes: number[] = [];
    const names: string[] = [];
    let cursor: string | undefined;
    do {
      const next = await page(catalog.all, cursor, { method });
      sizes.push(next.names.length);
      names.push(...next.names);
      cursor = next.nextCursor;
    } while (cursor !== undefined);
    assertEquals(sizes, [2, 2, 1], method);
    assertEquals(new Set(names).size, 5, method);
  }
});

Deno.test("a list that fits is one page, and 0 makes every list fit", async () => {
  for (const pageSize of [0, 5, 6]) {
    const { page, catalog } = await lister(ROWS, pageSize);
    const { names, nextCursor } = await page(catalog.all);
    assertEquals([names.length, nextCursor], [5, undefined]);
  }
});

Deno.test("a list counts what the caller sees, and ends with it", async () => {
  const tools = ROWS.tools.map((row, i) => i % 2 === 0 ? row : { ...row, ...HIDDEN });
  const { page, catalog } = await lister({ ...ROWS, tools }, 3);
  assertEquals(await page(catalog.all), {
    names: ["a-1", "a-3", "a-5"],
    nextCursor: undefined,
    error: undefined,
  });
  const first = await page(catalog.all, undefined, { teams: ["t1"] });
  assertEquals(first.names, ["a-1", "a-2", "a-3"]);
  // Another caller's cursor shows no more than the caller's own.
  assertEquals((await page(catalog.all, first.nextCursor)).names, ["a-5"]);
});

Deno.test("a cursor of another list, another endpoint or another gateway's making is refused", async () => {
  const { page, catalog } = await lister(ROWS, 2);
  const { nextCursor } = await page(catalog.all);
  const small = catalog.scope("s")!;
  assertEquals((await page(catalog.all, nextCursor, { method: "prompts/list" })).error?.code, -32602);
  assertEquals((await page(small, nextCursor)).error?.code, -32602);
  for (const cursor of ["x", 1, {}, `${nextCursor}AAAA`, nextCursor!.slice(1)]) {
    assertEquals((await page(catalog.all, cursor)).error?.code, -32602, `${cursor}`);
  }
  assertEquals((await page(small, (await page(small)).nextCursor)).names, ["a-5"]);
  // Some clients write null or an empty cursor for the first page.
  for (const none of [null, ""]) {
    assertEquals((await page(catalog.all, none)).names, (await page(catalog.all)).names);
  }
});

/** A change between two pages; `which` selects among the gateways. */
interface Change {
  readonly type: "add" | "delete" | "refresh" | "rename";
  readonly which: number;
  readonly offers: readonly string[];
}

const change: fc.Arbitrary<Change> = fc.record({
  type: fc.constantFrom("add", "delete", "refresh", "rename"),
  which: fc.nat(),
  offers: offers(),
});

/** Tools in any order. Two consecutive offers share, drop and add some. */
function offers() {
  return fc.shuffledSubarray(Array.from({ length: 12 }, (_, i) => `t${i}`));
}

Deno.test("a walk through the pages gives each tool that is there all the while exactly once, whatever comes and goes", async () => {
  const directory = await Deno.makeTempDir();
  const database = await openSqlite(`${directory}/test.db`, { busyTimeoutMs: 1000 });
  let serial = 0;
  let seconds = 1_800_000_000;
  try {
    await migrate(database);
    const registry = createRegistry(database, () => new Date(seconds * 1000));
    const run = async (
      start: readonly string[][],
      changes: readonly Change[][],
      pageSize: number,
    ) => {
      for (const { id } of await registry.gateways.list()) await registry.gateways.delete(id);
      const add = async (tools: readonly string[]) => {
        // Three gateways are registered in one second, so their ids decide.
        if (++serial % 3 === 0) seconds++;
        const { id } = await registry.gateways.insert(newGateway({ name: `g${serial}` }));
        await registry.saveDiscovery(id, discovery({ tools }), naming);
      };
      const apply = async (each: Change) => {
        if (each.type === "add") return await add(each.offers);
        const gateways = await registry.gateways.list();
        const gateway = gateways[each.which % gateways.length];
        if (gateway === undefined) return;
        if (each.type === "delete") await registry.gateways.delete(gateway.id);
        else if (each.type === "refresh") {
          await registry.saveDiscovery(gateway.id, discovery({ tools: each.offers }), naming);
        } else {
          const slug = `r${++serial}`;
          await registry.gateways.update(gateway.id, { name: slug, slug });
          await registry.renameDiscovered(gateway.id, naming);
        }
      };
      for (const tools of start) await add(tools);

      const { page } = await lister({}, pageSize);
      let rows = await registry.readCatalog();
      let lasting = new Set(rows.tools.map(({ id }) => id));
      const given: string[] = [];
      let cursor: string | undefined;
      for (let i = 0;; i++) {
        const next = await page(new Catalog(rows).all, cursor);
        const idOf = new Map(rows.tools.map(({ id, name }) => [name, id]));
        given.push(...next.names.map((name) => idOf.get(name)!));
        cursor = next.nextCursor;
        if (cursor === undefined) break;
        for (const each of changes[i] ?? []) await apply(each);
        rows = await registry.readCatalog();
        const left = new Set(rows.tools.map(({ id }) => id));
        lasting = new Set([...lasting].filter((id) => left.has(id)));
      }
      assertEquals(new Set(given).size, given.length, "an entry came twice");
      assertEquals([...lasting].filter((id) => !given.includes(id)), [], "an entry was left out");
    };
    await fc.assert(
      fc.asyncProperty(
        fc.array(offers(), { minLength: 1, maxLength: 3 }),
        fc.array(fc.array(change, { maxLength: 2 }), { maxLength: 6 }),
        fc.integer({ min: 1, max: 6 }),
        run,
      ),
      { numRuns: 60 },
    );
  } finally {
    await database.close();
    await Deno.remove(directory, { recursive: true });
  }
});
