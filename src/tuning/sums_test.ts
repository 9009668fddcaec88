import { assertEquals } from "@std/assert";
import { databaseConnections, type DescriptorConfig, descriptorsNeeded, redisConnections } from "./sums.ts";

const CONFIG: DescriptorConfig = {
  workers: 2,
  backpressure: 500,
  maxStreams: 800,
  httpClientMaxConnections: 100,
  databaseUrl: "sqlite:///./mcp.db",
  dbPoolSize: 5,
  dbMaxOverflow: 10,
  cacheType: "database",
};

Deno.test("descriptorsNeeded() adds up what every worker may open, and what the process has", () => {
  // 500 requests, 800 streams, 100 upstream connections, 3 of SQLite, 16 of its own; 64 of the process.
  assertEquals(descriptorsNeeded(CONFIG), 2 * (500 + 800 + 100 + 3 + 16) + 64);
});

Deno.test("descriptorsNeeded() counts PostgreSQL's pool and Redis where they are used", () => {
  const base = descriptorsNeeded(CONFIG);
  const postgres = descriptorsNeeded({ ...CONFIG, databaseUrl: "postgresql://u@h/d" });
  assertEquals(postgres - base, 2 * (5 + 10 - 3));
  assertEquals(descriptorsNeeded({ ...CONFIG, cacheType: "redis" }) - base, 2);
});

Deno.test("descriptorsNeeded() gives BACKPRESSURE=auto room", () => {
  assertEquals(
    descriptorsNeeded({ ...CONFIG, backpressure: "auto" }) > descriptorsNeeded(CONFIG),
    true,
  );
});

Deno.test("databaseConnections() and redisConnections() add up all workers of all replicas", () => {
  assertEquals(databaseConnections(CONFIG, 3), 3 * 2 * (5 + 10));
  assertEquals(redisConnections(CONFIG, 3), 3 * (2 + 1));
});
