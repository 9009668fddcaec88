// Tests whose body asks for a gateway, and which hold in one process and in three replicas behind a load balancer.
//
// Left to one process is what a process is and not what the gateway does: its start, signals and recycling, its port with its limits
// and protocols (which a load balancer hides), what each worker admits, its children, and what its own HTTP client and transports do
// with a server. Tests of replicas, of PostgreSQL and of Redis bring a deployment of their own.
import { Cluster, CLUSTER_MISSING } from "./cluster.ts";
import type { Gateway, Settings, StartGateway } from "./gateway.ts";
import type { Servers } from "./cluster_servers.ts";
import { sharedServers } from "./shared_servers.ts";
import { Sluice } from "./sluice.ts";

export type Deployment = "one process" | "cluster";

export type GatewayTestBody = (start: StartGateway, t: Deno.TestContext, on: Deployment) => Promise<void>;

/**
 * For tests that start a gateway for each value of something on which neither replicas nor the load balancer depend: in the cluster,
 * where a start takes six times as much of the machine, the first value is enough.
 */
export function valuesOn<T>(on: Deployment, values: readonly T[]): readonly T[] {
  return on === "cluster" ? values.slice(0, 1) : values;
}

/** Defines the test twice: the same body for one process, and for the cluster unless `inCluster` is false. */
export function gatewayTest(
  name: string,
  body: GatewayTestBody,
  { ignore = false, inCluster = true } = {},
): void {
  Deno.test({
    name: `${name} (one process)`,
    ignore,
    fn: (t) => body((env) => Sluice.start({ env }), t, "one process"),
  });
  if (!inCluster) return;
  Deno.test({
    name: `${name} (cluster)`,
    ignore: ignore || CLUSTER_MISSING,
    fn: (t) => body(startInCluster, t, "cluster"),
  });
}

/** One for all tests of a file. Each test has replicas, a database and a key prefix of its own. */
let shared: Promise<Cluster<Servers>> | undefined;
Deno.test.afterAll(async () => await (await shared)?.[Symbol.asyncDispose]());

async function startInCluster({ WORKERS: _, ...env }: Settings = {}): Promise<Gateway> {
  const isFirst = shared === undefined;
  const cluster = await (shared ??= Cluster.on(await sharedServers(), { env }));
  if (!isFirst) await cluster.startReplicas(env);
  const { url, port, workers, processes } = cluster;
  return {
    ...{ url, port, workers, processes },
    token: (options) => cluster.token(options),
    api: (...request) => cluster.api(...request),
    rpc: (...request) => cluster.rpc(...request),
    registerUpstream: (...upstream) => cluster.registerUpstream(...upstream),
    log: () => cluster.log(),
    [Symbol.asyncDispose]: () => cluster.stopReplicas(),
  };
}
