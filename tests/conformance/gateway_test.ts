// The official suite through the gateway: two workers, connections kept alive, a virtual server with original names.
import { expectedFailures } from "./expected_failures.ts";
import { assertComplete } from "./expected_counts.ts";
import { startGateway, startGatewayWith } from "./gateway.ts";
import { conformanceLaunch } from "../support/stdio_upstream.ts";
import { type Revision, runServerSuite } from "./suite.ts";
import type { Era } from "./upstream_process.ts";

/** What the client speaks, and what the upstream does; `process`: 2026-07-28 alone, over stdio. */
const LANES: readonly (readonly [Revision, Era | "process"])[] = [
  ["2025-11-25", "legacy"],
  ["2025-11-25", "modern"],
  ["2025-11-25", "both"],
  ["2025-11-25", "process"],
  ["2026-07-28", "legacy"],
  ["2026-07-28", "modern"],
  ["2026-07-28", "both"],
  ["2026-07-28", "process"],
];

for (const [revision, era] of LANES) {
  Deno.test(`The suite of ${revision} passes through the gateway with an upstream of era ${era}`, async () => {
    await using gateway = era === "process" ? await startGatewayToProcess() : await startGateway(era);
    assertComplete(await runServerSuite(gateway.url, revision), revision, expectedFailures(revision, era));
  });
}

function startGatewayToProcess() {
  return startGatewayWith({ transport: "STDIO", ...conformanceLaunch("suite") }, { STDIO_ENABLED: "true" });
}
