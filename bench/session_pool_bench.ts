// The session pool's share of a warm call: who calls, which key, lease and release.
import { CircuitBreakers } from "../src/upstream/resilience/circuit_breaker.ts";
import { systemClock } from "../src/base/clock.ts";
import { IdentityHasher, poolKey } from "../src/upstream/pool/session_key.ts";
import { SessionPool } from "../src/upstream/pool/session_pool.ts";

const token = {
  issuer: "https://issuer.example",
  subject: "4a7c1f0e-user@example.com",
  reach: "",
  user: "u@x.example",
};
const received = new Headers({
  authorization: "Bearer " + "x".repeat(400),
  "x-tenant-id": "tenant-17",
  "x-user-id": "user-4711",
  cookie: "theme=dark; session=" + "y".repeat(200),
});
const passed = [["x-tenant-id", "tenant-17"]] as const;
const options = {
  key: new Uint8Array(32).fill(7),
  identityHeaders: ["Authorization", "X-Tenant-ID", "X-User-ID", "X-API-Key", "Cookie"],
  loginCookie: "jwt_token",
};
const hasher = new IdentityHasher(options);
const uncached = new IdentityHasher({ ...options, maxCachedChars: 0 });
const session = {
  closed: false,
  close: () => Promise.resolve(),
  checkHealth: () => Promise.resolve("healthy" as const),
};
const create = () => Promise.resolve(session);
const pool = new SessionPool<typeof session>({
  maxPerKey: 10,
  ttlMs: 3_600_000,
  healthCheckIntervalMs: 3_600_000,
  healthCheckMethods: ["ping", "skip"],
  healthCheckTimeoutMs: 5_000,
  acquireTimeoutMs: 30_000,
  createTimeoutMs: 30_000,
  idleEvictionMs: 3_600_000,
  circuitBreakerThreshold: 5,
  circuitBreakerResetMs: 60_000,
  maxTotalKeys: 0,
  maxTotalSessions: 0,
  clock: systemClock,
  breakers: new CircuitBreakers(() => ({ threshold: 5, resetMs: 60_000 }), systemClock),
  isBreakerFailure: () => true,
  unrefTimer: Deno.unrefTimer,
});
const fields = {
  url: "http://upstream.example:9000/mcp",
  identity: hasher.identify({ token, received, passed }),
  transport: "STREAMABLEHTTP",
  upstreamId: "b1946ac92492d2347c6235b4d2611184",
  upstream: "time",
};
const key = poolKey(fields);
const others = Array.from({ length: 10_000 }, (_, i) => poolKey({ ...fields, upstreamId: `other-${i}` }));
for (const other of others) (await pool.lease(other, create)).release();
(await pool.lease(key, create)).release();
let next = 0;

Deno.bench({ name: "identity, caller seen before", group: "key", baseline: true }, () => {
  hasher.identify({ token, received, passed });
});
Deno.bench({ name: "identity, new caller (HMAC)", group: "key" }, () => {
  uncached.identify({ token, received, passed });
});

Deno.bench({ name: "tryLease, release", group: "lease", baseline: true }, () => {
  pool.tryLease(key)!.release();
});
Deno.bench({ name: "tryLease, release; key made anew", group: "lease" }, () => {
  pool.tryLease(poolKey(fields))!.release();
});
Deno.bench({ name: "tryLease, release; 10,000 keys in turn", group: "lease" }, () => {
  pool.tryLease(others[next++ % others.length])!.release();
});
Deno.bench({ name: "await lease, release", group: "lease" }, async () => {
  (await pool.lease(key, create)).release();
});
Deno.bench({ name: "1,000 callers on 10 sessions, each", group: "hand-off", n: 30 }, async () => {
  await Promise.all(Array.from({ length: 1_000 }, async () => {
    const lease = await pool.lease(key, create);
    await undefined;
    lease.release();
  }));
});
