// The official suite through the gateway: a virtual server with original names, connections kept alive (but by the load balancer).
import { expectedFailures } from "./expected_failures.ts";
import { assertComplete } from "./expected_counts.ts";
import { startGateway, startGatewayWith } from "./gateway.ts";
import type { StartGateway } from "../support/gateway.ts";
import { gatewayTest } from "../support/gateway_tests.ts";
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

for (const [revision, spoken] of LANES) {
  // A process belongs to a worker: behind a load balancer the next request finds another one, with a state of its own.
  const options = { inCluster: spoken !== "process" };
  gatewayTest(`The suite of ${revision} passes with an upstream of spoken ${spoken}`, async (start) => {
    await using gateway =
      await (spoken === "process" ? startGatewayToProcess(start) : startGateway(spoken, start));
    assertComplete(await runServerSuite(gateway.url, revision), revision, expectedFailures(revision, spoken));
  }, options);
}

function startGatewayToProcess(start: StartGateway) {
  const registration = { transport: "STDIO", ...conformanceLaunch("suite") };
  return startGatewayWith(registration, { STDIO_ENABLED: "true" }, start);
}
