import { assertEquals } from "@std/assert";
import { nearName } from "./near_name.ts";

const KNOWN = ["PORT", "WORKERS", "WORKER_TIMEOUT", "DB_POOL_SIZE"];

Deno.test("nearName() gives the nearest known name within two edits", () => {
  const rows: ReadonlyArray<[name: string, near: string | null]> = [
    ["WORKER", "WORKERS"],
    ["WOKRERS", "WORKERS"],
    ["WORKER_TIMEOUTS", "WORKER_TIMEOUT"],
    ["DB_POLL_SIZES", "DB_POOL_SIZE"],
    ["DB_PULL_SIZES", null],
    ["REPORT", null],
    ["WORKE", null],
  ];
  for (const [name, near] of rows) assertEquals([name, nearName(name, KNOWN, 6)], [name, near]);
});
