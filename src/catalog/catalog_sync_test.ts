import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { SluiceError } from "../base/errors.ts";
import { migrate } from "../store/sql/migrate.ts";
import { createRegistry, type Registry } from "../store/registry/registry.ts";
import { openSqlite } from "../store/sqlite/sqlite.ts";
import type { Discovery, GatewayRow } from "../store/registry/rows.ts";
import { createLog } from "../telemetry/log.ts";
import { FakeClock } from "../../tests/support/fake_clock.ts";
import { MemorySink } from "../../tests/support/fakes.ts";
import { discovery, newGateway } from "../../tests/support/registry_rows.ts";
import { waitFor } from "../../tests/support/wait_for.ts";
import { CatalogSync } from "./catalog_sync.ts";
import { createNaming } from "./snapshot/tool_name.ts";

const naming = createNaming({ separator: "-", maxLength: 64 });

interface Fixture {
  readonly sync: CatalogSync;
  readonly registry: Registry;
  /** A registered gateway. */
  readonly id: string;
  readonly clock: FakeClock;
  readonly sink: MemorySink;
  /** Calls of `discover`. */
  readonly asked: GatewayRow[];
  readonly counts: Record<string, number>;
  changes(): number;
  /** The behaviour of `discover` from now on. */
  upstream(discover: (row: GatewayRow) => Promise<Discovery>): void;
}

async function withSync(run: (fixture: Fixture) => Promise<void>): Promise<void> {
  const directory = await Deno.makeTempDir();
  const database = await openSqlite(`${directory}/test.db`, { busyTimeoutMs: 1_000 });
  try {
    await migrate(database);
    const registry = createRegistry(database);
    const { id } = await registry.gateways.insert(newGateway({ name: "one", reachable: true }));
    await registry.saveDiscovery(id, discovery({ tools: ["a"] }), naming);
    const clock = new FakeClock();
    const sink = new MemorySink();
    const asked: GatewayRow[] = [];
    const counts: Record<string, number> = {};
    let changes = 0;
    let discover = (_row: GatewayRow) => Promise.resolve(discovery({ tools: ["a"] }));
    const sync = new CatalogSync({
      registry,
      clock,
      log: createLog({ level: "INFO", format: "json", sink }),
      naming,
      discover: (row) => {
        asked.push(row);
        return discover(row);
      },
      catalogChanged: () => Promise.resolve(void changes++),
      onHeld: () => {},
      countRefresh: (result) => counts[result] = (counts[result] ?? 0) + 1,
    });
    await run({
      sync,
      registry,
      id,
      clock,
      sink,
      asked,
      counts,
      changes: () => changes,
      upstream: (next) => void (discover = next),
    });
    sync.close();
  } finally {
    await database.close();
    await Deno.remove(directory, { recursive: true });
  }
}

const toolNames = async (registry: Registry) => (await registry.tools.list()).map(({ name }) => name);

Deno.test("CatalogSync.refresh() saves what the upstream offers now, and tells everybody only of news", () =>
  withSync(async ({ sync, registry, id, counts, changes, upstream }) => {
    assertEquals((await sync.refresh(id)).hasChanges, false);
    assertEquals(changes(), 0);
    upstream(() => Promise.resolve(discovery({ tools: ["a", "b"] })));
    assertEquals((await sync.refresh(id)).tools.added, ["one-b"]);
    assertEquals([changes(), await toolNames(registry)], [1, ["one-a", "one-b"]]);
    assertEquals(counts, { unchanged: 1, changed: 1 });
  }));

Deno.test("CatalogSync.refresh() keeps what an upstream speaks, and logs each change of it", () =>
  withSync(async ({ sync, registry, id, sink, changes, upstream }) => {
    const speaking = (protocols: string[]) =>
      upstream(() => Promise.resolve({ ...discovery({ tools: ["a"] }), protocols }));
    const both = ["2026-07-28", "2025-11-25"];
    for (const protocols of [["2025-11-25"], both, both, ["2025-11-25"]]) {
      speaking(protocols);
      await sync.refresh(id);
      assertEquals((await registry.gateways.get(id))!.protocols, protocols);
    }
    const logged = sink.lines.map((line) => JSON.parse(line)).filter(({ event }) =>
      event === "upstream revisions changed"
    );
    assertEquals(logged.map(({ upstream, before, after }) => [upstream, before, after]), [
      ["one", "2025-11-25", "2026-07-28, 2025-11-25"],
      ["one", "2026-07-28, 2025-11-25", "2025-11-25"],
    ]);
    assertEquals(changes(), 2);
  }));

Deno.test("CatalogSync.refresh() warns of faulty entries and lists, once", () =>
  withSync(async ({ sync, registry, id, sink, upstream }) => {
    const skipped = [{ kind: "tool", name: "bad", reason: "its annotations" }] as const;
    const warnings = [
      { list: "prompts/list", name: null, reason: "it broke" },
      { list: "tools/list", name: "a", reason: "left out: its icons" },
      ...Array.from({ length: 30 }, (_, i) => ({ list: "tools/list", name: `t${i}`, reason: "r" })),
    ];
    upstream(() => Promise.resolve({ ...discovery({ tools: ["a", "b"] }), skipped, warnings }));
    const saved = await sync.refresh(id);
    assertEquals([saved.skipped, saved.warnings], [skipped, warnings]);
    await sync.refresh(id);
    const lines = sink.lines.map((line) => JSON.parse(line));
    const logged = (event: string) => lines.filter((line) => line.event === event);
    const of = (event: string) => logged(event).map(({ upstream, name, reason }) => [upstream, name, reason]);
    assertEquals(of("upstream entry skipped"), [["one", "bad", "its annotations"]]);
    assertEquals(of("upstream list failed"), [["one", null, "it broke"]]);
    assertEquals([logged("upstream entry repaired").length, logged("upstream entry repaired").at(-1).more], [
      21,
      11,
    ]);
    assertEquals(await toolNames(registry), ["one-a", "one-b"]);
  }));

Deno.test("CatalogSync.refresh() keeps why it failed with the gateway, in the log, and tells the caller", () =>
  withSync(async ({ sync, registry, id, sink, counts, changes, upstream }) => {
    upstream(() =>
      Promise.reject(new SluiceError("UPSTREAM_CONNECT_FAILED", { upstream: "one", reason: "refused" }))
    );
    const error = await assertRejects(() => sync.refresh(id), SluiceError);
    assertEquals([error.code, changes()], ["UPSTREAM_CONNECT_FAILED", 0]);
    const { lastError, reachable } = (await registry.gateways.get(id))!;
    assertStringIncludes(lastError!, "refused");
    assertEquals([reachable, counts, await toolNames(registry)], [true, { failed: 1 }, ["one-a"]]);
    assertStringIncludes(sink.lines.join(), "upstream not refreshed");
    upstream(() => Promise.resolve(discovery({ tools: ["a"] })));
    await sync.refresh(id);
    assertEquals((await registry.gateways.get(id))!.lastError, null);
  }));

Deno.test("CatalogSync.refresh() of a gateway that is not there, or no more when the answer comes", () =>
  withSync(async ({ sync, registry, id, upstream }) => {
    assertEquals((await assertRejects(() => sync.refresh("absent"), SluiceError)).code, "NOT_FOUND");
    upstream(async () => {
      await registry.gateways.delete(id);
      return discovery({ tools: ["z"] });
    });
    assertEquals((await assertRejects(() => sync.refresh(id), SluiceError)).code, "NOT_FOUND");
    assertEquals(await toolNames(registry), []);
  }));

Deno.test("CatalogSync.refresh() asks again where the gateway was changed meanwhile: what it found may be another's", () =>
  withSync(async ({ sync, registry, id, asked, upstream }) => {
    const url = "http://127.0.0.1:9001/mcp";
    upstream(async (row) => {
      if (asked.length === 1) await registry.gateways.update(id, { url });
      return discovery({ tools: [row.url === url ? "new" : "old"] });
    });
    await sync.refresh(id);
    assertEquals([asked.length, await toolNames(registry)], [2, ["one-new"]]);
    upstream(async () => {
      await registry.gateways.update(id, { description: String(asked.length) });
      return discovery({ tools: ["never"] });
    });
    assertEquals((await assertRejects(() => sync.refresh(id), SluiceError)).code, "CONFLICT");
    assertEquals([asked.length, await toolNames(registry)], [5, ["one-new"]]);
  }));

Deno.test("CatalogSync.listChanged(): a burst costs two refreshes, and the last state is what stays", () =>
  withSync(async ({ sync, registry, id, clock, asked, upstream }) => {
    let tools: string[] = [];
    const first = Promise.withResolvers<void>();
    upstream(async () => {
      const found = discovery({ tools });
      await first.promise;
      return found;
    });
    for (let i = 0; i < 50; i++) {
      tools = [...tools, `t${i}`];
      sync.listChanged(id);
    }
    await waitFor(() => asked.length === 1, { what: "the first refresh" });
    first.resolve();
    await waitFor(async () => (await toolNames(registry)).length > 1, { what: "it to be saved" });
    await clock.tick(100);
    await waitFor(() => asked.length === 2, { what: "the second refresh" });
    await waitFor(async () => (await toolNames(registry)).length === 50, { what: "all tools" });
    await clock.tick(10_000);
    assertEquals(asked.length, 2);
  }));

Deno.test("CatalogSync.listChanged() of an upstream that fails is in the log, and nowhere else", () =>
  withSync(async ({ sync, id, sink, upstream }) => {
    upstream(() => Promise.reject(new Error("boom")));
    sync.listChanged(id);
    await waitFor(() => sink.lines.some((line) => line.includes("boom")), { what: "the log line" });
  }));
