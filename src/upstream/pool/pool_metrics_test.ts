import { assert, assertEquals } from "@std/assert";
import { mergeSnapshots, poolMetricsJson, type PoolSnapshot, showUrl } from "./pool_metrics.ts";
import { settled } from "../../../tests/support/fake_clock.ts";
import { fixture, keyOf, unreachable } from "../../../tests/support/pool_fixture.ts";

const SECRET_URL = "http://user:secret@u.example:8080/mcp?token=secret#secret";

/** One worker's pool after one lease held, one repeated, one waiting, and a failure. */
async function worker(): Promise<PoolSnapshot> {
  const { pool, upstream, lease } = fixture({ maxPerKey: 1, circuitBreakerThreshold: 1 });
  const key = keyOf("alice-0123456789", { url: SECRET_URL });
  (await lease(key)).release();
  await lease(key);
  lease(key).catch(() => {});
  await lease(keyOf());
  upstream.error = unreachable();
  await lease(keyOf("bob", { url: "https://down.example/mcp?key=secret", upstreamId: "u2" })).catch(() => {});
  await settled();
  return pool.snapshot();
}

Deno.test("SessionPool.snapshot() counts what happened and reads what is", async () => {
  const { pools, circuit_breakers, ...numbers } = await worker();
  assertEquals(numbers, {
    total_sessions_created: 2,
    total_sessions_reused: 1,
    pool_hits: 1,
    pool_misses: 4,
    active_sessions: 2,
    idle_sessions: 0,
    validating: 0,
    creating: 0,
    waiting: 1,
    pool_key_count: 2,
    evictions: 0,
    health_check_failures: 0,
    creation_failures: 1,
    circuit_breaker_trips: 1,
    pool_keys_evicted: 0,
    sessions_reaped: 0,
    anonymous_identity_count: 1,
    acquire_timeouts: 0,
    max_total_keys: 0,
    max_total_sessions: 0,
    pools_omitted: 0,
  });
  assertEquals(pools[0], {
    upstream: "u",
    upstream_id: "u1",
    url: "http://u.example:8080/mcp",
    identity: "alice-01",
    transport: "STREAMABLEHTTP",
    available: 0,
    active: 1,
    waiting: 1,
    max: 1,
  });
  assertEquals(circuit_breakers.map(({ url, state }) => [url, state]), [
    ["http://u.example:8080/mcp", "closed"],
    ["http://u.example/mcp", "closed"],
    ["https://down.example/mcp", "open"],
  ]);
});

Deno.test("SessionPool.snapshot() is plain data without secrets", async () => {
  const snapshot = await worker();
  assertEquals(structuredClone(snapshot), snapshot);
  const text = JSON.stringify([snapshot, poolMetricsJson(snapshot)]);
  assert(!text.includes("secret"), text);
  assert(!text.includes("alice-0123456789"), "the identity is cut");
});

Deno.test("SessionPool.snapshot() lists a thousand keys, and counts all", async () => {
  const { pool, lease } = fixture();
  for (let i = 0; i < 1_003; i++) await lease(keyOf(`user-${i}`));
  const { pools, pools_omitted, pool_key_count, active_sessions } = pool.snapshot();
  assertEquals([pools.length, pools_omitted, pool_key_count, active_sessions], [1_000, 3, 1_003, 1_003]);
});

Deno.test("mergeSnapshots() adds up workers, and the worst breaker wins", async () => {
  const one = await worker();
  const breaker = one.circuit_breakers[2];
  const other: PoolSnapshot = {
    ...one,
    pools: [{ ...one.pools[0], waiting: 5 }, { ...one.pools[0], identity: "other" }],
    circuit_breakers: [{ ...breaker, state: "half_open", failures: 7, open_until: null }],
  };
  const merged = mergeSnapshots([one, other]);
  for (const [name, value] of Object.entries(one)) {
    if (typeof value === "number") assertEquals(merged[name as "waiting"], value * 2, name);
  }
  assertEquals(merged.pools.map(({ identity, active, waiting, max }) => [identity, active, waiting, max]), [
    ["alice-01", 2, 6, 2],
    ["anonymous", 1, 0, 1],
    ["other", 1, 1, 1],
  ]);
  assertEquals(merged.circuit_breakers[2], { ...breaker, failures: 7 });
  assertEquals(mergeSnapshots([other, one]).circuit_breakers[0], { ...breaker, failures: 7 });
});

Deno.test("mergeSnapshots() of one changes nothing, of none is all zeros", async () => {
  const one = await worker();
  assertEquals(mergeSnapshots([one]), one);
  const { pools, circuit_breakers, ...numbers } = mergeSnapshots([]);
  assertEquals([pools, circuit_breakers, Object.values(numbers).every((value) => value === 0)], [
    [],
    [],
    true,
  ]);
});

Deno.test("poolMetricsJson() has ContextForge's names and those of its tuning guide", async () => {
  const json = poolMetricsJson(await worker());
  const tuningGuide = [
    "total_sessions_created",
    "total_sessions_reused",
    "pool_hits",
    "pool_misses",
    "active_sessions",
    "circuit_breaker_states",
  ];
  const contextForge = [
    "enabled",
    "hits",
    "misses",
    "evictions",
    "health_check_failures",
    "circuit_breaker_trips",
    "pool_keys_evicted",
    "sessions_reaped",
    "anonymous_identity_count",
    "hit_rate",
    "pool_key_count",
    "total_active_sessions",
    "max_total_keys",
    "max_total_sessions",
    "session_affinity",
    "pools",
    "circuit_breakers",
  ];
  for (const name of [...tuningGuide, ...contextForge]) assert(name in json, name);
  assertEquals([json.enabled, json.hits, json.misses, json.hit_rate, json.total_active_sessions], [
    true,
    1,
    4,
    0.2,
    2,
  ]);
  assertEquals(json.circuit_breaker_states, {
    "http://u.example:8080/mcp": "closed",
    "http://u.example/mcp": "closed",
    "https://down.example/mcp": "open",
  });
  assertEquals(
    (json.pools as Record<string, unknown>)["http://u.example:8080/mcp|alice-01|STREAMABLEHTTP|u1"],
    {
      upstream: "u",
      available: 0,
      active: 1,
      waiting: 1,
      max: 1,
    },
  );
});

Deno.test("poolMetricsJson() says so when the pool is disabled, and divides by nothing", () => {
  assertEquals(poolMetricsJson(null), { enabled: false, message: "MCP session pool is disabled" });
  assertEquals(poolMetricsJson(mergeSnapshots([])).hit_rate, 0);
});

Deno.test("showUrl() keeps what names the upstream, and nothing that may be secret", () => {
  assertEquals(showUrl(SECRET_URL), "http://u.example:8080/mcp");
  assertEquals(showUrl("wss://user:secret@u.example/mcp?token=secret"), "wss://u.example/mcp");
  assertEquals(showUrl("stdio:npx?arg=--token&arg=secret#name"), "stdio:npx#name");
  assertEquals(showUrl("other:secret"), "other:");
  assertEquals(showUrl("secret"), "(not a URL)");
});
