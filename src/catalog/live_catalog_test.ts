import { assertEquals } from "@std/assert";
import { settled } from "../../tests/support/fake_clock.ts";
import { Catalog } from "./snapshot/catalog.ts";
import { LiveCatalog } from "./live_catalog.ts";

const catalog = (version: number) =>
  new Catalog({
    version,
    gateways: [],
    tools: [],
    resources: [],
    prompts: [],
    servers: [],
    revokedTokens: [],
    quotas: [],
    removed: [],
    approvals: [],
    people: null,
    tokenChanges: { version: 0, changed: [] },
  });

async function setUp() {
  const store = { version: 1 };
  const changes: [number, number][] = [];
  const failures: unknown[] = [];
  let reads = 0;
  let next: (() => Promise<Catalog>) | null = null;
  const live = await LiveCatalog.open({
    read: () => {
      reads++;
      const read = next ?? (() => Promise.resolve(catalog(store.version)));
      next = null;
      return read();
    },
    onFailure: (error) => failures.push(error),
  });
  live.onChange((before, after) => changes.push([before.version, after.version]));
  const readNext = (read: () => Promise<Catalog>) => next = read;
  return { live, store, changes, failures, readNext, reads: () => reads };
}

Deno.test("LiveCatalog.refresh() reads a version that is not here, and no other", async () => {
  const { live, store, changes, reads } = await setUp();
  assertEquals([await live.refresh(1), reads()], [1, 1]);
  store.version = 3;
  assertEquals([await live.refresh(2), live.now.version, reads()], [3, 3, 2]);
  assertEquals([await live.refresh(3), reads(), changes], [3, 2, [[1, 3]]]);
});

Deno.test("LiveCatalog.refresh() never puts a snapshot in the place of one that was read later", async () => {
  const { live, store, readNext } = await setUp();
  const slow = Promise.withResolvers<Catalog>();
  readNext(() => slow.promise);
  const first = live.refresh(2);
  await settled();
  store.version = 3;
  const second = live.refresh(3);
  await settled();
  slow.resolve(catalog(2));
  assertEquals([await first, await second, live.now.version], [2, 3, 3]);
});

Deno.test("LiveCatalog.refresh() keeps the snapshot when the store cannot be read, and reads again when asked", async () => {
  const { live, store, failures, readNext } = await setUp();
  store.version = 2;
  const away = new Error("away");
  readNext(() => Promise.reject(away));
  assertEquals([await live.refresh(2), failures], [1, [away]]);
  assertEquals([await live.refresh(2), live.now.version], [2, 2]);
});
