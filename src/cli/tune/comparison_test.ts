import { assertEquals } from "@std/assert";
import { planOf } from "../../tuning/tuning_plan.ts";
import { comparisonText } from "./comparison.ts";

Deno.test("comparisonText() has each advised value as a line of the place that it belongs to", () => {
  const load = {
    users: 10,
    replicas: 1,
    vcpu: 2,
    ramMb: 4096,
    latencyMs: 200,
    thinkMs: 3000,
    callMicros: null,
  };
  const plan = planOf(load, { database: "postgres", redis: true, fileMax: null });
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
  const text = comparisonText(plan, { examined: ["all"], advice, unknown: [] });
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
