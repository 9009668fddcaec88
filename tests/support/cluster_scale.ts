// A cluster with as many tools and virtual servers as are asked for, and what its database is asked meanwhile.
import { Cluster } from "./cluster.ts";
import { startManyUpstreams } from "./many_upstreams.ts";
import { post, toolCall } from "./mcp_post.ts";
import { waitFor } from "./wait_for.ts";

export interface ScaledCluster extends AsyncDisposable {
  readonly cluster: Cluster;
  /** Of all registrations, ms. */
  readonly registrationMs: number;
  /** Of all virtual servers, ms. */
  readonly serversMs: number;
  /** The tools' names as clients call them; the first virtual server has the first ten. */
  readonly toolNames: readonly string[];
  readonly serverIds: readonly string[];
  /** Statements that the gateway's database has executed so far, without those of ASKED_WITHOUT_CALLS. */
  statements(): Promise<number>;
}

const TOOLS_PER_UPSTREAM = 1_000;
const TOOLS_PER_SERVER = 10;
/** Writes that come together share the workers' next reading of the catalog. */
const SERVERS_AT_ONCE = 20;

/** What PgBouncer says between two transactions, and the leader's look for upstreams that are not registered yet, every few seconds. */
const ASKED_WITHOUT_CALLS = `^\\s*(DISCARD ALL|SET application_name.*|SELECT \\* FROM "gateways")\\s*$`;

/** Nothing that the replicas do by themselves falls into a measurement of minutes. */
const QUIET = {
  POLL_INTERVAL: "3600",
  MAX_INTERVAL: "3600",
  LEADER_LEASE_TTL: "3600",
  HEALTH_CHECK_INTERVAL: "3600",
  METRICS_BUFFER_FLUSH_INTERVAL: "3600",
};

export async function startScaledCluster(
  { tools, servers }: { readonly tools: number; readonly servers: number },
): Promise<ScaledCluster> {
  const resources = new AsyncDisposableStack();
  const perUpstream = Math.min(tools, TOOLS_PER_UPSTREAM);
  const upstreams = resources.use(startManyUpstreams({ tools: perUpstream, pageSize: perUpstream }));
  const cluster = resources.use(
    await Cluster.start({
      env: QUIET,
      postgres: { settings: { shared_preload_libraries: "pg_stat_statements" } },
    }),
  );
  await cluster.servers.postgres.query("CREATE EXTENSION pg_stat_statements");
  const one = cluster.replicas[0]!;

  let from = performance.now();
  for (let i = 0; i < tools / perUpstream; i++) {
    await one.registerUpstream(`up${i}`, upstreams.url(`up${i}`));
  }
  const registrationMs = performance.now() - from;

  const { body } = await one.api("GET", "/tools?limit=0");
  const ids: string[] = body.map(({ id }: { id: string }) => id);
  const toolNames: string[] = body.map(({ name }: { name: string }) => name);
  const serverIds: string[] = [];
  from = performance.now();
  const createServer = async (i: number) => {
    const first = i * TOOLS_PER_SERVER % ids.length;
    const associated_tools = ids.slice(first, first + TOOLS_PER_SERVER);
    const { status } = await one.api("POST", "/servers", {
      server: { id: `v${i}`, name: `V${i}`, associated_tools },
    });
    if (status !== 201) throw new Error(`POST /servers was answered ${status}`);
    serverIds[i] = `v${i}`;
  };
  await Promise.all(Array.from({ length: SERVERS_AT_ONCE }, async (_, lane) => {
    for (let i = lane; i < servers - 1; i += SERVERS_AT_ONCE) await createServer(i);
  }));
  // After all others, so that a worker that knows it has read them too.
  await createServer(servers - 1);
  const serversMs = performance.now() - from;
  await Promise.all(cluster.replicas.map((replica) =>
    waitFor(async () => {
      const path = `/servers/${serverIds.at(-1)}/mcp`;
      const looks = await Promise.all(
        Array.from({ length: 12 }, () => post(replica, toolCall("none"), { path })),
      );
      return looks.every(({ status }) => status !== 404);
    }, { what: "the last server on every worker", deadlineMs: 120_000 })
  ));
  return {
    ...{ cluster, registrationMs, serversMs, toolNames, serverIds },
    statements: async () => {
      const [{ calls }] = await cluster.servers.postgres.query(
        `SELECT COALESCE(SUM(calls), 0)::int AS calls FROM pg_stat_statements
         JOIN pg_database ON pg_database.oid = dbid WHERE datname = '${cluster.database}' AND query !~ '${ASKED_WITHOUT_CALLS}'`,
      );
      return calls as number;
    },
    [Symbol.asyncDispose]: () => resources.disposeAsync(),
  };
}
