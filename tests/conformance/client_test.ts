// The suite's client scenarios against the gateway's upstream side: the suite's server is a registered upstream.
import { assertClientScenario, CLIENT_SCENARIOS } from "./client_scenarios.ts";

/** Fewer checks than an SDK client has: the server has no tool to call, so no client's capabilities ever go there. */
const WITHOUT_CAPABILITIES = { "request-metadata": 5 } as const;

for (const [scenario, revision, passed] of CLIENT_SCENARIOS) {
  Deno.test(`The gateway, as a client, passes ${scenario} of ${revision}`, async () => {
    const expected = scenario === "request-metadata" ? WITHOUT_CAPABILITIES[scenario] : passed;
    await assertClientScenario([scenario, revision, expected]);
  });
}
