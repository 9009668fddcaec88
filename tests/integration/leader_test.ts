// Several replicas on one database: what must run once runs in one of them, whoever dies.
import { assertEquals } from "@std/assert";
import { CounterUpstream } from "../support/counter_upstream.ts";
import { metric } from "../support/metric.ts";
import { SERVERS_MISSING } from "../support/cluster_servers.ts";
import { assertWithin } from "../support/pace.ts";
import { sharedServers } from "../support/shared_servers.ts";
import { Sluice } from "../support/sluice.ts";
import { waitFor } from "../support/wait_for.ts";

const TTL_S = 3;
/** From a leader's end until another one's first word in the log. */
const TAKEN_OVER_MS = TTL_S * 1_000 + 5_000;

const SECRETS = {
  JWT_SECRET_KEY: crypto.randomUUID().repeat(2),
  AUTH_ENCRYPTION_SECRET: crypto.randomUUID().repeat(2),
};

function settings(databaseUrl: string): Record<string, string> {
  return {
    DATABASE_URL: databaseUrl,
    ...SECRETS,
    LEADER_LEASE_TTL: String(TTL_S),
    HEALTH_CHECK_INTERVAL: "1",
    UNHEALTHY_THRESHOLD: "2",
    LOG_LEVEL: "INFO",
  };
}

/** Lines of the log, the terms in which it led: each began when the one before had ended. */
const terms = (sluice: Sluice) =>
  sluice.log().filter(({ event }) => event === "lease taken").map(({ term }) => term);

const isLeader = async (sluice: Sluice) => await metric(sluice, "sluice_leader") === 1;

const checked = (sluice: Sluice) => metric(sluice, "sluice_upstream_checks_total");

async function isReachable(sluice: Sluice): Promise<boolean> {
  return (await sluice.api("GET", "/gateways")).body[0].reachable;
}

async function takesOver(replica: Sluice): Promise<void> {
  const from = performance.now();
  await waitFor(() => terms(replica).length === 1, { what: "another leader" });
  await assertWithin(performance.now() - from, TAKEN_OVER_MS, "The change of the leader");
}

/** Two replicas; the leader is killed, then its successor is stopped properly, and a third takes over. */
async function leadersComeAndGo(databaseUrl: string): Promise<void> {
  const counter = CounterUpstream.start();
  const port = Number(new URL(counter.url).port);
  const env = settings(databaseUrl);
  const replicas = await Promise.all([Sluice.start({ env }), Sluice.start({ env })]);
  try {
    await waitFor(async () => await isLeader(replicas[0]) !== await isLeader(replicas[1]), {
      what: "one leader",
    });
    const [leader, other] = await isLeader(replicas[0]) ? replicas : replicas.toReversed();
    await leader.registerUpstream("one", counter.url);
    await waitFor(async () => await checked(leader) >= 3, { what: "checks" });
    assertEquals([await checked(other), terms(other)], [0, []]);

    await leader.kill();
    await takesOver(other);
    assertEquals([terms(leader), terms(other)], [[1], [2]]);
    await counter.stop();
    await waitFor(async () => !await isReachable(other), { what: "its verdict" });

    const third = await Sluice.start({ env });
    replicas.push(third);
    assertEquals(terms(third), []);
    await using _again = CounterUpstream.start({ port });
    await other.stop();
    await takesOver(third);
    await waitFor(() => isReachable(third), { what: "its verdict" });
    assertEquals(terms(third), [3]);
    const ends = other.log().filter(({ event }) => event === "lease ended").map(({ reason }) => reason);
    assertEquals(ends, ["resigned"]);
  } finally {
    for (const replica of replicas) await replica[Symbol.asyncDispose]();
  }
}

Deno.test("Two replicas on one SQLite file: one leads, and whoever is left goes on (timed)", async () => {
  const directory = await Deno.makeTempDir({ prefix: "sluice_test_" });
  try {
    await leadersComeAndGo(`sqlite:///${directory}/mcp.db`);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});

Deno.test({
  name: "Two replicas on PostgreSQL through PgBouncer: one leads, and whoever is left goes on (timed)",
  ignore: SERVERS_MISSING,
  fn: async () => {
    const { postgres, pgbouncer } = await sharedServers();
    const name = await postgres.takeDatabase(pgbouncer.port);
    await leadersComeAndGo(postgres.url(name, { port: pgbouncer.port }));
  },
});

Deno.test("A leader that stood still for longer than its lease finds another in its place, and gives way (timed)", async () => {
  const directory = await Deno.makeTempDir({ prefix: "sluice_test_" });
  const env = settings(`sqlite:///${directory}/mcp.db`);
  const leader = await Sluice.start({ env });
  await waitFor(() => terms(leader).length === 1, { what: "a leader" });
  const other = await Sluice.start({ env });
  try {
    assertEquals([terms(leader), terms(other)], [[1], []]);
    Deno.kill(leader.pid, "SIGSTOP");
    try {
      await takesOver(other);
    } finally {
      Deno.kill(leader.pid, "SIGCONT");
    }
    await waitFor(() => leader.log().some(({ event }) => event === "lease ended"), {
      what: "it to give way",
    });
    assertEquals([await isLeader(leader), await isLeader(other)], [false, true]);
    assertEquals([terms(leader), terms(other)], [[1], [2]]);
  } finally {
    for (const replica of [leader, other]) await replica[Symbol.asyncDispose]();
    await Deno.remove(directory, { recursive: true });
  }
});

Deno.test("A leader whose worker is recycled goes on in the successor, with settings that were reloaded", async () => {
  const counter = CounterUpstream.start();
  await using sluice = await Sluice.start({ env: { LEADER_LEASE_TTL: String(TTL_S), LOG_LEVEL: "INFO" } });
  await sluice.registerUpstream("one", counter.url);
  await waitFor(() => terms(sluice).length === 1, { what: "a leader" });
  await counter.stop();
  await Deno.writeTextFile(`${sluice.cwd}/.env`, "HEALTH_CHECK_INTERVAL=1\nUNHEALTHY_THRESHOLD=1\n");
  Deno.kill(sluice.pid, "SIGHUP");
  await waitFor(() => terms(sluice).length === 2, { what: "the successor to lead" });
  // With the settings that it began with, that would take two minutes.
  await waitFor(async () => !await isReachable(sluice), { what: "its verdict" });
  assertEquals(terms(sluice), [1, 2]);
});
