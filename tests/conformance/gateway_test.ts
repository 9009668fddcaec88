// The official suite through the gateway: a virtual server with original names, connections kept alive (but by the load balancer).
import { expectedFailures, IN_STREAMS } from "./expected_failures.ts";
import { assertComplete } from "./expected_counts.ts";
import { startGateway, startGatewayWith } from "./gateway.ts";
import type { StartGateway } from "../support/gateway.ts";
import { gatewayTest } from "../support/gateway_tests.ts";
import { givenTime } from "../support/pace.ts";
import { conformanceLaunch } from "../support/stdio_upstream.ts";
import { type Revision, runServerSuite } from "./suite.ts";
import type { UpstreamRevisions } from "./upstream_process.ts";

/** What the client speaks, and what the upstream does; `process`: 2026-07-28 alone, over stdio. */
const LANES: readonly (readonly [Revision, UpstreamRevisions | "process"])[] = [
  ["2025-11-25", "sessions"],
  ["2025-11-25", "stateless"],
  ["2025-11-25", "both"],
  ["2025-11-25", "process"],
  ["2026-07-28", "sessions"],
  ["2026-07-28", "stateless"],
  ["2026-07-28", "both"],
  ["2026-07-28", "process"],
];

/**
 * The cluster runs the suite before this upstream only: an upstream with sessions makes the replicas depend on each other most. The
 * gateway then keeps something for each client. A client of 2025-11-25 has a session and event streams, a client of 2026-07-28 has
 * calls that wait for its input. Most requests reach a replica that has neither. A stateless upstream leaves nothing to keep between
 * requests, and a caller's process is one replica's.
 */
const IN_CLUSTER = "sessions";

for (const [revision, spoken] of LANES) {
  const options = { inCluster: spoken === IN_CLUSTER };
  gatewayTest(`The suite of ${revision} passes with an upstream of spoken ${spoken}`, async (start) => {
    const env = { JSON_RESPONSE_ENABLED: String(revision !== "2025-11-25" || spoken !== IN_STREAMS) };
    await using gateway =
      await (spoken === "process" ? startGatewayToProcess(start) : startGateway(spoken, start, env));
    await givenTime(async () =>
      assertComplete(
        await runServerSuite(gateway.url, revision),
        revision,
        expectedFailures(revision, spoken),
      )
    );
  }, options);
}

function startGatewayToProcess(start: StartGateway) {
  const registration = { transport: "STDIO", ...conformanceLaunch("suite") };
  return startGatewayWith(registration, { STDIO_ENABLED: "true" }, start);
}
