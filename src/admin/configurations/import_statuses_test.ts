import { assertEquals } from "@std/assert";
import { withAdminApi } from "../../../tests/support/admin_api.ts";
import { systemClock } from "../../base/clock.ts";
import { MemoryCache } from "../../cache/memory_cache.ts";
import { keepStatus } from "./import_statuses.ts";

Deno.test("the newest 50 statuses of imports are kept", async () => {
  const importReports = new MemoryCache(systemClock);
  const progress = { total: 0, processed: 0, created: 0, updated: 0, skipped: 0, failed: 0 };
  for (let i = 0; i < 52; i++) {
    const at = new Date(i * 1000).toISOString();
    const status = { import_id: `${i}`, status: "completed", progress, errors: [], warnings: [] };
    await keepStatus({ importReports }, { ...status, started_at: at, completed_at: at });
  }
  const kept = (await importReports.list("import:")).map(({ key }) => Number(key.slice("import:".length)));
  assertEquals(kept.toSorted((a, b) => a - b), Array.from({ length: 50 }, (_, i) => i + 2));
});

Deno.test("statuses of imports are listed, and forgotten by their age", () =>
  withAdminApi(async ({ call }) => {
    const body = { import_data: { version: "1", exported_at: "2026-01-01T00:00:00Z", entities: {} } };
    const { body: status } = await call("POST", "/import", { body });
    assertEquals((await call("GET", "/import/status")).body, [status]);
    const cleaned = async (query: string) =>
      (await call("POST", `/import/cleanup${query}`)).body.removed_count;
    assertEquals([await cleaned(""), await cleaned("?max_age_hours=0")], [0, 1]);
    assertEquals((await call("GET", "/import/status")).body, []);
    assertEquals((await call("GET", `/import/status/${status.import_id}`)).status, 404);
    assertEquals((await call("POST", "/import/cleanup?max_age_hours=-1")).status, 422);
  }));
