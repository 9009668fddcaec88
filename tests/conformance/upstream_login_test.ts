// The suite's authorization scenarios against the gateway's upstream side: it logs in to the suite's server as itself.
import { assert, assertEquals } from "@std/assert";
import { Sluice } from "../support/sluice.ts";
import { objections, report, runClientScenario, type ScenarioResult } from "./suite.ts";

/** Scenario, and the check that it is about. How many others there are depends on how often the gateway asks. */
const SCENARIOS: readonly (readonly [scenario: string, check: string])[] = [
  ["auth/client-credentials-basic", "client-credentials-basic-auth"],
  ["auth/client-credentials-jwt", "client-credentials-jwt-verified"],
];

const ROOT = new URL("../../", import.meta.url).pathname;

Deno.test("The gateway, as a client, logs in as the suite's authorization scenarios want it", async (t) => {
  await using gateway = await Sluice.start();
  const command = [
    ...[Deno.execPath(), "run", "-A", "--quiet", `--config=${ROOT}deno.json`],
    ...[`${ROOT}tests/conformance/client/log_in.ts`, gateway.url, await gateway.token()],
  ].join(" ");
  for (const [scenario, check] of SCENARIOS) {
    await t.step(scenario, async () => {
      const result = await runClientScenario(command, scenario, "2025-11-25");
      const text = `${report(result)}\n${result.output}`;
      assertEquals(objections(result), [], text);
      const [{ checks }] = result.scenarios as [ScenarioResult];
      assert(checks.some(({ id, status }) => id === check && status === "SUCCESS"), text);
      assertEquals(result.exitCode, 0, text);
    });
  }
});
