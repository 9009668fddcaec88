// Upstreams that stop, come back, refuse or hang, as the health checks of a running gateway see them.
import { DatabaseSync } from "node:sqlite";
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { ChaosUpstream } from "../support/chaos_upstream.ts";
import { CounterUpstream } from "../support/counter_upstream.ts";
import type { Gateway } from "../support/gateway.ts";
import { gatewayTest } from "../support/gateway_tests.ts";
import { GrowingUpstream } from "../support/growing_upstream.ts";
import { metric } from "../support/metric.ts";
import { assertWithin } from "../support/pace.ts";
import { Sluice } from "../support/sluice.ts";
import { StallingRelay } from "../support/stalling_relay.ts";
import { waitFor } from "../support/wait_for.ts";

const EAGER = { HEALTH_CHECK_INTERVAL: "1", UNHEALTHY_THRESHOLD: "2", LEADER_LEASE_TTL: "3" };
const UNAVAILABLE = "sluice/unavailableUpstreams";

// deno-lint-ignore no-explicit-any -- as the API shows it
async function gateway(sluice: Gateway, name: string): Promise<any> {
  const { body } = await sluice.api("GET", "/gateways?include_inactive=true");
  return body.find((each: { name: string }) => each.name === name);
}

const checks = (sluice: Gateway, result: string) =>
  metric(sluice, "sluice_upstream_checks_total", `"${result}"`);

/** Every replica counts them for itself. */
async function unreachableEverywhere(sluice: Gateway, count: number): Promise<void> {
  for (const replica of sluice.processes) {
    await waitFor(async () => await metric(replica, "sluice_upstreams_unreachable") === count, {
      what: `${count} to be shown as unreachable`,
    });
  }
}

async function listed(sluice: Gateway): Promise<{ tools: string[]; missing: unknown }> {
  const { body: { result } } = await sluice.rpc("tools/list");
  return {
    tools: result.tools.map(({ name }: { name: string }) => name),
    missing: result._meta?.[UNAVAILABLE],
  };
}

gatewayTest("An upstream that stops is shown so everywhere, and found again as it is then", async (start) => {
  const counter = CounterUpstream.start();
  const port = Number(new URL(counter.url).port);
  await using sluice = await start(EAGER);
  await sluice.registerUpstream("one", counter.url);
  const before = await gateway(sluice, "one");
  const { body: { version } } = await sluice.api("GET", `/gateways/${before.id}`);
  await waitFor(async () => (await gateway(sluice, "one")).lastSeen > before.lastSeen, {
    what: "a check",
  });
  await waitFor(() => counter.liveSessions === 0 && counter.seen.deleted > 0, {
    what: "the check's session to be ended",
  });
  assertEquals((await gateway(sluice, "one")).version, version);
  const { tools } = await listed(sluice);

  await counter.stop();
  await waitFor(async () => !(await gateway(sluice, "one")).reachable, {
    what: "unreachable",
  });
  assertStringIncludes((await gateway(sluice, "one")).lastError, 'Cannot connect to upstream "one"');
  // So many at once need connections of their own: both workers are asked.
  await waitFor(async () => {
    const answers = await Promise.all(Array.from({ length: 20 }, () => listed(sluice)));
    return answers.every(({ missing }) => Array.isArray(missing) && missing[0] === "one");
  }, { what: "every worker to say who is missing" });
  assertEquals((await listed(sluice)).tools, tools);
  await unreachableEverywhere(sluice, 1);
  const up = () => metric(sluice, 'sluice_upstream_up{upstream="one"}');
  assertEquals(await up(), 0);

  await using other = ChaosUpstream.start({ port });
  await waitFor(async () => (await gateway(sluice, "one")).reachable, { what: "reachable" });
  const now = await waitFor(async () => {
    const { tools, missing } = await listed(sluice);
    return missing === undefined && tools.includes("one-hang") ? tools : null;
  }, { what: "the new tools" });
  assert(!now.includes("one-increment"), now.join());
  assertEquals((await gateway(sluice, "one")).lastError, null);
  await unreachableEverywhere(sluice, 0);
  assertEquals(await up(), sluice.processes.length);
  assertEquals(await metric(sluice, "sluice_upstream_refreshes_total", '"changed"'), 1);
  assertEquals(other.liveSessions, 0);
});

gatewayTest("An upstream that refuses our credentials stays reachable, and says why", async (start) => {
  await using counter = CounterUpstream.start();
  await using sluice = await start(EAGER);
  await sluice.registerUpstream("private", counter.url);
  counter.requireBearer("of each user's own");
  await waitFor(async () => await checks(sluice, "refused") >= 4, { what: "four refusals" });
  const { reachable, lastError } = await gateway(sluice, "private");
  assertEquals(reachable, true);
  assertStringIncludes(
    lastError,
    'Upstream "private" refused our credentials (HTTP 401); it answered: HTTP 401',
  );
  assertEquals([(await listed(sluice)).missing, await checks(sluice, "failed")], [undefined, 0]);
  counter.requireBearer(null);
  await waitFor(async () => (await gateway(sluice, "private")).lastError === null, { what: "it to heal" });
});

gatewayTest(
  "One upstream that hangs keeps neither others' checks nor calls waiting (timed)",
  async (start) => {
    await using hanging = CounterUpstream.start();
    await using relay = new StallingRelay(Number(new URL(hanging.url).port));
    const well = Array.from({ length: 5 }, () => ChaosUpstream.start());
    try {
      await using sluice = await start({
        ...EAGER,
        GATEWAY_HEALTH_CHECK_TIMEOUT: "2",
        MAX_CONCURRENT_HEALTH_CHECKS: "2",
      });
      await sluice.registerUpstream("hangs", `http://127.0.0.1:${relay.port}/mcp`);
      for (const [i, { url }] of well.entries()) await sluice.registerUpstream(`well ${i}`, url);
      relay.stall({ later: false });
      const failed = await checks(sluice, "failed");
      const before = await checks(sluice, "healthy");
      await waitFor(async () => !(await gateway(sluice, "hangs")).reachable, {
        what: "it to be found",
      });
      assertStringIncludes((await gateway(sluice, "hangs")).lastError, "(GATEWAY_HEALTH_CHECK_TIMEOUT)");
      await waitFor(async () => await checks(sluice, "failed") >= failed + 2, { what: "two failed checks" });
      // The second failure took a whole round, in which all others were checked.
      assert(await checks(sluice, "healthy") - before >= 5);
      const rows = (await sluice.api("GET", "/gateways")).body as { name: string; reachable: boolean }[];
      assertEquals(rows.filter(({ reachable }) => !reachable).map(({ name }) => name), ["hangs"]);
      const startedAt = performance.now();
      const { tools, missing } = await listed(sluice);
      await assertWithin(performance.now() - startedAt, 1_000, "tools/list");
      assertEquals([tools.includes("hangs-increment"), missing], [true, ["hangs"]]);
      const { body } = await sluice.rpc("tools/call", { name: "well-3-json", arguments: {} });
      assertEquals(body.result.content[0].text, "done");
    } finally {
      for (const upstream of well) await upstream.stop();
    }
  },
);

gatewayTest("Operators who refresh one upstream at once share a few refreshes", async (start) => {
  await using chaos = ChaosUpstream.start();
  await using sluice = await start({ WORKERS: "1" });
  const { id } = await sluice.registerUpstream("one", chaos.url);
  const answers = await Promise.all(
    Array.from(
      { length: 20 * sluice.workers },
      () => sluice.api("POST", `/gateways/${id}/tools/refresh`),
    ),
  );
  assertEquals(
    new Set(answers.map(({ status, body }) => `${status} ${body.success}`)),
    new Set(["200 true"]),
  );
  assert(await metric(sluice, "sluice_upstream_refreshes_total", "unchanged") < 10 * sluice.workers);
});

Deno.test("AUTO_REFRESH_SERVERS asks an upstream again when its interval is over", async () => {
  await using chaos = ChaosUpstream.start();
  await using sluice = await Sluice.start({
    env: { AUTO_REFRESH_SERVERS: "true", DATABASE_URL: "sqlite:///refresh.db", WORKERS: "1" },
  });
  await sluice.registerUpstream("one", chaos.url);
  const { lastRefreshAt } = await gateway(sluice, "one");
  // An interval is a minute at least; this one began long ago.
  const database = new DatabaseSync(`${sluice.cwd}/refresh.db`);
  database.prepare("UPDATE gateways SET last_refresh_at = ?").run("2026-01-01T00:00:00.000Z");
  database.close();
  await waitFor(async () => (await gateway(sluice, "one")).lastRefreshAt > lastRefreshAt, {
    what: "a refresh",
  });
  // The row is written before the refresh is counted.
  await waitFor(async () => await metric(sluice, "sluice_upstream_refreshes_total", "unchanged") === 1, {
    what: "one refresh to be counted",
  });
});

gatewayTest("list_changed is followed at once everywhere, a burst of it by few refreshes", async (start) => {
  await using upstream = GrowingUpstream.start();
  await using sluice = await start();
  await sluice.registerUpstream("one", upstream.url);
  const listedBefore = upstream.listed;
  const grow = (by: number, words: number) =>
    sluice.rpc("tools/call", { name: "one-grow", arguments: { by, words } });
  assertEquals((await grow(3, 1)).body.result, { content: [] });
  const everywhere = async (amount: number) => {
    const answers = await Promise.all(Array.from({ length: 10 }, () => listed(sluice)));
    return answers.every(({ tools }) => tools.length === amount);
  };
  await waitFor(() => everywhere(4), { what: "the new tools" });
  assertEquals(upstream.listed - listedBefore, 1);
  await grow(10, 200);
  await waitFor(() => everywhere(14), { what: "the newer tools" });
  // One if the first word came within the pause after the refresh before, else two.
  assert(upstream.listed - listedBefore <= 3, `listed ${upstream.listed - listedBefore} times`);
});
