import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { parse } from "@std/dotenv";
import fc from "fast-check";
import { loadConfig } from "../config/load.ts";
import { adviseSettings } from "./advice.ts";
import type { Load, Surroundings } from "./demand.ts";
import type { Figure } from "./figure.ts";
import { plannedFiles } from "./files/planned_files.ts";
import { databaseConnections, descriptorsNeeded, redisConnections } from "./sums.ts";
import { type Plan, planOf } from "./tuning_plan.ts";

const MACHINE: Load = {
  users: 100,
  replicas: 1,
  vcpu: 2,
  ramMb: 8_192,
  latencyMs: 200,
  thinkMs: 3_000,
  callMicros: null,
};

const ALL: Surroundings = { database: "pgbouncer", redis: true, fileMax: null };

function values(figures: readonly Figure[], ...names: string[]): Record<string, string | undefined> {
  return Object.fromEntries(
    names.map((name) => [name, figures.find((figure) => figure.name === name)?.value]),
  );
}

function number(figures: readonly Figure[], name: string): number {
  return Number(figures.find((figure) => figure.name === name)!.value);
}

/** What a gateway makes of the .env of a plan; every mistake and every name without effect is a failure. */
function loaded(plan: Plan) {
  const dotEnv = plannedFiles(plan, null).find(({ name }) => name === ".env")!.text;
  const environment: Record<string, string> = plan.surroundings.database === "sqlite" ? {} : {
    DATABASE_URL: "postgresql://sluice:secret@127.0.0.1:6432/sluice",
  };
  const { config, warnings, ignored } = loadConfig({
    environment,
    dotEnv,
    dev: false,
    overrides: {},
    cores: 64,
  });
  assertEquals([warnings, ignored], [[], []]);
  return { config, lines: parse(dotEnv) };
}

const LOADS: fc.Arbitrary<Load> = fc.record({
  users: fc.integer({ min: 1, max: 1_000_000 }),
  replicas: fc.integer({ min: 1, max: 100 }),
  vcpu: fc.double({ min: 0.1, max: 64, noNaN: true }),
  ramMb: fc.integer({ min: 256, max: 262_144 }),
  latencyMs: fc.integer({ min: 1, max: 600_000 }),
  thinkMs: fc.integer({ min: 0, max: 600_000 }),
  callMicros: fc.option(fc.integer({ min: 10, max: 10_000 })),
});

const SURROUNDINGS: fc.Arbitrary<Surroundings> = fc.record({
  database: fc.constantFrom("sqlite", "postgres", "pgbouncer"),
  redis: fc.boolean(),
  fileMax: fc.option(fc.integer({ min: 1_000, max: 10_000_000 })),
});

Deno.test("planOf() leaves room beside the heaps in a small container", () => {
  const heap = (ramMb: number) =>
    number(planOf({ ...MACHINE, vcpu: 0.5, ramMb }, ALL).settings, "WORKER_MAX_HEAP_MB");
  assertEquals([256, 300, 512, 1_024].map(heap), [128, 172, 384, 768]);
});

Deno.test("planOf() gives the guide's baseline for a hundred users", () => {
  const plan = planOf(MACHINE, { ...ALL, database: "postgres" });
  assertEquals(plan.shortfalls, []);
  assertEquals(
    values(
      plan.settings,
      "MCP_SESSION_POOL_ENABLED",
      "MCP_SESSION_POOL_MAX_PER_KEY",
      "MCP_SESSION_POOL_TTL",
      "MCP_SESSION_POOL_TRANSPORT_TIMEOUT",
      "DB_POOL_SIZE",
      "DB_MAX_OVERFLOW",
      "DB_POOL_TIMEOUT",
    ),
    {
      MCP_SESSION_POOL_ENABLED: "true",
      MCP_SESSION_POOL_MAX_PER_KEY: "10",
      MCP_SESSION_POOL_TTL: "300",
      MCP_SESSION_POOL_TRANSPORT_TIMEOUT: "30",
      DB_POOL_SIZE: "5",
      DB_MAX_OVERFLOW: "10",
      DB_POOL_TIMEOUT: "30",
    },
  );
});

Deno.test("planOf() gives the guide's values for 1,000 users and more", () => {
  const plan = planOf({ ...MACHINE, users: 1_000 }, ALL);
  assertEquals(
    values(
      plan.settings,
      "MCP_SESSION_POOL_ACQUIRE_TIMEOUT",
      "HTTP_CLIENT_KEEPALIVE_EXPIRY",
      "HTTP_CLIENT_READ_TIMEOUT",
      "HTTP_CLIENT_POOL_TIMEOUT",
      "DB_POOL_TIMEOUT",
      "DB_POOL_RECYCLE",
      "REDIS_SOCKET_TIMEOUT",
      "REDIS_HEALTH_CHECK_INTERVAL",
    ),
    {
      MCP_SESSION_POOL_ACQUIRE_TIMEOUT: "60",
      HTTP_CLIENT_KEEPALIVE_EXPIRY: "30",
      HTTP_CLIENT_READ_TIMEOUT: "120",
      HTTP_CLIENT_POOL_TIMEOUT: "10",
      DB_POOL_TIMEOUT: "60",
      DB_POOL_RECYCLE: "60",
      REDIS_SOCKET_TIMEOUT: "1.0",
      REDIS_HEALTH_CHECK_INTERVAL: "15",
    },
  );
  const perKey = number(plan.settings, "MCP_SESSION_POOL_MAX_PER_KEY");
  assert(perKey >= 50 && perKey <= 200);
  assertEquals(
    values(
      plan.pgbouncer,
      "pool_mode",
      "query_wait_timeout",
      "client_idle_timeout",
      "idle_transaction_timeout",
    ),
    {
      pool_mode: "transaction",
      query_wait_timeout: "60",
      client_idle_timeout: "120",
      idle_transaction_timeout: "60",
    },
  );
});

Deno.test("planOf() serves 3,000 to 6,500 users on two processors, as the guide's complete configuration does on more", () => {
  for (const users of [3_000, 6_500]) {
    const plan = planOf({ ...MACHINE, users }, ALL);
    assertEquals(plan.shortfalls, []);
    assertEquals(
      values(plan.settings, "MCP_SESSION_POOL_MAX_PER_KEY", "HTTP_CLIENT_MAX_KEEPALIVE_CONNECTIONS"),
      {
        MCP_SESSION_POOL_MAX_PER_KEY: users === 3_000 ? "133" : "200",
        HTTP_CLIENT_MAX_KEEPALIVE_CONNECTIONS: users === 3_000 ? "133" : "261",
      },
    );
    assert(number(plan.settings, "HTTP_CLIENT_MAX_CONNECTIONS") >= 200);
    assert(number(plan.settings, "MAX_STREAMS") * plan.demand.workers >= 1.25 * users);
    assertEquals(plan.files, {
      gateway: 65_536,
      postgres: 8_192,
      pgbouncer: 65_536,
      redis: 65_536,
      nginx: Math.max(65_536, 4 * users + 100),
    });
  }
  assertEquals(values(planOf(MACHINE, ALL).sysctl, "net.core.somaxconn", "fs.file-max"), {
    "net.core.somaxconn": "65535",
    "fs.file-max": "2097152",
  });
});

Deno.test("planOf() reaches the guide's pool of PgBouncer for the guide's number of connections", () => {
  // 10 replicas of 16 workers with 30 connections each.
  const plan = planOf({ ...MACHINE, users: 600_000, replicas: 10, vcpu: 16, ramMb: 65_536 }, ALL);
  assertEquals(
    values(plan.pgbouncer, "default_pool_size", "min_pool_size", "reserve_pool_size", "max_db_connections"),
    { default_pool_size: "600", min_pool_size: "100", reserve_pool_size: "150", max_db_connections: "750" },
  );
});

Deno.test("planOf() gives settings that the gateway accepts, and that fit each other and the machine", () => {
  fc.assert(
    fc.property(LOADS, SURROUNDINGS, (load, surroundings) => {
      const plan = planOf(load, surroundings);
      const { config, lines } = loaded(plan);
      assertEquals(
        Object.keys(lines).filter((name) => name !== "REDIS_URL"),
        plan.settings.map(({ name }) => name),
      );
      assert(config.workers >= 1 && config.workers <= Math.max(1, load.vcpu));
      assert(config.workers * config.workerMaxHeapMb <= Math.max(128, 0.75 * load.ramMb));
      assert(2 * config.maxClientMemoryMb <= config.workerMaxHeapMb);
      const backpressure = config.backpressure as number;
      assert(config.maxCallsPerCaller <= backpressure);
      // A call that is admitted has a connection, also if all go to one upstream.
      assert(backpressure <= Math.ceil(0.8 * config.httpClientMaxConnections));
      assert(config.httpClientMaxKeepaliveConnections <= config.httpClientMaxConnections);
      assert(config.toolTimeoutMs > load.latencyMs);
      assert(plan.filesNeeded >= descriptorsNeeded(config) && plan.files.gateway >= plan.filesNeeded);
      assert(number(plan.sysctl, "fs.file-max") >= Math.max(plan.files.gateway, surroundings.fileMax ?? 0));
      assert(number(plan.sysctl, "net.core.somaxconn") >= config.backlog);
    }),
    { numRuns: 300 },
  );
});

Deno.test("planOf() gives servers that take the connections of all workers and replicas", () => {
  fc.assert(
    fc.property(LOADS, SURROUNDINGS, (load, surroundings) => {
      const plan = planOf(load, surroundings);
      const { config } = loaded(plan);
      if (surroundings.database !== "sqlite") {
        const connections = databaseConnections(config, load.replicas);
        const free = number(plan.postgres, "max_connections") -
          number(plan.postgres, "superuser_reserved_connections");
        if (surroundings.database === "postgres") assert(connections < free);
        else {
          const most = number(plan.pgbouncer, "max_db_connections");
          assert(number(plan.pgbouncer, "max_client_conn") >= 2 * connections);
          assert(
            number(plan.pgbouncer, "default_pool_size") + number(plan.pgbouncer, "reserve_pool_size") <= most,
          );
          assert(most < free);
          assert(config.dbPoolRecycleMs < 1000 * number(plan.pgbouncer, "client_idle_timeout"));
          assert(plan.files.pgbouncer > number(plan.pgbouncer, "max_client_conn") + most);
        }
        assert(plan.files.postgres > number(plan.postgres, "max_connections"));
      }
      if (surroundings.redis) {
        assert(number(plan.redis, "maxclients") > redisConnections(config, load.replicas));
        assert(plan.files.redis > number(plan.redis, "maxclients"));
      }
    }),
    { numRuns: 200 },
  );
});

Deno.test("planOf() gives no smaller number for more users", () => {
  const limits = (plan: Plan) => [
    ...[...plan.settings, ...plan.postgres, ...plan.pgbouncer, ...plan.redis, ...plan.sysctl]
      .filter(({ serves, name }) =>
        typeof serves === "object" && "from" in serves || name.includes("pool_size")
      )
      .map(({ name, value }) => [name, parseInt(value)] as const),
    ...Object.entries(plan.files),
  ];
  fc.assert(
    fc.property(LOADS, SURROUNDINGS, fc.integer({ min: 0, max: 100_000 }), (load, surroundings, more) => {
      const before = limits(planOf(load, surroundings));
      const after = new Map(limits(planOf({ ...load, users: load.users + more }, surroundings)));
      assertEquals(before.filter(([name, value]) => after.get(name)! < value), []);
    }),
    { numRuns: 200 },
  );
});

Deno.test("planOf() says where a machine does not suffice, and how many of it would", () => {
  const small = { ...MACHINE, users: 6_500, vcpu: 0.5, ramMb: 512 };
  const { shortfalls } = planOf(small, ALL);
  assertStringIncludes(
    shortfalls[0]!,
    "The processors do not suffice: 2032 calls a second of 323 µs take 132 %",
  );
  assertStringIncludes(shortfalls[1]!, "The memory does not suffice: 6500 users take about");
  // A page shows them, where there are no flags.
  assertEquals(shortfalls.filter((sentence) => sentence.includes("--")), []);
  const replicas = Number(/^(\d+) replicas /.exec(shortfalls[2]!)![1]);
  assertEquals(planOf({ ...small, replicas }, ALL).shortfalls, []);
  assert(planOf({ ...small, replicas: replicas - 1 }, ALL).shortfalls.length > 0);
  const tiny = planOf({ ...small, users: 1, ramMb: 102 }, ALL).shortfalls;
  assertEquals(tiny.at(-1), "No number of replicas of this machine suffices: take a larger one.");
  // One more alone takes no load off: it stands in for one that is away.
  assert(replicas > 3);
});

Deno.test("adviseSettings() has a row for each setting that does not serve the plan, with its reason", () => {
  const plan = planOf({ ...MACHINE, users: 6_500 }, { ...ALL, database: "sqlite", redis: false });
  const config = (environment: Record<string, string>) =>
    loadConfig({ environment, dotEnv: null, dev: false, overrides: {}, cores: 2 }).config;
  const own = Object.fromEntries(plan.settings.map(({ name, value }) => [name, value]));
  assertEquals(adviseSettings(plan.settings, config(own)), []);
  const rows = adviseSettings(
    plan.settings,
    config({
      ...own,
      BACKPRESSURE: "100",
      MAX_STREAMS: "9000",
      TOOL_TIMEOUT: "1.5",
      HTTP_CLIENT_MAX_CONNECTIONS: "400",
      // No limit at all.
      WORKER_MAX_HEAP_MB: "0",
    }),
  );
  assertEquals(rows.map(({ setting, now, advised }) => [setting, now, advised]), [
    ["BACKPRESSURE", "100", "2032"],
    ["WORKER_MAX_HEAP_MB", "0", own.WORKER_MAX_HEAP_MB],
    ["TOOL_TIMEOUT", "1.5", "60"],
  ]);
  assertStringIncludes(rows[0]!.why, "2 x 261 calls at once");
  assertEquals(
    adviseSettings(plan.settings, config({ ...own, BACKPRESSURE: "auto", LOG_LEVEL: "ERROR" })),
    [],
  );
});

Deno.test("planOf() computes the memory that the table of `sluice help sizing` has, within a fifth", async () => {
  const manual = await Deno.readTextFile(new URL("../help/sizing.md", import.meta.url));
  // CPUs × MiB | users held | MB with them
  const rows = [...manual.matchAll(/^\| ([\d.]+) × ([\d,]+) \| ([\d,]+) \| ([\d,]+) \|/gm)].map((row) =>
    row.slice(1).map((text) => Number(text.replace(",", "")))
  );
  assertEquals(rows.length, 12);
  for (const [vcpu, ramMb, users, megabytes] of rows as [number, number, number, number][]) {
    const { memoryMb } = planOf({ ...MACHINE, vcpu, ramMb, users }, ALL).demand;
    const ratio = memoryMb * 2 ** 20 / (megabytes * 1e6);
    assert(ratio > 0.95 && ratio < 1.2, `${vcpu} × ${ramMb}, ${users} users: ${ratio}`);
  }
});
