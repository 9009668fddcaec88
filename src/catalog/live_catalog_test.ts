import { assertEquals } from "@std/assert";
import { settled } from "../../tests/support/fake_clock.ts";
import { catalogRows, versionsAt } from "../../tests/support/catalog_rows.ts";
import { Catalog } from "./snapshot/catalog.ts";
import { LiveCatalog } from "./live_catalog.ts";

const catalog = (version: number) => new Catalog(catalogRows({ versions: versionsAt(version) }));
const at = (version: number) => catalog(version).version;

async function setUp() {
  const store = { version: 1 };
  const changes: [string, string][] = [];
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
  assertEquals([await live.refresh(at(1)), reads()], [at(1), 1]);
  store.version = 3;
  assertEquals([await live.refresh(at(2)), live.now.version, reads()], [at(3), at(3), 2]);
  assertEquals([await live.refresh(at(3)), reads(), changes], [at(3), 2, [[at(1), at(3)]]]);
});

Deno.test("LiveCatalog.refresh() never puts a snapshot in the place of one that was read later", async () => {
  const { live, store, readNext } = await setUp();
  const slow = Promise.withResolvers<Catalog>();
  readNext(() => slow.promise);
  const first = live.refresh(at(2));
  await settled();
  store.version = 3;
  const second = live.refresh(at(3));
  await settled();
  slow.resolve(catalog(2));
  assertEquals([await first, await second, live.now.version], [at(2), at(3), at(3)]);
});

Deno.test("LiveCatalog.refresh() keeps the snapshot when the store cannot be read, and reads again when asked", async () => {
  const { live, store, failures, readNext } = await setUp();
  store.version = 2;
  const away = new Error("away");
  readNext(() => Promise.reject(away));
  assertEquals([await live.refresh(at(2)), failures], [at(1), [away]]);
  assertEquals([await live.refresh(at(2)), live.now.version], [at(2), at(2)]);
});
