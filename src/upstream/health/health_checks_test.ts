import { assert, assertEquals } from "@std/assert";
import { SluiceError } from "../../base/errors.ts";
import { newRow } from "../../store/registry/entities.ts";
import type { GatewayHealth } from "../../store/registry/gateway_rows.ts";
import type { GatewayRow } from "../../store/registry/rows.ts";
import { createLog } from "../../telemetry/log.ts";
import { FakeClock, settled } from "../../../tests/support/fake_clock.ts";
import { MemorySink } from "../../../tests/support/fakes.ts";
import { newGateway } from "../../../tests/support/registry_rows.ts";
import { type HealthCheckDeps, HealthChecks } from "./health_checks.ts";

const INTERVAL_MS = 60_000;
const TIMEOUT_MS = 5_000;

const refused = () => new SluiceError("UPSTREAM_CONNECT_FAILED", { upstream: "x", reason: "refused" });
const unauthorized = (status: number) =>
  new SluiceError("UPSTREAM_AUTH_FAILED", { upstream: "x", status, hint: "" });

/** The reaction of an upstream to a check: none (healthy), a failure, or no answer until the check is aborted. */
type Behaviour = "well" | "hangs" | (() => Error);

/** @param checkedAgo time since a gateway's last check, ms; absent: never checked */
function fixture(
  names: readonly string[],
  more: Partial<HealthCheckDeps> = {},
  checkedAgo: Readonly<Record<string, number>> = {},
) {
  const clock = new FakeClock();
  const sink = new MemorySink();
  const rows = new Map<string, GatewayRow>();
  const behaviour = new Map<string, Behaviour>();
  for (const name of names) {
    const ago = checkedAgo[name];
    const lastCheckedAt = ago === undefined ? null : new Date(clock.now() - ago).toISOString();
    const gateway = newGateway({ name, id: name, reachable: true, enabled: name !== "off", lastCheckedAt });
    rows.set(name, newRow<GatewayRow>(gateway, new Date(0)));
    behaviour.set(name, "well");
  }
  const checked: { name: string; at: number }[] = [];
  const saved: ({ id: string } & GatewayHealth)[] = [];
  const turns: string[] = [];
  const counts: Record<string, number> = {};
  const ending = new AbortController();
  const begunAt = clock.now();
  let atOnce = 0;
  const most = { atOnce: 0 };
  const checks = new HealthChecks({
    clock,
    log: createLog({ level: "DEBUG", format: "json", sink }),
    intervalMs: INTERVAL_MS,
    timeoutMs: TIMEOUT_MS,
    unhealthyThreshold: 3,
    maxAtOnce: 10,
    gateways: () => Promise.resolve([...rows.values()]),
    probe: async (row, signal) => {
      checked.push({ name: row.id, at: clock.now() - begunAt });
      most.atOnce = Math.max(most.atOnce, ++atOnce);
      try {
        const does = behaviour.get(row.id)!;
        if (does === "well") return;
        if (does !== "hangs") throw does();
        await new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
      } finally {
        atOnce--;
      }
    },
    save: (row, health) => {
      const now = rows.get(row.id);
      if (now === undefined || now.version !== row.version) return Promise.resolve(false);
      saved.push({ id: row.id, ...health });
      rows.set(row.id, { ...now, ...health });
      return Promise.resolve(true);
    },
    onTurn: (row, turn) => void turns.push(`${row.id} ${turn}`),
    count: (result) => counts[result] = (counts[result] ?? 0) + 1,
    ...more,
  });
  const running = checks.run(ending.signal);
  const stop = async () => {
    ending.abort();
    await running;
  };
  return { clock, sink, rows, behaviour, checked, saved, turns, counts, most, stop };
}

Deno.test("HealthChecks: every gateway that is switched on, at once and then each interval", async () => {
  const { clock, checked, saved, counts, stop } = fixture(["a", "b", "off"]);
  await clock.tick(0);
  await clock.tick(INTERVAL_MS - 1);
  assertEquals(checked.map(({ name, at }) => `${name} ${at}`), ["a 0", "b 0"]);
  await clock.tick(1);
  assertEquals(checked.map(({ name, at }) => `${name} ${at}`).slice(2), ["a 60000", "b 60000"]);
  assertEquals([counts, saved.length], [{ healthy: 4 }, 4]);
  assertEquals(saved[3], {
    id: "b",
    reachable: true,
    lastSeen: new Date(clock.now()).toISOString(),
    lastCheckedAt: new Date(clock.now()).toISOString(),
    failedChecks: 0,
    lastError: null,
  });
  await stop();
  assertEquals(clock.timers, 0);
});

Deno.test("HealthChecks.run(): who takes over does not ask at once who has just been checked", async () => {
  const ago = { fresh: INTERVAL_MS - 1, old: INTERVAL_MS };
  const { clock, checked, stop } = fixture(["fresh", "old"], {}, ago);
  await clock.tick(0);
  assertEquals(checked.map(({ name }) => name), ["old"]);
  await clock.tick(INTERVAL_MS);
  assertEquals(checked.map(({ name }) => name), ["old", "fresh", "old"]);
  await stop();
});

Deno.test("HealthChecks: unreachable after UNHEALTHY_THRESHOLD failures in a row, reachable with the first success", async () => {
  const { clock, rows, behaviour, saved, turns, stop } = fixture(["a"]);
  behaviour.set("a", refused);
  await clock.tick(INTERVAL_MS);
  assertEquals(saved.map(({ reachable, failedChecks }) => [reachable, failedChecks]), [[true, 1], [true, 2]]);
  behaviour.set("a", "well");
  await clock.tick(INTERVAL_MS);
  behaviour.set("a", refused);
  await clock.tick(2 * INTERVAL_MS);
  assertEquals([rows.get("a")!.reachable, turns], [true, []]); // 2, then 1 success, then 2
  await clock.tick(INTERVAL_MS);
  const { reachable, lastError } = rows.get("a")!;
  assertEquals([reachable, lastError, turns], [
    false,
    'Cannot connect to upstream "x": refused',
    ["a gone"],
  ]);
  await clock.tick(5 * INTERVAL_MS);
  assertEquals([rows.get("a")!.reachable, rows.get("a")!.failedChecks], [false, 8]);
  behaviour.set("a", "well");
  await clock.tick(INTERVAL_MS);
  assertEquals([rows.get("a")!.reachable, rows.get("a")!.lastError], [true, null]);
  assertEquals([rows.get("a")!.failedChecks, turns], [0, ["a gone", "a back"]]);
  await stop();
});

Deno.test("HealthChecks: who takes over counts on from where the other was", async () => {
  const { clock, rows, behaviour, stop } = fixture(["a"], {}, { a: 0 });
  behaviour.set("a", refused);
  rows.set("a", { ...rows.get("a")!, failedChecks: 1 });
  await clock.tick(INTERVAL_MS);
  assertEquals(rows.get("a")!.reachable, true);
  await clock.tick(INTERVAL_MS);
  assertEquals([rows.get("a")!.reachable, rows.get("a")!.failedChecks], [false, 3]);
  await stop();
});

for (const status of [401, 403]) {
  Deno.test(`HealthChecks: ${status} never makes a gateway unreachable, and brings one back`, async () => {
    const { clock, rows, behaviour, turns, counts, stop } = fixture(["a", "b"]);
    behaviour.set("a", () => unauthorized(status));
    behaviour.set("b", refused);
    await clock.tick(2 * INTERVAL_MS);
    assertEquals([rows.get("a")!.reachable, rows.get("b")!.reachable], [true, false]);
    assertEquals(rows.get("a")!.lastError, `Upstream "x" refused our credentials (HTTP ${status})`);
    assertEquals(rows.get("a")!.lastSeen, new Date(clock.now()).toISOString());
    behaviour.set("b", () => unauthorized(status));
    await clock.tick(INTERVAL_MS);
    assertEquals([rows.get("b")!.reachable, turns], [true, ["b gone", "b refusing"]]);
    assertEquals([counts.refused, counts.failed], [5, 3]);
    await stop();
  });
}

Deno.test("HealthChecks: with UNHEALTHY_THRESHOLD=-1 nothing is ever unreachable", async () => {
  const { clock, rows, behaviour, counts, stop } = fixture(["a"], { unhealthyThreshold: -1 });
  behaviour.set("a", refused);
  await clock.tick(20 * INTERVAL_MS);
  assertEquals([rows.get("a")!.reachable, counts], [true, { failed: 21 }]);
  await stop();
});

Deno.test("HealthChecks: a failure of our own says nothing about the upstream; a denied address does", async () => {
  const { clock, rows, behaviour, counts, sink, stop } = fixture(["secret", "pool", "denied"]);
  behaviour.set("secret", () => new SluiceError("SECRET_UNREADABLE", { owner: "gateway:1" }));
  behaviour.set("pool", () => new SluiceError("HTTP_POOL_TIMEOUT", { timeoutMs: 1 }));
  behaviour.set("denied", () => new SluiceError("EGRESS_DENIED", { reason: "denied" }));
  await clock.tick(4 * INTERVAL_MS);
  assertEquals([...rows.values()].map(({ id, reachable }) => `${id} ${reachable}`), [
    "secret true",
    "pool true",
    "denied false",
  ]);
  assertEquals(counts, { not_checked: 10, failed: 5 });
  assert(sink.lines.some((line) => line.includes("upstream not checked") && line.includes("secret")));
  await stop();
});

Deno.test("HealthChecks: a login that is missing or fails is shown once, and says nothing about the upstream", async () => {
  const { clock, rows, behaviour, saved, counts, stop } = fixture(["nobody", "server"]);
  const needed = { upstream: "nobody", reason: " (nobody is connected)", link: "/admin/connections/1" };
  behaviour.set("nobody", () => new SluiceError("UPSTREAM_LOGIN_NEEDED", needed));
  behaviour.set(
    "server",
    () => new SluiceError("UPSTREAM_LOGIN_FAILED", { upstream: "server", reason: "down" }),
  );
  await clock.tick(4 * INTERVAL_MS);
  assertEquals([...rows.values()].map(({ reachable, lastSeen }) => [reachable, lastSeen]), [[true, null], [
    true,
    null,
  ]]);
  assertEquals(saved.map(({ lastError }) => lastError), [
    'Upstream "nobody" needs a login of yours (nobody is connected). Open /admin/connections/1 in a browser and connect, then call again',
    'Cannot log in to upstream "server": down',
  ]);
  assertEquals(counts, { not_checked: 10 });
  behaviour.set("nobody", "well");
  await clock.tick(INTERVAL_MS);
  assertEquals(rows.get("nobody")!.lastError, null);
  await stop();
});

Deno.test("HealthChecks: one that hangs ends with GATEWAY_HEALTH_CHECK_TIMEOUT and delays nobody", async () => {
  const names = ["hangs", ...Array.from({ length: 30 }, (_, i) => `well ${i}`)];
  const { clock, rows, behaviour, checked, stop } = fixture(names, { maxAtOnce: 3 });
  behaviour.set("hangs", "hangs");
  await clock.tick(0);
  assertEquals(checked.length, 31);
  await clock.tick(3 * INTERVAL_MS);
  assertEquals(rows.get("hangs")!.reachable, false);
  assertEquals(
    rows.get("hangs")!.lastError,
    'Upstream "hangs" did not pass its health check within 5000 ms (GATEWAY_HEALTH_CHECK_TIMEOUT)',
  );
  await stop();
});

Deno.test("HealthChecks: as many as hang may fill every place, but come after the others", async () => {
  const names = ["h1", "h2", "h3", "well"];
  const { clock, behaviour, checked, most, stop } = fixture(names, { maxAtOnce: 2 });
  for (const name of names.slice(0, 3)) behaviour.set(name, "hangs");
  await clock.tick(INTERVAL_MS - 1);
  assertEquals(checked.map(({ name, at }) => `${name} ${at}`), ["h1 0", "h2 0", "h3 5000", "well 5000"]);
  await clock.tick(1);
  assertEquals([checked[4], most.atOnce], [{ name: "well", at: INTERVAL_MS }, 2]);
  await stop();
});

Deno.test("HealthChecks: what is found of a gateway that was changed meanwhile is no verdict", async () => {
  const { clock, rows, behaviour, turns, stop } = fixture(["a"], { unhealthyThreshold: 1 });
  behaviour.set("a", "hangs");
  await clock.tick(100);
  rows.set("a", { ...rows.get("a")!, version: 2 });
  await clock.tick(TIMEOUT_MS);
  assertEquals([rows.get("a")!.reachable, turns], [true, []]);
  await stop();
});

Deno.test("HealthChecks: a database that fails costs a round, not the loop", async () => {
  let isGone = true;
  const { clock, sink, counts, stop } = fixture(["a"], {
    gateways: () => isGone ? Promise.reject(new SluiceError("STORE_UNAVAILABLE")) : Promise.resolve([]),
    save: () => Promise.reject(new SluiceError("STORE_UNAVAILABLE")),
  });
  await clock.tick(INTERVAL_MS);
  assertEquals(counts, {});
  assert(sink.lines.some((line) => line.includes("The database is unavailable")));
  isGone = false;
  const before = sink.lines.length;
  await clock.tick(INTERVAL_MS);
  assertEquals(sink.lines.length, before);
  await stop();
});

Deno.test("HealthChecks.run(): the signal ends checks under way, and their outcome is not kept", async () => {
  const { clock, behaviour, saved, counts, stop } = fixture(["a", "b"], { maxAtOnce: 1 });
  behaviour.set("a", "hangs");
  await clock.tick(100);
  await stop();
  await settled();
  assertEquals([saved, counts, clock.timers], [[], {}, 0]);
});
