import { assertEquals, assertStringIncludes } from "@std/assert";
import { planOf } from "../../tuning/tuning_plan.ts";
import { type Comparison, comparisonText, serves } from "./comparison.ts";

const LOAD = {
  users: 10,
  replicas: 1,
  vcpu: 2,
  ramMb: 4096,
  latencyMs: 200,
  thinkMs: 3000,
  callMicros: null,
};
const PLAN = planOf(LOAD, { database: "postgres", redis: true, fileMax: null });
const NOTHING: Comparison = { examined: ["all"], advice: [], unknown: [], shortfalls: [] };

Deno.test("a comparison serves the users if every server could be compared and the machine suffices", () => {
  const row = { place: ".env", setting: "WORKERS", now: "1", advised: "2", why: "A reason." };
  const cases: [comparison: Partial<Comparison>, isServed: boolean, verdict: string][] = [
    [{}, true, "Everything here serves 10 users. Compared: all."],
    [{ advice: [row] }, false, "1 value does not serve 10 users."],
    [
      { unknown: ["PostgreSQL at db:5432/mcp: nothing listens there"] },
      false,
      "What could be compared serves",
    ],
    [{ shortfalls: ["The memory does not suffice."] }, false, "serve 10 users, and the machine does not."],
  ];
  for (const [given, isServed, verdict] of cases) {
    const comparison = { ...NOTHING, ...given };
    assertEquals(serves(comparison), isServed);
    assertStringIncludes(comparisonText(PLAN, comparison), verdict);
  }
});

Deno.test("comparisonText() has each advised value as a line of the place that it belongs to", () => {
  const advice = [
    [".env", "WORKERS", "2"],
    ["sysctl", "net.ipv4.ip_local_port_range", "1024 65535"],
    ["open files", "LimitNOFILE", "65536"],
    ["PostgreSQL", "DATABASE_URL", "postgresql://sluice:PASSWORD@127.0.0.1:5432/sluice"],
    ["PostgreSQL", "max_connections", "200"],
    ["PgBouncer", "pool_mode", "transaction"],
    ["Redis", "maxclients", "10000"],
  ].map(([place, setting, advised]) => ({
    ...{ place: place!, setting: setting!, advised: advised! },
    ...{ now: "1", why: "A reason." },
  }));
  const text = comparisonText(PLAN, { ...NOTHING, advice });
  assertEquals(text.split("\n").filter((line) => line.startsWith("  -> ")).map((line) => line.slice(5)), [
    "WORKERS=2",
    "sysctl -w net.ipv4.ip_local_port_range='1024 65535'",
    "LimitNOFILE=65536",
    "DATABASE_URL=postgresql://sluice:PASSWORD@127.0.0.1:5432/sluice",
    "max_connections = 200",
    "pool_mode = transaction",
    "maxclients 10000",
  ]);
});
