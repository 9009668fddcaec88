import { assertEquals } from "@std/assert";
import { newRow } from "../store/registry/entities.ts";
import type { GatewayRow } from "../store/registry/rows.ts";
import { createLog } from "../telemetry/log.ts";
import { FakeClock } from "../../tests/support/fake_clock.ts";
import { MemorySink } from "../../tests/support/fakes.ts";
import { newGateway } from "../../tests/support/registry_rows.ts";
import { AutoRefresh } from "./auto_refresh.ts";

function fixture(intervalMs = 300_000) {
  const clock = new FakeClock();
  const rows = new Map<string, GatewayRow>();
  const refreshed: string[] = [];
  const startedAt = clock.now();
  const ago = (ms: number) => new Date(startedAt - ms).toISOString();
  const add = (name: string, given: Partial<GatewayRow> = {}) => {
    const gateway = newGateway({ name, id: name, reachable: true, lastRefreshAt: ago(0), ...given });
    rows.set(name, newRow<GatewayRow>(gateway, new Date(0)));
  };
  const fails = { fails: false };
  const refreshes = new AutoRefresh({
    clock,
    log: createLog({ level: "INFO", format: "json", sink: new MemorySink() }),
    intervalMs,
    silentIntervalMs: 60_000,
    gateways: () => Promise.resolve([...rows.values()]),
    refresh: (id) => {
      refreshed.push(`${id} ${(clock.now() - startedAt) / 1_000}`);
      if (fails.fails) return Promise.reject(new Error("no"));
      rows.set(id, { ...rows.get(id)!, lastRefreshAt: new Date(clock.now()).toISOString() });
      return Promise.resolve();
    },
  });
  return { clock, refreshes, refreshed, add, ago, fails };
}

Deno.test("AutoRefresh: each gateway in its own interval, counted from its last refresh, whoever did that", async () => {
  const { clock, refreshes, refreshed, add, ago } = fixture();
  add("default");
  add("own", { refreshIntervalSeconds: 60 });
  add("overdue", { lastRefreshAt: ago(299_000) });
  add("never", { lastRefreshAt: null });
  const ending = new AbortController();
  const running = refreshes.run(ending.signal);
  await clock.tick(120_000);
  assertEquals(refreshed, ["never 0", "overdue 5", "own 60", "own 120"]);
  refreshed.length = 0;
  await clock.tick(180_000);
  assertEquals(refreshed.filter((each) => !each.startsWith("own")), ["default 300", "never 300"]);
  ending.abort();
  await running;
  await clock.tick(1_000_000);
  assertEquals([refreshed.length, clock.timers], [5, 0]);
});

Deno.test("AutoRefresh: none that is switched off or unreachable", async () => {
  const { clock, refreshes, refreshed, add } = fixture();
  add("off", { enabled: false, lastRefreshAt: null });
  add("gone", { reachable: false, lastRefreshAt: null });
  const ending = new AbortController();
  const running = refreshes.run(ending.signal);
  await clock.tick(600_000);
  assertEquals(refreshed, []);
  ending.abort();
  await running;
});

Deno.test("AutoRefresh: one that fails is asked again after its interval, not at each look", async () => {
  const { clock, refreshes, refreshed, add, fails } = fixture();
  add("a", { refreshIntervalSeconds: 60 });
  fails.fails = true;
  const ending = new AbortController();
  const running = refreshes.run(ending.signal);
  await clock.tick(180_000);
  assertEquals(refreshed, ["a 60", "a 120", "a 180"]);
  ending.abort();
  await running;
});

Deno.test("AutoRefresh: an upstream without sessions that cannot tell of a change, though the others are not refreshed", async () => {
  const { clock, refreshes, refreshed, add } = fixture(Infinity);
  const listChanged = { tools: { listChanged: true } };
  add("sessions", { stateful: true, protocolVersion: "2025-11-25" });
  add("unknown", { stateful: null });
  add("process", { stateful: false, protocolVersion: "2026-07-28", transport: "STDIO" });
  add("tells", { stateful: false, protocolVersion: "2026-07-28", capabilities: listChanged });
  add("silent", { stateful: false, protocolVersion: "2026-07-28", capabilities: { tools: {} } });
  add("old", { stateful: false, protocolVersion: "2025-11-25", capabilities: listChanged });
  add("slow", { stateful: false, protocolVersion: "2026-07-28", listTtlMs: 100_000 });
  add("slowest", { stateful: false, protocolVersion: "2026-07-28", listTtlMs: 1e9 });
  const ending = new AbortController();
  const running = refreshes.run(ending.signal);
  await clock.tick(120_000);
  assertEquals(refreshed, ["silent 60", "old 60", "slow 100", "silent 120", "old 120"]);
  await clock.tick(3_480_000);
  assertEquals(refreshed.filter((each) => each.startsWith("slowest")), ["slowest 3600"]);
  ending.abort();
  await running;
});
