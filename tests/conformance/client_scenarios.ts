// The suite's scenarios for clients that apply to the gateway's upstream side, and how many checks each has.
//
// Those of logins (auth/*) are in upstream_login_test.ts.
import { assert, assertEquals } from "@std/assert";
import { count, objections, report, type Revision, runClientScenario, type SuiteResult } from "./suite.ts";
import { givenTime } from "../support/pace.ts";

/** Scenario, revision of its wire, and the checks that pass in it. */
export const CLIENT_SCENARIOS: readonly (readonly [scenario: string, revision: Revision, passed: number])[] =
  [
    ["initialize", "2025-11-25", 1],
    ["tools_call", "2025-11-25", 2],
    ["elicitation-sep1034-client-defaults", "2025-11-25", 5],
    ["sse-retry", "2025-11-25", 3],
    ["json-schema-2020-12-preservation", "2025-11-25", 9],
    ["tools_call", "2026-07-28", 2],
    ["request-metadata", "2026-07-28", 8],
    ["sep-2322-client-request-state", "2026-07-28", 5],
    ["http-custom-headers", "2026-07-28", 18],
    ["http-invalid-tool-headers", "2026-07-28", 12],
    ["json-schema-ref-no-deref", "2026-07-28", 1],
    ["json-schema-2020-12-preservation", "2026-07-28", 9],
    // One check per method that was used, and one more per method with a name: more for who uses more.
    ["http-standard-headers", "2026-07-28", 9],
  ];

const ROOT = new URL("../../", import.meta.url).pathname;

/** Runs one with client/main.ts; `flags` are that command's. */
export async function assertClientScenario(
  [scenario, revision, passed]: (typeof CLIENT_SCENARIOS)[number],
  flags: readonly string[] = [],
): Promise<void> {
  const command = [
    ...[Deno.execPath(), "run", "-A", "--quiet", `--config=${ROOT}deno.json`],
    ...[`${ROOT}tests/conformance/client/main.ts`, ...flags],
  ].join(" ");
  await givenTime(async () =>
    assertClientResult(await runClientScenario(command, scenario, revision), scenario, passed)
  );
}

function assertClientResult(result: SuiteResult, scenario: string, passed: number): void {
  const text = `${report(result)}\n${result.output}`;
  assertEquals(objections(result), [], text);
  const found = count(result.scenarios, "SUCCESS");
  assert(
    scenario === "http-standard-headers" ? found >= passed : found === passed,
    `${found} passed\n${text}`,
  );
  // Not 0 where the command came to nothing: what a client must not do is not done then either.
  assertEquals(result.exitCode, 0, text);
}
