// What one process does, three replicas behind a load balancer do: the same test bodies, without sticky routing.
import { Cluster, CLUSTER_MISSING } from "../support/cluster.ts";
import { everythingScenario } from "../support/everything_scenario.ts";
import type { Gateway } from "../support/gateway.ts";
import { sessionScenarios } from "../support/session_scenarios.ts";

/** One for all tests: it takes seconds to start. */
let shared: Promise<Cluster> | undefined;
Deno.test.afterAll(async () => await (await shared)?.[Symbol.asyncDispose]());

/** The cluster, as empty as a fresh one: what a test has registered goes with it. */
async function start(): Promise<Gateway> {
  const cluster = await (shared ??= Cluster.start());
  return {
    url: cluster.url,
    token: (options) => cluster.token(options),
    api: (...request) => cluster.api(...request),
    rpc: (...request) => cluster.rpc(...request),
    registerUpstream: (...upstream) => cluster.registerUpstream(...upstream),
    [Symbol.asyncDispose]: async () => {
      for (const path of ["/servers", "/gateways"]) {
        const { body } = await cluster.api("GET", path);
        for (const { id } of body) await cluster.api("DELETE", `${path}/${id}`);
      }
      await cluster.untilEmpty();
    },
  };
}

sessionScenarios("three replicas", start, { ignore: CLUSTER_MISSING });

Deno.test({
  name: "A registered server works from every client, and asks it (three replicas)",
  ignore: CLUSTER_MISSING,
  fn: (t) => everythingScenario(t, start),
});
