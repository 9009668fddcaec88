// The suite, our upstream and our use of the client scenarios against each other, without the gateway: what the other conformance
// tests stand on.
import { assert, assertEquals } from "@std/assert";
import { assertClientScenario, CLIENT_SCENARIOS } from "./client_scenarios.ts";
import { assertComplete } from "./expected_counts.ts";
import { givenTime } from "../support/pace.ts";
import { count, objections, runServerSuite } from "./suite.ts";
import { startConformanceUpstream } from "./upstream_process.ts";

for (const revision of ["2025-11-25", "2026-07-28"] as const) {
  Deno.test(`The upstream passes every check of ${revision}`, async () => {
    await using upstream = await startConformanceUpstream();
    await givenTime(async () => assertComplete(await runServerSuite(upstream.url, revision), revision));
  });
}

for (
  const [revisions, served, other] of [
    ["sessions", "2025-11-25", "2026-07-28"],
    ["stateless", "2026-07-28", "2025-11-25"],
  ] as const
) {
  Deno.test(`An upstream with revisions: ${revisions} passes ${served} and fails ${other}`, async () => {
    await using upstream = await startConformanceUpstream(revisions);
    await givenTime(async () => assertComplete(await runServerSuite(upstream.url, served), served));
    const refused = await runServerSuite(upstream.url, other);
    assertEquals(refused.exitCode, 1);
    assert(objections(refused).length > 20, objections(refused).join("\n"));
    assert(count(refused.scenarios, "SUCCESS") < 60);
  });
}

for (const scenario of CLIENT_SCENARIOS) {
  Deno.test(`The SDK's client passes ${scenario.slice(0, 2).join(" of ")}`, () =>
    assertClientScenario(scenario, ["--direct"]));
}
